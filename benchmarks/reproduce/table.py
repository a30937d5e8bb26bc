"""A table file, `benchmarks/tables/NAME.yaml`: which runs stand in the table, and the published figure of each.

Reading one checks every row as the command line of `graphkit.run` would be checked, without torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from graphkit.conf.arguments import Assignment
from graphkit.conf.compose import compose
from graphkit.conf.nearest import did_you_mean
from graphkit.conf.recipes import find_recipe
from graphkit.conf.request import Request, check
from graphkit.data.catalog import DATASETS
from graphkit.errors import RequestError

_ROW = ("task", "dataset", "model", "seeds", "metric", "overrides", "published", "exact", "comparable", "note")
_NEEDED = ("task", "dataset", "model", "seeds", "metric")
_KINDS = {"overrides": dict, "exact": bool, "comparable": bool, "note": str, "metric": str}
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
        exact: The result is deterministic: all published digits must be equal.
        comparable: Whether the published figure comes from the same protocol; if not, it is shown but not judged.
        note: Shown beside the row.
    """

    task: str
    dataset: str
    model: str
    seeds: int
    metric: str
    overrides: dict[str, Any] = field(default_factory=dict)
    published: Published | None = None
    exact: bool = False
    comparable: bool = True
    note: str = ""

    @property
    def name(self) -> str:
        """`<task>-<dataset>-<model>`, which names its files."""
        return f"{self.task}-{self.dataset}-{self.model}"

    @property
    def label(self) -> str:
        """`<dataset>/<model>`, as `--only` takes it."""
        return f"{self.dataset}/{self.model}"

    def request(self, extra: Sequence[Assignment] = ()) -> Request:
        """The row as a checked request; `extra` settings win over the row's.

        Raises:
            RequestError: If a setting is wrong; one line a mistake.
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
    """A table file's content."""

    name: str
    title: str
    rows: tuple[Row, ...]

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
        RequestError: If there is no such table, or anything in it is wrong; one line a mistake.
    """
    names = table_names(folder)
    if name not in names:
        raise RequestError(f"no table {name!r}" + (did_you_mean(name, names) or f": choose one of {', '.join(names)}"))
    path = folder / f"{name}.yaml"
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise RequestError(f"{path.name} is no YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(raw, dict) or set(raw) != {"title", "rows"} or not isinstance(raw["rows"], list) or not raw["rows"]:
        raise RequestError(f"{path.name}: expected a title and a list of rows")
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
    if mistakes:
        raise RequestError("\n".join(mistakes))
    return Table(name, str(raw["title"]), tuple(rows))


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
    if mistakes:
        raise RequestError("\n".join(mistakes))
    row = Row(**{key: value for key, value in entry.items() if key != "published"})
    row.request()  # names and settings are those of a run
    metrics = DATASETS[row.dataset].protocols[row.task].metrics
    if row.metric not in metrics:
        raise RequestError(f"{row.label}: metric {row.metric!r} is none of {', '.join(metrics)}")
    row = replace(row, published=_published(row, entry.get("published")), note=" ".join(row.note.split()))
    if not row.comparable and not (row.published and row.note):
        raise RequestError(f"{row.label}: comparable: false needs a published figure, and a note that says why")
    if row.published and row.comparable and not row.exact and row.published.test[1] is None:
        raise RequestError(f"{row.label}: a figure without a standard deviation can only be judged as exact: true")
    return row


def _published(row: Row, entry: Any) -> Published | None:
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
    paper = recipe.paper
    if paper["metric"] != row.metric:
        raise RequestError(f"{row.label}: metric {row.metric}, but the recipe's figure is {paper['metric']}")
    of_valid = (paper["valid"][0], paper["valid"][1]) if "valid" in paper else None
    return Published((paper["test"][0], paper["test"][1]), of_valid, entry["n"], paper["source"])
