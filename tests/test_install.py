"""The editable install gives the package from any folder, and the command `graphkit` its two doors."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import graphkit
from graphkit.__main__ import COMMANDS, main

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A checkout called graphkit, and the folder in which its editable install lies."""
    folder = tmp_path_factory.mktemp("parent")
    checkout, site = folder / "graphkit", folder / "site"
    (checkout / "graphkit").mkdir(parents=True)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (checkout / name).write_bytes((ROOT / name).read_bytes())
    (checkout / "graphkit" / "__init__.py").write_text('__version__ = "0.1.0"\n')
    (checkout / "graphkit" / "run.py").write_text("import graphkit\nprint(graphkit.__file__, graphkit.__version__)\n")
    build = "import sys, setuptools.build_meta as b; print(b.build_editable(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", build, str(folder)], cwd=checkout, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(site)
    return checkout, site


@pytest.mark.parametrize("place", ["the parent", "the checkout", "elsewhere", "a script in the parent"])
def test_the_package_is_found_from_any_folder(installed: tuple[Path, Path], place: str, tmp_path: Path):
    checkout, site = installed
    folder = {"the checkout": checkout, "elsewhere": tmp_path}.get(place, checkout.parent)
    # what `python -m graphkit.run` does, once the site folder is known
    code = f"import runpy, site; site.addsitedir({str(site)!r}); runpy.run_module('graphkit.run', run_name='__main__')"
    script = checkout.parent / "script.py"
    script.write_text(code)
    command = [str(script)] if place == "a script in the parent" else ["-c", code]
    outside = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    # -S: without the site folder of the tests' own interpreter, in which another graphkit may be installed
    done = subprocess.run([sys.executable, "-S", *command], cwd=folder, env=outside, capture_output=True, text=True)
    assert done.stdout.split() == [str(checkout / "graphkit" / "__init__.py"), "0.1.0"], done.stderr


def test_the_command_is_declared(installed: tuple[Path, Path]):
    (points,) = installed[1].glob("*.dist-info/entry_points.txt")
    assert "graphkit = graphkit.__main__:main" in points.read_text()


def test_the_command_s_doors(capsys: pytest.CaptureFixture[str]):
    assert main(["--version"]) == main(["run", "--version"]) == main(["predict", "--version"]) == 0
    assert capsys.readouterr().out == f"graphkit {graphkit.__version__}\n" * 3
    for asked in ([], ["--help"], ["-h"]):
        assert main(asked) == 0
        printed = capsys.readouterr().out
        assert printed.startswith("usage: graphkit COMMAND") and all(name in printed for name in COMMANDS)
    assert main(["rn", "task=link"]) == 2
    assert capsys.readouterr().err == "error: unknown command 'rn': did you mean run?\n"
    assert main(["task=link"]) == 2
    assert f"expected one of {', '.join(COMMANDS)}" in capsys.readouterr().err
    assert main(["run", "epoch=3"]) == 2
    assert capsys.readouterr().err == "error: unknown key 'epoch': did you mean train.epochs?\n"
