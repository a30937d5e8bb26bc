"""The door to comparisons: `python -m graphkit.compare runs/A runs/B`, and from Python `compare("runs/A", "runs/B")`.

It checks the request, hands over to `graphkit.comparison`, prints. Importing it, `--help` and a wrong request need no torch.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import graphkit
from graphkit.cli import Answer, door
from graphkit.conf.arguments import Assignment, split
from graphkit.conf.compare import FLAGS, Comparison, check_comparison, comparison_settings, help_page, named
from graphkit.errors import RunError, shown_path
from graphkit.paths import expanded, require_working_folder

if TYPE_CHECKING:
    from graphkit.comparison.answer import Compared


def compare(
    *runs: str | os.PathLike[str],
    metric: str | None = None,
    of_split: str = "test",
    confidence: float = 0.95,
    root: str | os.PathLike[str] | None = None,
) -> Compared:
    """Compare finished runs on the same data, seed by seed.

        found = compare("runs/node-cora-gcn-...", "runs/node-cora-gat-...")
        print(found.differences[0].mean, found.differences[0].p)

    Args:
        *runs: Folders of two or more finished runs, or of sweeps.
        metric: What is compared; default: the metric that selected the epoch.
        of_split: `test` or `valid`.
        confidence: That of the intervals.
        root: Data folder, where it is not the one that the runs were trained with.

    Returns:
        The comparison.

    Raises:
        RequestError: If the request is wrong, or the runs cannot be compared.
        CheckpointError: If a folder is no finished run, or was changed.
    """
    given = {"metric": metric, "split": of_split, "confidence": confidence, "data.root": root}
    names = Assignment("runs", ",".join(os.fspath(run) for run in runs))
    said = [names, *(Assignment(key, value) for key, value in given.items() if value is not None)]
    return _compared(check_comparison(said))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: Arguments; default: those of the process.

    Returns:
        The exit status: 0 success, 1 it failed, 2 the request is wrong, 130 interrupted.
    """
    return door(_answer, argv, "interrupted")


def _answer(argv: Sequence[str]) -> Answer:
    """What a command line gets on stdout."""
    command = split(named(argv), FLAGS, comparison_settings())
    if "--help" in command.flags:
        return Answer(help_page())
    if "--version" in command.flags:
        return Answer(f"graphkit {graphkit.__version__}\n")
    request = check_comparison(command.assignments, command.mistakes)
    require_working_folder()
    with contextlib.redirect_stdout(sys.stderr):  # whatever a library prints, stdout carries the answer alone
        found = _compared(request)
        path = None if request.format == "json" and request.out is None else _write_page(request, found)
    if request.format == "json":
        return Answer(found.to_json())
    from graphkit.comparison.text import comparison_text  # rich's tables, which a wrong request need not wait for

    return Answer(comparison_text(found) + f"page: {shown_path(path)}\n", str(path))


def _compared(request: Comparison) -> Compared:
    from graphkit.comparison.answer import compare_runs  # NumPy, which a wrong request need not wait for

    return compare_runs(request)


def _write_page(request: Comparison, found: Compared) -> Path:
    """Write the page where it was asked for, else beside the first run."""
    from graphkit.comparison.page import comparison_page
    from graphkit.training.files import write_atomic

    first = Path(next(iter(found.folders.values())))
    path = (
        first.parent / f"compare-{datetime.now():%Y%m%d-%H%M%S}.html" if request.out is None else expanded(request.out, "out")
    )
    try:
        write_atomic(path, comparison_page(found).encode())
    except OSError as error:
        raise RunError(f"cannot write {path} ({error.strerror}): name another file with out=") from error
    return path


if __name__ == "__main__":
    sys.exit(main())
