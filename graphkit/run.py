"""The door of every run: `python -m graphkit.run task=link dataset=cora`, and the same from Python by `run(...)`.

It checks the request, hands over to the tasks and the training loop, and reports. Importing it, asking (`--help`, `--list`)
and a wrong request need no torch.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import yaml

import graphkit
from graphkit.cli import Answer, door, tell
from graphkit.conf.arguments import Assignment, flatten, split
from graphkit.conf.catalog import CHOICES, TASKS
from graphkit.conf.compose import Resolved, compose
from graphkit.conf.listing import help_page, list_page, topic_mistakes
from graphkit.conf.request import CUSTOM, check
from graphkit.data.catalog import DATASETS
from graphkit.paths import expanded, require_working_folder
from graphkit.tasks.execute import execute, leaks, preview
from graphkit.tasks.experiment import stored_request

if TYPE_CHECKING:
    from graphkit.data.own.memory import InMemory
    from graphkit.training.result import RunResult


def run(
    task: str | Mapping[str, Any] | None = None,
    dataset: str | None = None,
    model: str | Mapping[str, Any] | None = None,
    *,
    overrides: Sequence[str] = (),
    **settings: Any,
) -> RunResult:
    """Train and evaluate a model; the numbers are those of the command line. No progress bars unless `progress=True`.

    Args:
        task: Name of the task, or its settings, e.g. `{"name": "link", "drop_last": False}`. Default: link.
        dataset: Name of the data set. Default: the task's own.
        model: Name of the model, or its settings, e.g. `{"name": "ncn", "hidden_channels": 64}`. Default: the task's own.
        overrides: Settings as on the command line, e.g. `["train.lr=0.1"]`.
        **settings: All other settings, as config.yaml has them, e.g. `train={"epochs": 5}, seeds=3, device="cpu"`. Own data
            may be in memory: `data=` PyG's `Data` or a networkx graph, or `data={"edges": ..., "features": ..., "labels": ...}`
            of pandas frames, arrays and SciPy matrices (`interactions` with task=recommend). To resume, give the same again.

    Returns:
        The result; its folder holds everything else.

    Raises:
        RequestError: If the request is wrong; the message has one line per mistake.
        GraphkitError: If the run fails, see `graphkit.errors`.
    """
    names, settings, memory = _in_memory({"task": task, "dataset": dataset, "model": model}, settings)
    return execute(_asked(names, settings, overrides), memory=memory)


def dry_run(
    task: str | Mapping[str, Any] | None = None,
    dataset: str | None = None,
    model: str | Mapping[str, Any] | None = None,
    *,
    overrides: Sequence[str] = (),
    **settings: Any,
) -> dict[str, Any]:
    """Look before running: load the data and build the model, but train and write nothing.

    Args:
        task: As for `run`, like all the others.
        dataset: Name of the data set.
        model: Name of the model, or its settings.
        overrides: Settings as on the command line.
        **settings: All other settings.

    Returns:
        What `--dry-run` prints: the resolved `settings`, parameter count, metric and output folder, and what the data set tells
        of itself (`facts` of its class in `graphkit.data.dataset`), e.g. sizes of graph and splits.

    Raises:
        RequestError: If the request is wrong; the message has one line per mistake.
        DataError: If the data cannot be loaded.
    """
    names, settings, memory = _in_memory({"task": task, "dataset": dataset, "model": model}, settings)
    resolved = _asked(names, settings, overrides)
    return {"settings": resolved.config, **preview(resolved, memory)}


def _in_memory(names: dict[str, Any], settings: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], dict[str, InMemory]]:
    """Names and settings with texts in the place of own data in memory, which make dataset=custom; and that data."""
    data = settings.get("data")
    parts = data.values() if isinstance(data, Mapping) else [data]
    plain = (str, int, float, list, tuple, os.PathLike, type(None))  # what settings are made of
    if all(isinstance(part, plain) for part in parts):
        return names, settings, {}
    from graphkit.data.own.memory import take  # NumPy, which a wrong request need not wait for

    task = names["task"]
    task = task.get("name") if isinstance(task, Mapping) else task
    entry = TASKS.get(str(task or CHOICES["task"].default))
    taken, memory = take(data, *(need.removeprefix("data.") for need in (entry.needs[:1] if entry else ())))
    if not settings.get("resume") and names["dataset"] is None:
        names = {**names, "dataset": CUSTOM}
    return names, {**settings, "data": taken}, memory


def _asked(names: Mapping[str, Any], settings: Mapping[str, Any], overrides: Sequence[str]) -> Resolved:
    """A request from Python, checked; a name that is None is not said."""
    command = split(overrides)
    mistakes = [*command.mistakes, *(f"{flag}: overrides take key=value" for flag in sorted(command.flags))]
    said = {key: value for key, value in names.items() if value is not None}
    given = [*flatten({**said, **settings}), *command.assignments]
    if all(assignment.key != "progress" for assignment in given):
        given.append(Assignment("progress", False))
    return _resolve(given, mistakes)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: Arguments; default: those of the process.

    Returns:
        The exit status: 0 success, 1 the run failed or a leak was found, 2 the request is wrong, 130 interrupted.
    """
    return door(_answer, argv, "interrupted before training began")


