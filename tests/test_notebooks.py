"""Notebooks run, print what they are committed with, up to digits, and end in a picture."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.blocks import ROOT, as_pattern
from tests.notebooks import NOTEBOOKS


def printed(notebook: Any) -> list[tuple[int, str]]:
    """Number of the cell, and a line that it printed or the kind of picture that it drew."""
    rows: list[tuple[int, str]] = []
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            assert output.get("name") != "stderr", output
            text = output["text"] if output.output_type == "stream" else " ".join(sorted(output.data))
            rows += [(number, line) for line in text.splitlines()]
    return rows


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_prints_what_it_shows(path: Path, programs: Path, tmp_path: Path) -> None:
    kept = printed(nbformat.read(path, as_version=4))
    # in a process of its own: the client leaves sockets open
    command = [programs / "python", "-m", "tests.notebooks", path.stem, f"--programs={programs}", f"--out={tmp_path}"]
    done = subprocess.run(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = printed(nbformat.read(tmp_path / path.name, as_version=4))
    assert [number for number, _ in found] == [number for number, _ in kept]
    for (_, line), (_, said) in zip(found, kept, strict=True):
        assert re.fullmatch(as_pattern(said), line.strip()), f"not printed: {said!r}, but {line!r}"
    assert found[-1] == (len(nbformat.read(path, as_version=4).cells) - 1, "image/png text/plain")


def test_what_is_committed_is_small_and_of_no_machine() -> None:
    assert len(NOTEBOOKS) == 5
    for path in NOTEBOOKS:
        text = path.read_text(encoding="utf-8")
        notebook = nbformat.reads(text, as_version=4)
        nbformat.validate(notebook)
        assert len(text) < 100_000
        assert notebook.metadata.keys() == {"kernelspec", "language_info"} and notebook.metadata.language_info == {
            "name": "python"
        }
        assert all(cell.metadata == {} for cell in notebook.cells)
        assert [cell.id for cell in notebook.cells] == [f"cell-{number}" for number in range(len(notebook.cells))]
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
        lines = [line for _, line in printed(notebook)]
        assert not [line for line in lines if re.search(r"/tmp/|/ho" + r"me/|\d{8}-\d{6}|\d\d:\d\d", line)]
