"""A table file, `benchmarks/tables/NAME.yaml`: which runs stand in the table, and the published figure of each.

Reading one checks every row as the command line of `graphkit.run` would be checked, without torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from pkgutil import resolve_name
from string import ascii_lowercase, digits
from typing import Any

import yaml

from graphkit.conf.arguments import Assignment
from graphkit.conf.catalog import MODELS
from graphkit.conf.compose import compose
from graphkit.conf.recipe import find_recipe
from graphkit.conf.request import Request, check
from graphkit.data.catalog import DATASETS
from graphkit.errors import RequestError
from graphkit.nearest import did_you_mean

_ROW = (
    "task", "dataset", "model", "seeds", "metric", "overrides", "published", "further", "exact", "tolerance", "comparable",
    "last_epoch", "curve", "note", "variant",
)  # fmt: skip
_NEEDED = ("task", "dataset", "model", "seeds", "metric")
_KINDS: dict[str, type] = {
    "metric": str, "overrides": dict, "further": dict, "exact": bool, "tolerance": float, "comparable": bool,
    "last_epoch": bool, "curve": bool, "note": str, "variant": str,
}  # fmt: skip
_LETTERS = set(ascii_lowercase + digits + "-")
_FIGURE = ("from", "mean", "std", "valid", "n", "source")

Value = tuple[float, float | None]
"""Mean and standard deviation; no deviation where there is one value."""


@dataclass(frozen=True)
class Published:
    """A published figure.

    Attributes:
        test: Of the test split.
        valid: Of the validation split, where published.
        n: Number of seeds.
        source: Where it was published.
    """

    test: Value
    valid: Value | None
    n: int
    source: str


@dataclass(frozen=True)
class Row:
    """One run of a table.

    Attributes:
        task: Its task.
        dataset: Its data set.
        model: Its model; the recipe of the three is used where there is one.
        seeds: Number of seeds.
        metric: The metric that is compared, one of the data set's.
        overrides: Further settings by dotted key.
        published: The published figure, None where there is none.
        further: Further metrics that are compared, each with its published figure.
        exact: The result is deterministic: all published digits must be equal.
        tolerance: Allowed distance, in the metric's unit, from a figure without a standard deviation.
        comparable: Whether the published figure comes from the same protocol; if not, it is shown but not judged.
        last_epoch: The published figure is of the last epoch, not of a selected one, so ours is, too.
        curve: Its learning curve is kept beside its result.
        note: Shown beside the row.
        variant: Tells rows of one data set and model apart that differ in `overrides`; lower-case letters, digits, `-`.
        full_epochs: Epochs of the row, if this is a shortened run of it; such a run is never judged.
    """

    task: str
    dataset: str
    model: str
    seeds: int
    metric: str
    overrides: dict[str, Any] = field(default_factory=dict)
    published: Published | None = None
    further: Mapping[str, Published | None] = field(default_factory=dict)
    exact: bool = False
    tolerance: float | None = None
    comparable: bool = True
    last_epoch: bool = False
    curve: bool = False
    note: str = ""
    variant: str = ""
    full_epochs: int | None = None

    @property
    def shown_model(self) -> str:
        """`<model>` or `<model>-<variant>`."""
        return f"{self.model}-{self.variant}" if self.variant else self.model

    @property
    def name(self) -> str:
        """`<task>-<dataset>-<model>[-<variant>]`, which names its files."""
        return f"{self.task}-{self.dataset}-{self.shown_model}"

    @property
    def label(self) -> str:
        """`<dataset>/<model>[-<variant>]`, as `--only` takes it."""
        return f"{self.dataset}/{self.shown_model}"

    def by_metric(self) -> tuple[Row, ...]:
        """The row once for each metric that is compared."""
        if not self.further:
            return (self,)
        others = (replace(self, metric=metric, published=published, further={}) for metric, published in self.further.items())
        return replace(self, further={}), *others

    def shortened(self, epochs: int) -> Row:
        """The same row trained for fewer epochs; the row itself if it has no more than that."""
        full = self.epochs
        return replace(self, overrides={**self.overrides, "train.epochs": epochs}, full_epochs=full) if epochs < full else self

    @property
    def epochs(self) -> int:
        """How many epochs it is trained for at most; 0: nothing is trained."""
        return int(self.config["train"]["epochs"])

    @property
    def selects_on_test(self) -> bool:
        """Whether its epoch is selected on test, as `task.protocol=lightgcn` does."""
        return bool(self.config["task"].get("protocol") == "lightgcn" and self.epochs > 0)

    def request(self, extra: Sequence[Assignment] = ()) -> Request:
        """The row as a checked request; `extra` settings win over the row's.

        Raises:
            RequestError: If a setting is wrong; one line per mistake.
        """
        own = {"task": self.task, "dataset": self.dataset, "model": self.model, "seeds": self.seeds, **self.overrides}
        replaced = {assignment.key for assignment in extra}
        assignments = [Assignment(key, value) for key, value in own.items() if key not in replaced]
        try:
            return check([*assignments, *extra], DATASETS)
        except RequestError as error:
            raise RequestError("\n".join(f"{self.label}: {line}" for line in str(error).splitlines())) from error

    @cached_property
    def config(self) -> dict[str, Any]:
        """All settings of the row's run."""
        return compose(self.request()).config

    def config_with(self, extra: Sequence[Assignment]) -> dict[str, Any]:
        """All settings of a run where `extra` settings win over the row's."""
        return compose(self.request(extra)).config if extra else self.config


