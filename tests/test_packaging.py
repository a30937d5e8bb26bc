"""What is given to others: a citation, a wheel that runs in an environment without the checkout, and an image's recipe."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
import yaml

import graphkit
from graphkit.__main__ import COMMANDS
from tests.blocks import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

# The Citation File Format 1.2.0: its required keys, and its optional ones.
REQUIRED = {"authors", "cff-version", "message", "title"}
OPTIONAL = {"abstract", "commit", "contact", "date-released", "doi", "identifiers", "keywords", "license", "license-url"}
OPTIONAL |= {
    "preferred-citation",
    "references",
    "repository",
    "repository-artifact",
    "repository-code",
    "type",
    "url",
    "version",
}


def test_the_citation_is_one() -> None:
    found = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert found.keys() >= REQUIRED and found.keys() <= REQUIRED | OPTIONAL
    assert found["cff-version"] == "1.2.0" and found["type"] in ("software", "dataset")
    assert found["version"] == graphkit.__version__ and found["license"] == PROJECT["license"]
    assert all(isinstance(found[key], str) and found[key] for key in ("message", "title", "abstract", "version"))
    assert found["authors"] and all(author.keys() & {"name", "family-names"} for author in found["authors"])
    assert len(set(found["keywords"])) == len(found["keywords"]) > 0


# --------------------------------------------------------------------------------------------------------------- the wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a copy, so that nothing is written to the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT / "graphkit", folder / "copy/graphkit", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "copy" / name)
    code = "import sys, setuptools.build_meta as build; build.build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, str(folder)], cwd=folder / "copy", check=True, capture_output=True)
    (found,) = folder.glob("*.whl")
    return found


def test_the_wheel_has_every_file_of_the_package(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    package = [path for path in (ROOT / "graphkit").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert {path.relative_to(ROOT).as_posix() for path in package} == {name for name in names if ".dist-info/" not in name}
    assert wheel.name.startswith(f"graphkit_layers-{graphkit.__version__}-py3-none-any")


@pytest.mark.slow
def test_the_wheel_runs_the_first_example(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", symlinks=True)
    python = tmp_path / "env/bin/python"
    install = [sys.executable, "-m", "pip", f"--python={python}", "install", "-q", "--no-deps", "--no-index", "--no-compile"]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True)
    (site,) = (tmp_path / "env/lib").glob("python*/site-packages")
    # The dependencies of this environment, not its editable install: a .pth file in a folder that a .pth file adds is not read.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    outside = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}
    where = [str(python), "-c", "import graphkit; print(graphkit.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, env=outside, capture_output=True, text=True, check=True).stdout.strip()
    assert Path(found).is_relative_to(site)
    command = [str(tmp_path / "env/bin/graphkit"), "run", "train.epochs=1", "format=json", "device=cpu"]
    done = subprocess.run(command, cwd=tmp_path, env=outside, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["model"] == "ncn" and result["metrics"]["test"]["roc-auc"]["mean"] > 50
    (folder,) = (tmp_path / "runs").iterdir()
    assert (folder / "report.html").stat().st_size > 1000


# --------------------------------------------------------------------------------------------------------------- the image


def instructions() -> list[tuple[str, str]]:
    """Each instruction of the Dockerfile with its arguments."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines if line)]


def test_the_image_keeps_its_promises() -> None:
    found = instructions()
    words = [word for word, _ in found]
    assert set(words) <= {"FROM", "ARG", "RUN", "WORKDIR", "COPY", "USER", "ENV", "ENTRYPOINT", "CMD"}
    assert found[0] == ("FROM", "python:3.11-slim") and words.count("FROM") == 1
    assert PROJECT["requires-python"] == ">=3.11"
    user = words.index("USER")
    assert found[user][1] == "graphkit" and f"useradd --create-home --uid 1000 {found[user][1]}" in found[2][1]
    assert "RUN" not in words[user:] and words.count("USER") == 1  # what is installed belongs to root, what runs does not
    assert json.loads(dict(found)["ENTRYPOINT"]) == ["graphkit"] and "graphkit" in PROJECT["scripts"]
    assert json.loads(dict(found)["CMD"])[0] in ("--help", *COMMANDS)


def test_the_image_installs_pinned_versions_from_files_that_exist() -> None:
    found = instructions()
    sources = [source for word, rest in found if word == "COPY" for source in rest.split()[:-1]]
    assert all((ROOT / source).exists() for source in sources)
    assert {"graphkit", "pyproject.toml", PROJECT["readme"], *PROJECT["license-files"]} <= set(sources)
    torch, package = (rest for word, rest in found if word == "RUN" and "pip install" in rest)
    assert "grep '^torch==' .ci/constraints.txt" in torch and "--index-url" in torch
    assert len(re.findall("^torch==", (ROOT / ".ci/constraints.txt").read_text(), flags=re.MULTILINE)) == 1
    extras = re.search(r"-c \.ci/constraints\.txt '\.\[(.*)\]'", package)
    assert extras is not None and set(extras[1].split(",")) <= PROJECT["optional-dependencies"].keys()
    assert all("--no-cache-dir" in command for command in (torch, package))
