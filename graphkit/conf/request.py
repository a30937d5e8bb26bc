"""Every check of a request before anything runs: all mistakes at once, one a line, without torch."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from graphkit.conf import schema
from graphkit.conf.arguments import Assignment, read
from graphkit.conf.catalog import (
    BACKBONE,
    CHOICES,
    MODELS,
    SECTIONS,
    TASKS,
    all_settings,
    own_settings,
    task_settings,
    transform_settings,
)
from graphkit.conf.setting import Setting, nearest_key, settings_table, show
from graphkit.conf.transforms import NONE, TRANSFORMS
from graphkit.errors import RequestError, shown
from graphkit.metrics.registry import parse
from graphkit.nearest import did_you_mean, nearest

CUSTOM = "custom"
OPTIONS = settings_table(schema.Data, "data.")
"""The settings of the section `data`, by dotted key."""
OWN_FILES = tuple(key for key, option in OPTIONS.items() if option.own and option.path)
"""Settings that name the user's own files."""
WITH_RESUME = ("resume", "format", "progress", "tensorboard", "data.root", *OWN_FILES, "train.epochs")
"""What may be said beside `resume=`: where the same data lies now, how to show, and more epochs."""

_ELSEWHERE = {
    "data.directed": f"it is for own files, dataset={CUSTOM}; a named data set that keeps direction says so in its name, such "
    "as squirrel-directed"
}
"""What else to say of a setting of own files that is given beside a named data set."""


