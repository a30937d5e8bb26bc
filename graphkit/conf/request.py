"""Every check of a request before anything runs: all mistakes at once, one a line, without torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from graphkit.conf.arguments import Assignment, read
from graphkit.conf.catalog import MODELS, TASKS
from graphkit.conf.nearest import did_you_mean, nearest, nearest_key
from graphkit.conf.settings import CHOICES, SECTIONS, Setting, all_settings, model_settings, run_settings, show, task_settings
from graphkit.errors import RequestError

CUSTOM = "custom"
WITH_RESUME = ("resume", "format", "progress", "tensorboard", "data.root")
"""What may be said beside `resume=`: where the data lies and how to show, nothing that decides a number."""

_OWN_GRAPH = ("data.edges", "data.features", "data.labels")
_OWN_INTERACTIONS = (
    "data.interactions",
    "data.user_column",
    "data.item_column",
    "data.rating_column",
    "data.min_rating",
    "data.time_column",
)


class DatasetRow(Protocol):
    """What the checks need to know of a data set; `graphkit.data.catalog.DatasetEntry` is one."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """Tasks it can be asked for."""

    @property
    def takes_split(self) -> bool:
        """Whether `data.split` applies."""


@dataclass(frozen=True)
class Request:
    """A checked request.

    Attributes:
        task: A key of `TASKS`.
        dataset: A data set that serves the task.
        model: A model of the task.
        values: The settings that were given, by dotted key, in their own types.
    """

    task: str
    dataset: str
    model: str
    values: dict[str, Any]


def check(assignments: Sequence[Assignment], datasets: Mapping[str, DatasetRow], mistakes: Iterable[str] = ()) -> Request:
    """Check a request as a whole.

    Args:
        assignments: What was given, in order.
        datasets: The data sets by name.
        mistakes: Mistakes found before, reported with the others.

    Returns:
        The request.

    Raises:
        RequestError: If anything is wrong; its message has one line a mistake.
    """
    found = list(mistakes)
    values = read_values([given for given in assignments if given.key in CHOICES], CHOICES, found)
    task = _task(values.get("task"), found)
    dataset = _dataset(values.get("dataset"), task, datasets, found)
    model = _model(values.get("model"), task, found)
    known = all_settings(
        [task] if task else TASKS,
        [(of, name) for of in ([task] if task else TASKS) for name in ([model] if model else MODELS[of]) if name in MODELS[of]],
    )
    rest = [given for given in assignments if given.key not in CHOICES]
    found += [_unknown(key, known, task, model) for key in dict.fromkeys(given.key for given in rest) if key not in known]
    values = read_values([given for given in rest if given.key in known], known, found)
    if dataset:
        found += _data_mistakes(dataset, task, values, datasets)
    if values.get("resume"):
        found += _resume_mistakes([given.key for given in assignments if given.key in CHOICES or given.key in known])
    if found or not (task and dataset and model):
        raise RequestError("\n".join(dict.fromkeys(found)))
    return Request(task, dataset, model, values)


def read_values(assignments: Sequence[Assignment], known: Mapping[str, Setting], found: list[str]) -> dict[str, Any]:
    """The values that can be read; the others, and a key with two values, are mistakes.

    Args:
        assignments: What was given, in order.
        known: The settings by key, every given key among them.
        found: Gets a line a mistake.
    """
    values: dict[str, Any] = {}
    for given in assignments:
        try:
            value = read(given, known[given.key])
        except ValueError as error:
            close = did_you_mean(_shown(given), known[given.key].choices)
            found.append(f"{given.key}={_shown(given)}: {error}{close}")
            continue
        if values.setdefault(given.key, value) != value:
            found.append(f"{given.key} is given twice: {show(values[given.key])} and {show(value)}")
    return values


def _shown(given: Assignment) -> str:
    return given.value.strip() if given.typed else show(given.value)


def _task(name: str | None, found: list[str]) -> str | None:
    name = name or CHOICES["task"].default
    if name in TASKS:
        return name
    found.append(f"task={name}" + (did_you_mean(name, TASKS) or f": unknown; choose one of {', '.join(TASKS)}"))
    return None


def _dataset(name: str | None, task: str | None, datasets: Mapping[str, DatasetRow], found: list[str]) -> str | None:
    name = name or CHOICES["dataset"].default
    if name not in datasets:
        found.append(f"dataset={name}" + (did_you_mean(name, datasets) or f": unknown; choose one of {', '.join(datasets)}"))
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
        found.append(f"model={name}" + (did_you_mean(name, names) or f": unknown; choose one of {', '.join(names)}"))
        return None
    own = ", ".join(MODELS[task])
    if having:
        found.append(f"model={name}: task={task} has {own}; {name} is a model of task={having[0]}")
    elif (close := nearest(name, MODELS[task])) is not None:
        found.append(f"model={name}: did you mean {close}? (models of task={task}: {own})")
    else:
        found.append(f"model={name}: unknown; models of task={task}: {own}")
    return None


def _unknown(key: str, known: Mapping[str, Setting], task: str | None, model: str | None) -> str:
    if key in SECTIONS:
        inner = [other for other in known if other.startswith(key + ".")]
        return f"'{key}' holds settings: give {', '.join(inner)}"
    if key in ("task.name", "model.name"):
        return f"unknown key '{key}': did you mean {key.removesuffix('.name')}?"
    for other in TASKS:
        if task and key in task_settings(other):
            return f"unknown key '{key}': a setting of task={other}, not of task={task}"
    having = [name for name in MODELS[task] if key in model_settings(task, name)] if task else []
    if having and model:
        return f"unknown key '{key}': a setting of {', '.join(having)}, not of model={model}"
    close = nearest_key(key, {**CHOICES, **known})
    return f"unknown key '{key}'" + (f": did you mean {close}?" if close else "; see --list")


def _data_mistakes(name: str, task: str | None, values: Mapping[str, Any], datasets: Mapping[str, DatasetRow]) -> list[str]:
    mistakes = []
    own, other = (_OWN_INTERACTIONS, _OWN_GRAPH) if task == "recommend" else (_OWN_GRAPH, _OWN_INTERACTIONS)
    given = [key for key in (*own, *other) if values.get(key) is not None]
    if name != CUSTOM:
        mistakes += [f"{key}: own files need dataset={CUSTOM}, not dataset={name}" for key in given]
    elif task:
        needed = (own[0], "data.labels") if task == "node" else own[:1]
        mistakes += [f"dataset={CUSTOM}: give {key}=FILE" for key in needed if key not in given]
        mistakes += [f"{key}: task={task} does not read it, leave it out" for key in given if key in other]
    if task == "recommend" and values.get("data.scale", "auto") != "auto":
        mistakes.append(f"data.scale={values['data.scale']}: task=recommend has no features to scale, leave it out")
    if values.get("data.directed"):
        mistakes += _direction_mistakes(name, task)
    split = values.get("data.split")
    if split is None or split == run_settings()["data.split"].default:
        return mistakes
    shares = f"data.split={show(split)}"
    if not datasets[name].takes_split:
        mistakes.append(f"{shares}: dataset={name} has a fixed split")
    if len(split) != 3 or min(split) <= 0 or abs(sum(split) - 1) > 1e-6:
        mistakes.append(f"{shares}: expected three shares above 0 that sum to 1")
    return mistakes


def _direction_mistakes(name: str, task: str | None) -> list[str]:
    if name != CUSTOM:
        return [
            f"data.directed=true: it is for own files, dataset={CUSTOM}; a named data set that keeps direction says so in its "
            "name, such as squirrel-directed"
        ]
    if task == "link":
        return ["data.directed=true: task=link predicts edges without direction, leave it out"]
    return [f"data.directed=true: task={task} does not read it, leave it out"] if task == "recommend" else []


def _resume_mistakes(keys: Iterable[str]) -> list[str]:
    others = dict.fromkeys(key for key in keys if key not in WITH_RESUME)
    return [f"resume= takes every setting from that run: leave out {', '.join(others)}"] if others else []
