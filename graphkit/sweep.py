"""The door to sweeps: `python -m graphkit.sweep task=node dataset=cora model.dropout=0.1,0.5 trials=30`, or `sweep(...)`.

It checks the request, hands over to `graphkit.sweeps`, and prints. Importing it, `--help` and a wrong request need no torch.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import graphkit
from graphkit.cli import Answer, door, tell
from graphkit.conf.arguments import Assignment, flatten, split
from graphkit.conf.catalog import CHOICES, run_settings
from graphkit.conf.sweep import FLAGS, Sweep, check_sweep, help_page, read_sweep, sweep_settings
from graphkit.data.catalog import DATASETS
from graphkit.errors import RequestError
from graphkit.paths import expanded, require_working_folder

if TYPE_CHECKING:
    from graphkit.sweeps.trial import SweepResult


def sweep(
    task: str | Mapping[str, Any] | None = None,
    dataset: str | None = None,
    model: str | Mapping[str, Any] | None = None,
    *,
    overrides: Sequence[str] = (),
    **settings: Any,
) -> SweepResult | None:
    """Tune settings of a run by its validation metric; the trials are those of the command line.

        found = sweep("node", "cora", {"name": "gcn", "dropout": [0.1, 0.5]}, train={"lr": "interval(1e-4,1e-1)"}, trials=30)
        print(found.winner.values, found.command)

    Args:
        task: As for `graphkit.run.run`, like the others; a list, or a text such as `"interval(1e-4,1e-1)"`, is a range.
        dataset: Name of the data set.
        model: Name of the model, or its settings.
        overrides: Settings as on the command line, e.g. `["train.lr=interval(1e-4,1e-1)"]`.
        **settings: All other settings, of the runs and of the sweep itself: `trials=30`, `resume=FOLDER`.

    Returns:
        The result; None where the last trials run in other processes, the last of which reports.

    Raises:
        RequestError: If the request is wrong; the message has one line per mistake.
        GraphkitError: If the sweep fails, see `graphkit.errors`.
    """
    names = {"task": task, "dataset": dataset, "model": model}
    said = {key: value for key, value in names.items() if value is not None}
    command = split(overrides)
    given = [*map(_as_typed, flatten({**said, **settings})), *command.assignments]
    if all(assignment.key != "progress" for assignment in given):
        given.append(Assignment("progress", False))
    mistakes = [*command.mistakes, *(f"{flag}: overrides take key=value" for flag in sorted(command.flags))]
    return _searched(given, mistakes, lambda note: None)[1]


def _as_typed(given: Assignment) -> Assignment:
    """A range that was given as text is read as on the command line."""
    return Assignment(given.key, given.value, typed=isinstance(given.value, str))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: Arguments; default: those of the process.

    Returns:
        The exit status: 0 success, 1 it failed, 2 the request is wrong, 130 interrupted.
    """
    return door(_answer, argv, "interrupted before the sweep began")


def _answer(argv: Sequence[str]) -> Answer:
    """What a command line gets on stdout."""
    command = split(argv, FLAGS, {**CHOICES, **run_settings(), **sweep_settings()})
    if "--help" in command.flags:
        return Answer(help_page())
    if "--version" in command.flags:
        return Answer(f"graphkit {graphkit.__version__}\n")
    with contextlib.redirect_stdout(sys.stderr):  # whatever a library prints, stdout carries the result alone
        asked, result = _searched(command.assignments, command.mistakes, lambda note: tell(f"note: {note}"))
    if result is None:
        return Answer("")
    if asked.format == "json":
        return Answer(result.to_json(), str(result.folder))
    from graphkit.sweeps.text import sweep_page  # rich's tables, which a wrong request need not wait for

    return Answer(sweep_page(result), str(result.folder))


def _searched(
    assignments: Sequence[Assignment], mistakes: Sequence[str], hear: Callable[[str], None]
) -> tuple[Sweep, SweepResult | None]:
    """What was asked of the sweep itself, and its result."""
    found = list(mistakes)
    asked, given, _ = read_sweep(assignments, found)
    if asked.resume is None:
        request = check_sweep(assignments, DATASETS, mistakes)
    elif found:
        raise RequestError("\n".join(dict.fromkeys(found)))
    require_working_folder()
    from graphkit.sweeps.record import Record
    from graphkit.sweeps.worker import begin, work  # torch and Optuna, which a wrong request need not wait for

    if asked.resume is None:
        record = begin(request, hear)
    else:
        said = {key: getattr(asked, key) for key in ("trials", "final_seeds", "storage") if key in given}
        record = Record.open(expanded(asked.resume, "resume"), **said)
    hear(f"sweep in {record.folder}; to go on, or to work on it from another process: resume={record.folder}")
    return asked, work(record, hear, asked.progress)


if __name__ == "__main__":
    sys.exit(main())
