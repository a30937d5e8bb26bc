"""The project's own promises: what lies at the top, pins, sizes, forbidden strings, cheap imports, the set-up commands."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import graphkit
from graphkit.conf.model_table import BEGIN, END

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CODE = {"graphkit", "examples", "benchmarks", "tests", "pyproject.toml", "Makefile"}
TOP_LEVEL = CODE | {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "CITATION.cff"}
TOP_LEVEL |= {"docs", "mkdocs.yml", "Dockerfile"}


def project_files() -> list[Path]:
    """Files that are committed or would be, as git sees them."""
    try:
        command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
        listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout: the project's files cannot be told from others")
    return [ROOT / line for line in listing.splitlines() if (ROOT / line).is_file()]


def pins() -> dict[str, Version]:
    lines = (ROOT / ".ci/constraints.txt").read_text(encoding="utf-8").splitlines()
    rows = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): Version(version) for name, version in rows}


def declared_requirements() -> list[Requirement]:
    project = PYPROJECT["project"]
    extras = [text for texts in project["optional-dependencies"].values() for text in texts]
    return [Requirement(text) for text in project["dependencies"] + extras]


def test_nothing_else_lies_at_the_top():
    names = {path.relative_to(ROOT).parts[0] for path in project_files()}
    assert {name for name in names if not name.startswith(".")} == TOP_LEVEL


def test_readme_stays_short():
    written = re.sub(f"{BEGIN}.*{END}", "", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(written.splitlines()) <= 200


def test_python_files_stay_small():
    files = [path for path in project_files() if path.suffix == ".py"]
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert len(lengths) > 20
    assert {name: length for name, length in lengths.items() if length >= 400} == {}


# Written so that this file does not contain what it forbids.
FORBIDDEN = {
    "the name on PyPI belongs to somebody else": r"pip3? install (?:-\S+ )*['\"]?graphkit(?!-layers)\b",
    "unsafe loading": r"weights_only\s*=\s*F" + "alse",
    "a path of one machine": r"(?<![\w.~])/(?:ro" + r"ot|ho" + r"me|wo" + r"rk|Us" + r"ers)/\w",
    "hides devices from the user": r"environ\S*CUDA_VIS" + "IBLE_DEVICES",
}


@pytest.mark.parametrize("reason", FORBIDDEN)
def test_no_forbidden_strings(reason: str):
    pattern = re.compile(FORBIDDEN[reason])
    found = []
    for path in project_files():
        text = path.read_bytes().decode("utf-8", errors="replace")
        found += [f"{path.relative_to(ROOT)}: {match.group()}" for match in pattern.finditer(text)]
    assert found == []


def test_forbidden_patterns_match_what_they_forbid():
    name = "graphkit"
    assert re.search(FORBIDDEN["the name on PyPI belongs to somebody else"], f"pip install {name}")
    assert re.search(FORBIDDEN["the name on PyPI belongs to somebody else"], f"pip install -U '{name}[ogb]'")
    assert not re.search(FORBIDDEN["the name on PyPI belongs to somebody else"], f"pip install {name}-layers")
    assert re.search(FORBIDDEN["unsafe loading"], "torch.load(f, weights_only=" + "False)")
    assert re.search(FORBIDDEN["a path of one machine"], "open('/ho" + "me/me/x')")


def test_versions_agree():
    assert metadata.version("graphkit-layers") == graphkit.__version__
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.findall(r"^## \[(\d[^\]]*)\]", changelog, flags=re.MULTILINE)
    assert re.search(r"^## \[Unreleased\]", changelog, flags=re.MULTILINE)
    assert all(Version(version) <= Version(graphkit.__version__) for version in released)


def test_python_versions_agree():
    lowest = PYPROJECT["project"]["requires-python"].removeprefix(">=")
    assert PYPROJECT["tool"]["mypy"]["python_version"] == lowest
    assert PYPROJECT["tool"]["ruff"]["target-version"] == "py" + lowest.replace(".", "")
    assert f"({lowest.replace('.', ', ')})" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_pins_lie_inside_the_ranges():
    pinned = pins()
    assert pinned["torch"] == Version("2.13.0")
    for requirement in declared_requirements():
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), str(requirement)


def imported_distributions(folder: str) -> set[str]:
    """Distributions of the third-party modules that the Python files of a folder import."""
    modules: set[str] = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                modules.add(node.module.split(".")[0])
    third_party = modules - sys.stdlib_module_names - {"graphkit", "benchmarks", "examples", "tests"}
    owners = metadata.packages_distributions()
    return {canonicalize_name(owners.get(module, [module])[0]) for module in third_party}


@pytest.mark.parametrize("folder", ["graphkit", "benchmarks", "docs", "examples", "tests"])
def test_whatever_is_imported_is_declared(folder: str):
    imported = imported_distributions(folder)
    assert ("mkdocs" if folder == "docs" else "torch") in imported
    assert imported - {canonicalize_name(requirement.name) for requirement in declared_requirements()} == set()


def unpinned(requirement: Requirement, seen: set[str], pinned: dict[str, Version]) -> set[str]:
    """Names reachable from an installed requirement that have no pin."""
    name = canonicalize_name(requirement.name)
    missing = set() if name in pinned else {name}
    try:
        texts = metadata.requires(name) or []
    except metadata.PackageNotFoundError:  # of an extra that is not installed here
        return missing
    for text in texts:
        child = Requirement(text)
        wanted = child.marker is None or any(child.marker.evaluate({"extra": e}) for e in {"", *requirement.extras})
        exact = name == "torch" and str(child.specifier).startswith("==")  # torch pins its CUDA packages itself
        key = f"{canonicalize_name(child.name)}{sorted(child.extras)}"
        if wanted and not exact and key not in seen:
            seen.add(key)
            missing |= unpinned(child, seen, pinned)
    return missing


def test_everything_that_is_installed_is_pinned():
    pinned, seen = pins(), set()
    assert set().union(*(unpinned(requirement, seen, pinned) for requirement in declared_requirements())) == set()
    assert len(seen) > 40


def test_asking_needs_no_torch():
    code = (
        "import sys, graphkit, graphkit.errors, graphkit.conf, graphkit.run\n"
        "print([name for name in ('torch', 'torch_geometric', 'scipy', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ------------------------------------------------------------------------------------------------------------- make


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The set-up's files in a folder of their own, with stand-ins for the interpreters that note their arguments."""
    for name in ("Makefile", "pyproject.toml", ".ci/constraints.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    inner = r'mkdir -p "$3/bin"; printf "#!/bin/sh\necho inner \"\$*\" >> log\n" > "$3/bin/python"'
    script(tmp_path / "newpython", f'[ "$2" = venv ] || exit 0\necho "venv $3" >> log\n{inner}; chmod +x "$3/bin/python"')
    script(tmp_path / "oldpython", '[ "$1" = -V ] && echo "Python 3.10.13" && exit 0\nexit 1')
    return tmp_path


def script(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    outside = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS", "PY"))}
    return subprocess.run(["make", "-C", str(folder), *arguments], capture_output=True, text=True, env=outside)


def test_set_up_installs_with_pins_and_only_once(checkout: Path):
    log = checkout / "log"
    assert make(checkout, "setup", "PYTHON=./newpython").returncode == 0
    created, installed = log.read_text().splitlines()
    assert created == "venv .venv"
    assert installed.startswith("inner -m pip install") and "-c .ci/constraints.txt -e ." in installed
    assert make(checkout, "setup", "PYTHON=./newpython").returncode == 0
    assert len(log.read_text().splitlines()) == 2
    os.utime(checkout / ".venv/.setup", (0, 0))  # as if the constraints had changed since; file clocks are too coarse to touch
    assert make(checkout, "demo", "PYTHON=./newpython").returncode == 0
    assert [line.split()[2] for line in log.read_text().splitlines()[2:]] == ["pip", "graphkit.run"]


def test_test_installs_the_extras_and_runs_the_tests(checkout: Path):
    assert make(checkout, "test", "PYTHON=./newpython").returncode == 0
    _, installed, tested = (checkout / "log").read_text().splitlines()
    assert re.search(r"-e \.\[dev,ogb\b", installed)
    assert tested.strip() == "inner -m pytest -n auto --dist worksteal"


@pytest.mark.parametrize(("python", "says"), [("./oldpython", "Python 3.10.13"), ("./no-such-python", "not on the PATH")])
def test_set_up_refuses_an_old_or_missing_python(checkout: Path, python: str, says: str):
    done = make(checkout, "setup", f"PYTHON={python}")
    assert done.returncode != 0
    assert says in done.stderr and "3.11" in done.stderr and "make setup PYTHON=" in done.stderr
    assert not (checkout / ".venv").exists()


def test_help_names_every_documented_target(checkout: Path):
    done = make(checkout, "help")
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert {"demo", "setup", "test", "lint"} <= set(targets)
    assert re.findall(r"^  make ([a-z-]+)", done.stdout, flags=re.MULTILINE) == targets