class DatasetRow(Protocol):
    """What the checks need to know of a data set; `graphkit.data.catalog.DatasetEntry` is one."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """Tasks it can be asked for."""

    @property
    def takes_split(self) -> bool:
        """Whether `data.split` applies."""

    @property
    def timed(self) -> bool:
        """Whether `data.time_split` applies to a data set that has a name."""


@dataclass(frozen=True)
class Request:
    """A checked request.

    Attributes:
        task: A key of `TASKS`.
        dataset: A data set that serves the task.
        model: A model of the task.
        values: The settings that were given, by dotted key, in their own types.
        transform: A key of `TRANSFORMS` that the task takes.
    """

    task: str
    dataset: str
    model: str
    values: dict[str, Any]
    transform: str = NONE

    @property
    def backbone(self) -> str | None:
        """The backbone that was asked for; None: the default one, or a model without."""
        return self.values.get(BACKBONE)

    def settings(self) -> dict[str, Setting]:
        """All settings of such a run, by dotted key."""
        return all_settings([self.task], [(self.task, self.model)], self.backbone, self.transform)


def check(
    assignments: Sequence[Assignment],
    datasets: Mapping[str, DatasetRow],
    mistakes: Iterable[str] = (),
    *,
    stored: bool = False,
) -> Request:
    """Check a request as a whole.

    Args:
        assignments: What was given, in order.
        datasets: The data sets by name.
        mistakes: Mistakes found before, reported with the others.
        stored: The settings come from a run folder, and perhaps from another machine, which may have more processors.

    Returns:
        The request.

    Raises:
        RequestError: If anything is wrong; its message has one line per mistake.
    """
    found = list(mistakes)
    values = read_values([given for given in assignments if given.key in CHOICES], CHOICES, found)
    task = _task(values.get("task"), found)
    dataset = _dataset(values.get("dataset"), task, datasets, found)
    model = _model(values.get("model"), task, found)
    transform = _transform(values.get("transform"), task, found)
    rest = [given for given in assignments if given.key not in CHOICES]
    backbone = _backbone(rest)
    known = all_settings(
        [task] if task else TASKS,
        [(of, name) for of in ([task] if task else TASKS) for name in ([model] if model else MODELS[of]) if name in MODELS[of]],
        backbone,
        transform,
    )
    unknown = dict.fromkeys(given.key for given in rest if given.key not in known)
    found += [_unknown(key, known, task, model) for key in unknown]
    values = read_values([given for given in rest if given.key in known], known, found)
    if task:
        found += _metric_mistakes(values.get("task.metric"), task)
    if dataset and not values.get("resume"):  # what goes with data is the run's, not this request's
        found += _data_mistakes(dataset, task, values, datasets)
    if not stored and values.get("threads", 0) > (cores := os.cpu_count() or 1):
        found.append(f"threads={values['threads']}: this machine has {cores} CPU cores; threads=0 takes all")
    if values.get("resume"):
        found += _resume_mistakes([given.key for given in assignments if given.key in CHOICES or given.key in known])
    if found or not (task and dataset and model):
        raise RequestError("\n".join(dict.fromkeys(found)))
    return Request(task, dataset, model, values, transform)


def read_values(assignments: Sequence[Assignment], known: Mapping[str, Setting], found: list[str]) -> dict[str, Any]:
    """The values that can be read; the others, and a key with two values, are mistakes.

    Args:
        assignments: What was given, in order.
        known: The settings by key, every given key among them.
        found: Gets a line per mistake.
    """
    values: dict[str, Any] = {}
    for given in assignments:
        try:
            value = read(given, known[given.key])
        except ValueError as error:
            typed = _as_typed(given)
            found.append(f"{given.key}={shown(typed)}: {error}{did_you_mean(typed, known[given.key].choices)}")
            continue
        if values.setdefault(given.key, value) != value:
            found.append(f"{given.key} is given twice: {shown(show(values[given.key]))} and {shown(show(value))}")
    return values


def read_known(assignments: Sequence[Assignment], known: Mapping[str, Setting], found: list[str]) -> dict[str, Any]:
    """As `read_values`, of assignments whose keys may be unknown, which are mistakes, too."""
    for key in dict.fromkeys(given.key for given in assignments if given.key not in known):
        close = nearest_key(key, known)
        found.append(f"unknown key '{shown(key)}'" + (f": did you mean {close}?" if close else "; see --help"))
    return read_values([given for given in assignments if given.key in known], known, found)


def _as_typed(given: Assignment) -> str:
    if given.typed:
        return str(given.value.strip())
    try:
        return show(given.value)
    except (ValueError, RecursionError):  # an integer of more than 4,300 digits, a list within a thousand lists
        return f"a very large {type(given.value).__name__}"


def _task(name: str | None, found: list[str]) -> str | None:
    name = name or CHOICES["task"].default
    if name in TASKS:
        return name
    found.append(f"task={shown(name)}" + (did_you_mean(name, TASKS) or f": unknown; choose one of {', '.join(TASKS)}"))
    return None


def _dataset(name: str | None, task: str | None, datasets: Mapping[str, DatasetRow], found: list[str]) -> str | None:
    name = name or TASKS[task or CHOICES["task"].default].default_dataset
    if name not in datasets:
        found.append(
            f"dataset={shown(name)}" + (did_you_mean(name, datasets) or f": unknown; choose one of {', '.join(datasets)}")
        )
        return None
    if task and task not in datasets[name].tasks:
        serving = ", ".join(other for other, row in datasets.items() if task in row.tasks)
        found.append(f"dataset={name}: it serves task={'/'.join(datasets[name].tasks)}, not task={task}, which has {serving}")
    return name


def _model(name: str | None, task: str | None, found: list[str]) -> str | None:
    """The model; None where the request's is unknown, or no model can be told because the task is."""
    if name is None:
        return TASKS[task].default_model if task else None
    having = [other for other in TASKS if name in MODELS[other]]
    if task in having or (task is None and having):
        return name
    if task is None:
        names = [other for models in MODELS.values() for other in models]
        found.append(f"model={shown(name)}" + (did_you_mean(name, names) or f": unknown; choose one of {', '.join(names)}"))
        return None
    own = ", ".join(MODELS[task])
    if having:
        found.append(f"model={name}: task={task} has {own}; {name} is a model of task={having[0]}")
    elif (close := nearest(name, MODELS[task])) is not None:
        found.append(f"model={shown(name)}: did you mean {close}? (models of task={task}: {own})")
    else:
        found.append(f"model={shown(name)}: unknown; models of task={task}: {own}")
    return None


def _transform(name: str | None, task: str | None, found: list[str]) -> str:
    """What changes the graph; nothing, where the request's is unknown or not of the task."""
    name = name or NONE
    if name not in TRANSFORMS:
        found.append(
            f"transform={shown(name)}" + (did_you_mean(name, TRANSFORMS) or f": unknown; choose one of {', '.join(TRANSFORMS)}")
        )
        return NONE
    if task and name != NONE and name not in TASKS[task].transforms:
        having = ", ".join(f"task={other}" for other, entry in TASKS.items() if name in entry.transforms)
        found.append(f"transform={name}: it is for {having}, not for task={task}")
    return name


