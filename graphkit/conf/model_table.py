"""Tables of the catalog in Markdown, for docs/ and README; `python -m graphkit.conf.model_table` updates README. No torch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from graphkit.conf.catalog import MODELS
from graphkit.conf.entries import ModelEntry
from graphkit.conf.recipe import all_recipes

BEGIN, END = "<!-- models -->\n", "<!-- end of models -->\n"


class _Protocol(Protocol):
    @property
    def metric(self) -> str: ...


class DatasetRow(Protocol):
    """What the table shows of a data set; `graphkit.data.catalog.DatasetEntry` is one."""

    @property
    def summary(self) -> str:
        """What it holds."""

    @property
    def protocols(self) -> Mapping[str, _Protocol]:
        """By task: how it is judged."""

    @property
    def url(self) -> str:
        """The publisher's page."""

    @property
    def embedded(self) -> bool:
        """Whether it needs no file and no download."""


def model_table() -> str:
    """All models as a Markdown table, a row per task, each with a link to its paper."""
    lists = {task: ", ".join(_linked(name, entry) for name, entry in models.items()) for task, models in MODELS.items()}
    return _table(("`task=`", "`model=`, with its paper"), lists.items())


def models_of(task: str) -> str:
    """The models of a task as a Markdown table, a row per model: what it is, its paper, the data sets that have a recipe.

    Args:
        task: A key of `MODELS`.
    """
    recipes = all_recipes()
    rows = []
    for name, entry in MODELS[task].items():
        tuned = [dataset for of_task, dataset, model in recipes if (of_task, model) == (task, name)]
        paper = f"{entry.paper.title}, {entry.paper.venue}" if entry.paper else ""
        cited = f"[{paper}]({entry.paper.url})" if entry.paper and entry.paper.url else paper
        rows.append((f"`{name}`", entry.summary, cited, ", ".join(tuned)))
    return _table(("`model=`", "what it is", "paper", "recipes"), rows)


def dataset_table(datasets: Mapping[str, DatasetRow]) -> str:
    """Data sets as a Markdown table, a row per data set: what it holds, and by what metric each task judges it.

    Args:
        datasets: The data sets by name.
    """
    rows = [
        (
            f"[`{name}`]({entry.url})" if entry.url else f"`{name}`",
            entry.summary + ("; no download" if entry.embedded else ""),
            ", ".join(f"{task} ({protocol.metric})" for task, protocol in entry.protocols.items()),
        )
        for name, entry in datasets.items()
    ]
    return _table(("`dataset=`", "what it holds", "tasks, each with its metric"), rows)


def with_table(text: str) -> str:
    """A page with the table between its two markers brought up to date.

    Args:
        text: The page.

    Raises:
        ValueError: It has not exactly one pair of markers.
    """
    fresh, count = re.subn(f"{BEGIN}.*?{END}", lambda _: f"{BEGIN}{model_table()}{END}", text, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"the page has {count} places between {BEGIN.strip()} and {END.strip()}, and should have one")
    return fresh


def _linked(name: str, entry: ModelEntry) -> str:
    return f"[{name}]({entry.paper.url})" if entry.paper and entry.paper.url else name


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    head, *body = (f"| {' | '.join(cells)} |\n" for cells in (header, *rows))
    return "".join([head, f"|{'---|' * len(header)}\n", *body])


if __name__ == "__main__":
    page = Path("README.md")
    page.write_text(with_table(page.read_text(encoding="utf-8")), encoding="utf-8")
