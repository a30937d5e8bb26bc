"""Notebooks executed in a folder of their own; `python -m tests.notebooks [NAME ...]` keeps the outputs in examples/notebooks.

A kernel is a fork of `tests/forks.py`, so that it starts at once.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

from tests.blocks import ROOT
from tests.forks import quick_python

FOLDER = ROOT / "examples/notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SECONDS = 120
"""For a cell, on a busy machine."""


def executed(path: Path, workdir: Path, programs: Path) -> Any:
    """The notebook with the outputs of a new execution, and nothing of when and where it was.

    Args:
        path: The notebook.
        workdir: An empty folder that it works in.
        programs: The folder that has the kernel's `python`.
    """
    kernel = workdir / "kernels" / "forked"
    kernel.mkdir(parents=True)
    (workdir / "work").mkdir()
    variables = {
        "PYTHONPATH": str(ROOT),
        "IPYTHONDIR": str(workdir / "ipython"),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
    command = [str(programs / "python"), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": "forked", "language": "python", "env": variables}
    (kernel / "kernel.json").write_text(json.dumps(spec))
    specs = KernelSpecManager(kernel_dirs=[str(kernel.parent)])
    manager = KernelManager(
        kernel_name="forked", kernel_spec_manager=specs, connection_file=str(workdir / "connection.json"), transport="ipc"
    )
    notebook = nbformat.read(path, as_version=4)
    metadata = dict(notebook.metadata)
    place = {"metadata": {"path": str(workdir / "work")}}
    try:
        NotebookClient(notebook, km=manager, timeout=SECONDS, coalesce_streams=True, resources=place).execute()
    finally:
        manager.shutdown_kernel()
    notebook.metadata = metadata
    for cell in notebook.cells:
        cell.metadata = {}
    return notebook


def main(argv: Sequence[str] | None = None) -> None:
    """Execute notebooks and write them with their outputs."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("names", nargs="*", default=[path.stem for path in NOTEBOOKS])
    parser.add_argument("--out", type=Path, default=FOLDER, help="where they are written")
    parser.add_argument("--programs", type=Path, help="the folder of a quick python; default: one of its own")
    asked = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as stack:
        (Path(place) / "programs").mkdir()
        programs = asked.programs or stack.enter_context(quick_python(Path(place) / "programs"))
        for name in asked.names:
            (Path(place) / name).mkdir()
            found = executed(FOLDER / f"{name}.ipynb", Path(place) / name, programs)
            nbformat.write(found, asked.out / f"{name}.ipynb")


if __name__ == "__main__":
    main()