def _backbone(assignments: Iterable[Assignment]) -> str | None:
    """The text that was given as the backbone; whether there is such a one is checked with the other values."""
    given = [assignment.value for assignment in assignments if assignment.key == BACKBONE]
    return given[0].strip() if given and isinstance(given[0], str) else None


def _unknown(key: str, known: Mapping[str, Setting], task: str | None, model: str | None) -> str:
    if key in SECTIONS:
        inner = [other for other in known if other.startswith(key + ".")]
        return f"'{key}' holds settings: give {', '.join(inner)}"
    if key in ("task.name", "model.name", "transform.name"):
        return f"unknown key '{key}': did you mean {key.removesuffix('.name')}?"
    for other in TASKS:
        if task and key in task_settings(other):
            return f"unknown key '{key}': a setting of task={other}, not of task={task}"
    having = [name for name in MODELS[task] if key in own_settings(task, name)] if task else []
    if having and model:
        chosen = known.get(BACKBONE)
        around = f" with {BACKBONE}={chosen.default}" if chosen and set(having) & set(chosen.choices) else ""
        return f"unknown key '{key}': a setting of {', '.join(having)}, not of model={model}{around}"
    if of := [name for name in TRANSFORMS if key in transform_settings(name)]:
        return f"unknown key '{key}': a setting of transform={'/'.join(of)}, which must be asked for"
    close = nearest_key(key, {**CHOICES, **known})
    return f"unknown key '{shown(key)}'" + (f": did you mean {close}?" if close else "; see --list")


def _metric_mistakes(name: str | None, task: str) -> list[str]:
    """What is wrong with the name; whether the metric can decide is known only with the data."""
    try:
        if name not in (None, "auto"):
            parse(name, task)
    except RequestError as error:
        return [f"task.metric: {error}"]
    return []


def unread(task: str) -> set[str]:
    """The settings `data.*` that mean nothing for a task: what it refuses, and own files that it does not take."""
    entry = TASKS[task]
    return {key for key, option in OPTIONS.items() if key in entry.refuses or (option.own and key not in entry.own)}


def _data_mistakes(name: str, task: str | None, values: Mapping[str, Any], datasets: Mapping[str, DatasetRow]) -> list[str]:
    entry = TASKS[task] if task else None
    taken, idle = (entry.own, unread(task)) if entry and task else ((), set())
    given = [key for key, option in OPTIONS.items() if values.get(key) not in (None, option.default)]
    mistakes = []
    if entry and name == CUSTOM:
        mistakes += [f"dataset={name}: give {key}=FILE" for key in entry.needs if key not in given]
    for key in sorted(given, key=lambda key: key not in taken):
        option = OPTIONS[key]
        said = key if option.optional else f"{key}={show(values[key])}"
        if option.own and name != CUSTOM and not (key == "data.time_split" and datasets[name].timed):
            mistakes.append(f"{said}: {_ELSEWHERE.get(key, f'own files need dataset={CUSTOM}, not dataset={name}')}")
        elif entry and key in idle:
            mistakes.append(f"{said}: task={task} {entry.refuses.get(key, 'does not read it')}, leave it out")
    if name == CUSTOM and "data.time_split" in given and "data.time_column" not in given:
        told = "splits by times: name their column by data.time_column="
        mistakes.append(f"data.time_split={values['data.time_split']} {told}")
    if "data.split" not in given:
        return mistakes
    split = values["data.split"]
    shares = f"data.split={show(split)}"
    if not datasets[name].takes_split:
        mistakes.append(f"{shares}: dataset={name} has a fixed split")
    if len(split) != 3 or min(split) <= 0 or abs(sum(split) - 1) > 1e-6:
        mistakes.append(f"{shares}: expected three shares above 0 that sum to 1")
    return mistakes


def _resume_mistakes(keys: Iterable[str]) -> list[str]:
    others = dict.fromkeys(key for key in keys if key not in WITH_RESUME)
    return [f"resume= takes every setting from that run: leave out {', '.join(others)}"] if others else []