@dataclass(frozen=True)
class Table:
    """A table file's content.

    Attributes:
        name: The file's name.
        title: Heads the page.
        rows: Its rows.
        selection: At which epoch ours is taken, for the page.
        baselines: Models that are plain: the page says on which data sets none of the others does better.
    """

    name: str
    title: str
    rows: tuple[Row, ...]
    selection: str = "at the epoch that validation selected"
    baselines: tuple[str, ...] = ()

    def select(self, only: Sequence[str]) -> tuple[Row, ...]:
        """The rows named by `dataset/model` or `dataset`, in the table's order; all rows if none is named.

        Raises:
            RequestError: If a name fits no row; one line each.
        """
        names = dict.fromkeys(name for row in self.rows for name in (row.label, row.dataset))
        unknown = [word for word in only if word not in names]
        if unknown:
            known = f": the rows of {self.name} are {', '.join(row.label for row in self.rows)}"
            raise RequestError("\n".join(f"--only {word}" + (did_you_mean(word, names) or known) for word in unknown))
        return tuple(row for row in self.rows if not only or row.label in only or row.dataset in only)


def table_names(folder: Path) -> list[str]:
    """The tables that there are."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def load_table(folder: Path, name: str) -> Table:
    """Read and check a table.

    Args:
        folder: Where table files lie.
        name: File name without `.yaml`.

    Raises:
        RequestError: If there is no such table, or anything in it is wrong; one line per mistake.
    """
    names = table_names(folder)
    if name not in names:
        raise RequestError(f"no table {name!r}" + (did_you_mean(name, names) or f": choose one of {', '.join(names)}"))
    path = folder / f"{name}.yaml"
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise RequestError(f"{path.name} is no YAML: {str(error).splitlines()[0]}") from error
    more = {"selection", "baselines"}
    if not isinstance(raw, dict) or set(raw) - more != {"title", "rows"} or not isinstance(raw["rows"], list):
        raise RequestError(f"{path.name}: expected a title, a list of rows, and at most a selection and baselines beside them")
    if not raw["rows"]:
        raise RequestError(f"{path.name}: it has no row")
    mistakes: list[str] = []
    rows: list[Row] = []
    for number, entry in enumerate(raw["rows"], start=1):
        try:
            row = _row(entry)
            if row.name in (other.name for other in rows):
                raise RequestError(f"{row.label}: stands in the table twice")
            rows.append(row)
        except RequestError as error:
            mistakes += [f"{path.name}, row {number}: {line}" for line in str(error).splitlines()]
    baselines = raw.get("baselines", [])
    models = {row.model for row in rows}
    if not isinstance(baselines, list) or not mistakes and any(model not in models for model in baselines):
        mistakes.append(f"{path.name}: baselines: expected a list of models of its rows: {', '.join(sorted(models))}")
    if mistakes:
        raise RequestError("\n".join(mistakes))
    texts = {key: " ".join(str(raw[key]).split()) for key in ("title", "selection") if key in raw}
    return Table(name, rows=tuple(rows), baselines=tuple(baselines), **texts)


def _row(entry: Any) -> Row:
    if not isinstance(entry, dict):
        raise RequestError("expected key: value")
    mistakes = [f"no {key!r}" for key in _NEEDED if key not in entry]
    mistakes += [f"unknown key {key!r}" + did_you_mean(str(key), _ROW) for key in entry if key not in _ROW]
    mistakes += [
        f"{key}: expected {kind.__name__}" for key, kind in _KINDS.items() if not isinstance(entry.get(key, kind()), kind)
    ]
    if not mistakes:
        mistakes += [f"overrides: {key} is a key of the row" for key in entry.get("overrides", {}) if key in _ROW]
        if not set(entry.get("variant", "")) <= _LETTERS:
            mistakes.append("variant: expected lower-case letters, digits and -, since it names files")
    if mistakes:
        raise RequestError("\n".join(mistakes))
    row = Row(**{key: value for key, value in entry.items() if key not in ("published", "further")})
    row.request()  # names and settings are those of a run
    metrics, further = DATASETS[row.dataset].protocols[row.task].metrics, entry.get("further", {})
    if not {row.metric, *further} <= set(metrics):  # then a figure that the model tells of itself; its class imports torch
        metrics += getattr(resolve_name(MODELS[row.task][row.model].target), "measures", ())
    for metric in (row.metric, *further):
        if metric not in metrics or metric in further and metric == row.metric:
            raise RequestError(f"{row.label}: metric {metric!r} is none of {', '.join(metrics)}, or stands there twice")
    row = replace(
        row,
        published=_published(row, row.metric, entry.get("published")),
        further={metric: _published(row, metric, figure) for metric, figure in further.items()},
        note=" ".join(row.note.split()),
    )
    figures = [one.published for one in row.by_metric() if one.published]
    if not row.comparable and not (figures and row.note):
        raise RequestError(f"{row.label}: comparable: false needs a published figure, and a note that says why")
    if row.tolerance is not None and (row.exact or row.tolerance < 0 or not row.note or any(p.test[1] for p in figures)):
        raise RequestError(
            f"{row.label}: a tolerance, at least 0, goes with figures without a standard deviation, without exact: true, and "
            "with a note that says why"
        )
    if row.last_epoch and not row.curve:
        raise RequestError(f"{row.label}: last_epoch needs curve: true, which holds the figures")
    if row.comparable and not row.exact and row.tolerance is None and any(p.test[1] is None for p in figures):
        raise RequestError(
            f"{row.label}: a figure without a standard deviation can only be judged as exact: true or with a tolerance"
        )
    return row


def _published(row: Row, metric: str, entry: Any) -> Published | None:
    """The figure as the row gives it, or as the recipe has it, so that it stands in one place."""
    if entry is None:
        return None
    if not isinstance(entry, dict) or set(entry) - set(_FIGURE) or not isinstance(entry.get("n"), int):
        raise RequestError(f"{row.label}: published takes from: recipe and n, or mean, std, n, source and valid")
    if "from" not in entry:
        mean, std, valid = entry.get("mean"), entry.get("std"), entry.get("valid")
        if not (
            isinstance(mean, float) and isinstance(std, float | None) and isinstance(valid, float | None) and "source" in entry
        ):
            raise RequestError(
                f"{row.label}: published takes mean, std (null: none) and valid as decimal numbers, and a source"
            )
        source = " ".join(str(entry["source"]).split())
        return Published((mean, std), None if valid is None else (valid, None), entry["n"], source)
    recipe = find_recipe(row.task, row.dataset, row.model)
    if entry["from"] != "recipe" or set(entry) != {"from", "n"} or recipe is None or recipe.paper is None:
        raise RequestError(f"{row.label}: published from: recipe takes n alone and a recipe {row.name} with a paper")
    figures = compose(row.request()).paper
    if figures is None:
        raise RequestError(
            f"{row.label}: published from: recipe, but the row has other settings than the recipe's figure is of"
        )
    if metric not in figures["test"]:
        raise RequestError(f"{row.label}: metric {metric}, but the recipe's figure is {', '.join(figures['test'])}")
    test, valid = figures["test"][metric], figures.get("valid", {}).get(metric)
    of_valid = (valid["mean"], valid["std"]) if valid else None
    return Published((test["mean"], test["std"]), of_valid, entry["n"], figures["source"])
