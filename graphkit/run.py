"""The door of every run: `python -m graphkit.run task=link dataset=cora`, and the same from Python by `run(...)`.

It checks the request, hands over to the tasks and the training loop, and reports. Importing it, asking (`--help`, `--list`)
and a wrong request need no torch.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

import graphkit
from graphkit.conf.arguments import Assignment, flatten, split
from graphkit.conf.compose import Resolved, compose
from graphkit.conf.request import check
from graphkit.data.catalog import DATASETS
from graphkit.errors import CheckpointError, GraphkitError, Interrupted, RequestError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from graphkit.conf.schema import Run
    from graphkit.data.types import Dataset
    from graphkit.training.protocol import Task
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
        dataset: Name of the data set. Default: digits.
        model: Name of the model, or its settings, e.g. `{"name": "ncn", "hidden_channels": 64}`. Default: the task's own.
        overrides: Settings as on the command line, e.g. `["train.lr=0.1"]`.
        **settings: All other settings, as config.yaml has them, e.g. `train={"epochs": 5}, seeds=3, device="cpu"`.

    Returns:
        The result; its folder holds everything else.

    Raises:
        RequestError: If the request is wrong; the message has one line a mistake.
        GraphkitError: If the run fails, see `graphkit.errors`.
    """
    command = split(overrides)
    mistakes = [*command.mistakes, *(f"{flag}: overrides take key=value" for flag in sorted(command.flags))]
    names = {"task": task, "dataset": dataset, "model": model}
    given = [
        *flatten({**{key: value for key, value in names.items() if value is not None}, **settings}),
        *command.assignments,
    ]
    if all(assignment.key != "progress" for assignment in given):
        given.append(Assignment("progress", False))
    return _execute(_resolve(given, mistakes))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: Arguments; default: those of the process.

    Returns:
        The exit status: 0 success, 1 the run failed, 2 the request is wrong, 130 interrupted.
    """
    # Idle workers of torch's OpenMP pool would spin on the cores that the compiled kernels between two of its calls run on.
    os.environ.setdefault("GOMP_SPINCOUNT", "0")  # read when torch is imported, which has not happened yet
    try:
        _say(_answer(sys.argv[1:] if argv is None else argv))
    except GraphkitError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("error: interrupted before training began", file=sys.stderr)
        return Interrupted.exit_code
    return 0


def _answer(argv: Sequence[str]) -> str:
    """What a command line gets on stdout."""
    command = split(argv)
    if "--help" in command.flags:
        from graphkit.conf.listing import help_page

        return help_page(DATASETS)
    if "--version" in command.flags:
        return f"graphkit {graphkit.__version__}\n"
    if "--list" in command.flags:
        from graphkit.conf.listing import list_page

        needless = [f"{given.key}=: --list takes no key=value, leave it out" for given in command.assignments]
        check(command.assignments, DATASETS, [*command.mistakes, *needless])
        return list_page(command.topic, DATASETS)
    resolved = _resolve(command.assignments, command.mistakes)
    for note in resolved.notes:
        print(f"note: {note}", file=sys.stderr)
    with contextlib.redirect_stdout(sys.stderr):  # whatever a library prints, stdout carries the result alone
        if "--dry-run" in command.flags:
            return _dry_run(resolved)
        result = _execute(resolved)
    if resolved.run.format == "json":
        return (result.folder / "result.json").read_text(encoding="utf-8")
    return _result_page(result)


def _resolve(assignments: Sequence[Assignment], mistakes: Sequence[str]) -> Resolved:
    request = check(assignments, DATASETS, mistakes)
    if request.values.get("resume") is None:
        return compose(request)
    from graphkit.training.artifacts import read_config

    folder = Path(request.values["resume"]).expanduser()
    stored = read_config(folder)
    try:
        before = check(flatten(stored), DATASETS)
    except RequestError as error:
        lines = [f"{folder / 'config.yaml'}: {line}" for line in str(error).splitlines()]
        raise CheckpointError("\n".join(lines)) from error
    return compose(dataclasses.replace(before, values={**before.values, **request.values}))


class _Experiment:
    """Gives the task of a seed, as `graphkit.training.runner.train_run` wants it."""

    def __init__(self, settings: Run) -> None:
        from graphkit.training.runtime import resolve_device

        self.settings = settings
        self.device = resolve_device(settings.device, settings.precision)
        self.dataset = functools.lru_cache(maxsize=1)(self._load)

    def _load(self, seed: int) -> Dataset:
        from graphkit.data import load

        data = self.settings.data
        return load(
            self.settings.dataset,
            task=self.settings.task.name,
            root=data.root,
            seed=seed,
            edges=data.edges,
            features=data.features,
            labels=data.labels,
            split=data.split,
            interactions=data.interactions,
            user_column=data.user_column,
            item_column=data.item_column,
            rating_column=data.rating_column,
            min_rating=data.min_rating,
            time_column=data.time_column,
        )

    def __call__(self, seed: int) -> Task:
        from graphkit.tasks.build import build_task

        settings = self.settings
        return build_task(settings.task.name, self.dataset(seed), settings.task, settings.model, settings.train, self.device)


def _execute(resolved: Resolved) -> RunResult:
    from graphkit.training.runner import train_run

    settings = resolved.run
    folder = Path(settings.resume) if settings.resume else None
    experiment = _Experiment(settings)
    protocol = ""
    if folder is None or not (folder / "result.json").exists():  # a finished run is only reported and needs no data
        protocol = experiment(settings.seed).protocol  # what is wrong with the data shows before a run folder exists
    paper = resolved.recipe.figures() if resolved.recipe else None
    return train_run(resolved.config, experiment, paper=paper, protocol=protocol, folder=folder, notes=resolved.notes)


def _dry_run(resolved: Resolved) -> str:
    """The settings and what would be run, as two YAML documents, or as one JSON object."""
    settings = resolved.run
    experiment = _Experiment(settings)
    task, dataset = experiment(settings.seed), experiment.dataset(settings.seed)
    new = f"{settings.task.name}-{settings.dataset}-{settings.model.name}-<stamp>"
    facts = {
        "recipe": resolved.recipe.name if resolved.recipe else None,
        "paper": resolved.recipe.figures() if resolved.recipe else None,
        "parameters": sum(parameter.numel() for parameter in task.build_model().parameters()),
        "device": str(experiment.device),
        "metric": task.metric,
        "metrics": list(task.metrics),
        "nodes": int(dataset.data.num_nodes),
        "message_passing_edges": int(dataset.data.edge_index.size(1)),
        "splits": {name: _size(part) for name, part in dataset.splits.items()},
        "batches_per_epoch": task.num_batches,
        "protocol": task.protocol,
        "folder": settings.resume or str(Path(settings.out) / new),
    }
    if settings.format == "json":
        return json.dumps({"settings": resolved.config, **facts}, indent=2) + "\n"
    style: dict[str, Any] = {"sort_keys": False, "width": 88, "allow_unicode": True}
    documents: str = yaml.safe_dump_all([resolved.config, facts], **style)
    return documents


def _size(part: Any) -> int | dict[str, int]:
    """Nodes or interactions of a split, or its pairs by sign."""
    from graphkit.data.types import Pairs

    if not isinstance(part, Pairs):
        return int(part.size(-1))
    sizes = {"positive": int(part.positive.size(1))}
    return sizes if part.negative is None else {**sizes, "negative": int(part.negative.size(1))}


def _result_page(result: RunResult) -> str:
    """The result table, ours beside the paper's where the recipe knows it."""
    from rich import box
    from rich.table import Table

    from graphkit.conf.listing import render
    from graphkit.training.report import plus_minus

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("metric")
    published = [part for part in result.metrics if any(result.published(part, name) for name in result.metrics[part])]
    for title in (*result.metrics, *(f"paper {part}" for part in published)):
        table.add_column(title, justify="right")
    for name in next(iter(result.metrics.values())):
        ours = [plus_minus(result.metrics[part][name]) for part in result.metrics]
        table.add_row(name, *ours, *(plus_minus(result.published(part, name)) for part in published))
    seeds = f"seed {result.seeds[0]}"
    if len(result.seeds) > 1:
        seeds = f"seeds {result.seeds[0]} to {result.seeds[-1]}, mean ± unbiased standard deviation"
    lines: list[RenderableType] = [
        f"{result.model} on {result.dataset} (task={result.task}): {seeds}",
        table,
        f"epoch selected by valid {result.metric}; {result.num_parameters:,} parameters; {result.seconds:.1f} s",
    ]
    if result.protocol:
        lines.append(f"protocol: {result.protocol}")
    if published and result.paper:
        lines.append(f"paper: {result.paper['source']}")
    return render(*lines) + f"report: {result.folder / 'report.html'}\n"


def _say(text: str) -> None:
    """Write to stdout; a reader that has gone (`| head`) is no error."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the flush at exit does not fail again


if __name__ == "__main__":
    sys.exit(main())