def _answer(argv: Sequence[str]) -> Answer:
    """What a command line gets on stdout."""
    command = split(argv)
    if "--help" in command.flags:
        return Answer(help_page(DATASETS))
    if "--version" in command.flags:
        return Answer(f"graphkit {graphkit.__version__}\n")
    if "--list" in command.flags:
        needless = [f"{given.key}=: --list takes no key=value, leave it out" for given in command.assignments]
        check(command.assignments, DATASETS, [*command.mistakes, *topic_mistakes(command.topic, DATASETS), *needless])
        return Answer(list_page(command.topic, DATASETS))
    resolved = _resolve(command.assignments, command.mistakes)
    _note(*resolved.notes)
    with contextlib.redirect_stdout(sys.stderr):  # whatever a library prints, stdout carries the result alone
        if "--dry-run" in command.flags:
            return Answer(_dry_run(resolved))
        if "--check-leaks" in command.flags:
            return _leaks(resolved)
        result = execute(resolved, _note)
    if resolved.run.format == "json":
        return Answer((result.folder / "result.json").read_text(encoding="utf-8"), str(result.folder))
    from graphkit.tasks.result_page import result_page  # rich's tables, which a wrong request need not wait for

    return Answer(result_page(result), str(result.folder))


def _resolve(assignments: Sequence[Assignment], mistakes: Sequence[str]) -> Resolved:
    request = check(assignments, DATASETS, mistakes)
    require_working_folder()
    if request.values.get("resume") is None:
        return compose(request)
    return compose(stored_request(expanded(request.values["resume"], "resume"), said=request.values))


def _note(*notes: str) -> None:
    tell(*(f"note: {note}" for note in notes))


def _leaks(resolved: Resolved) -> Answer:
    """What leaks in the splits, seed by seed unless all say the same; the status is 1 if anything does."""
    found = leaks(resolved)
    status = int(any(not report.clean for report in found.values()))
    if resolved.run.format == "json":
        told = {"clean": not status, "seeds": {str(seed): report.to_dict() for seed, report in found.items()}}
        return Answer(json.dumps(told, indent=2, ensure_ascii=False) + "\n", status=status)
    pages = {seed: report.to_text() for seed, report in found.items()}
    if len(pages) > 1 and len(set(pages.values())) == 1:
        return Answer(f"seeds {min(pages)} to {max(pages)}\n{pages[min(pages)]}", status=status)
    heads = {seed: f"seed {seed}\n" if len(pages) > 1 else "" for seed in pages}
    return Answer("".join(heads[seed] + page for seed, page in pages.items()), status=status)


def _dry_run(resolved: Resolved) -> str:
    """The settings and what would be run, as two YAML documents, or as one JSON object."""
    facts = preview(resolved)
    if resolved.run.format == "json":
        return json.dumps({"settings": resolved.config, **facts}, indent=2) + "\n"
    style: dict[str, Any] = {"sort_keys": False, "width": 88, "allow_unicode": True}
    documents: str = yaml.safe_dump_all([resolved.config, facts], **style)
    return documents


if __name__ == "__main__":
    sys.exit(main())
