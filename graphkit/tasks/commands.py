"""Command lines: the one that gives a run again, and those that go on with a finished one."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from graphkit.conf.arguments import flatten
from graphkit.conf.catalog import BACKBONE, TASKS
from graphkit.conf.compose import compose
from graphkit.conf.request import Request
from graphkit.conf.schema import Run
from graphkit.conf.transforms import NONE
from graphkit.training.report import Step
from graphkit.training.result import RunResult

_OF_NO_RUN = ("resume", "progress", "format")
"""Settings of how a run was started and shown."""


def run_command(settings: Run) -> str:
    """The command line of a run: its task, data set and model, and every setting that these alone would not have.

    Args:
        settings: The settings of the run.
    """
    config = asdict(settings)
    given = _by_key(config)
    kept = {key: given[key] for key in ("recipe", BACKBONE) if key in given}
    task, model, transform = (config[section]["name"] for section in ("task", "model", "transform"))
    bare = _by_key(asdict(compose(Request(task, settings.dataset, model, kept, transform)).run))
    said = {"task": task, "dataset": settings.dataset, "model": model, "transform": transform, **kept}
    said |= {key: value for key, value in given.items() if value != bare[key] and key not in _OF_NO_RUN}
    for key, value in (("transform", NONE), ("recipe", "auto")):
        if said[key] == value:
            del said[key]
    return _line("graphkit.run", said)


def next_steps(result: RunResult, samples: Mapping[str, str], *, epochs: int) -> list[Step]:
    """What can be done with a finished run: explain a prediction, predict, train longer.

    Args:
        result: What the run found.
        samples: A sample by the setting that names one.
        epochs: Its setting `train.epochs`; a model that was trained in stages has more of them, and cannot get more.
    """
    task, folder, steps = TASKS[result.task], str(result.folder), list[Step]()
    asked = {key: samples[key] for key in task.asks if key in samples}
    if task.explain and len(asked) == len(task.asks):
        steps.append(Step("Why one prediction", _line("graphkit.explain", {"run": folder, **asked, "out": "why.html"})))
    question = next((key for key in task.questions if key in samples), None)
    if question is not None:
        steps.append(Step("Predict", _line("graphkit.predict", {"run": folder, question: samples[question], "top": 10})))
    lines = (result.folder / "metrics.csv").read_text(encoding="utf-8").splitlines()
    if 0 < max(int(line.split(",")[1]) for line in lines[1:]) <= epochs:
        steps.append(Step("More epochs", _line("graphkit.run", {"resume": folder, "train.epochs": 2 * epochs})))
    return steps


def _by_key(config: dict[str, Any]) -> dict[str, Any]:
    return {assignment.key: assignment.value for assignment in flatten(config)}


def _line(module: str, settings: Mapping[str, Any]) -> str:
    words = [shlex.quote(f"{key}={_typed(value)}") for key, value in settings.items()]
    return " ".join([f"python -m {module}", *words])


def _typed(value: Any) -> str:
    """A value as one types it, every digit of a number kept."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
