"""Recipes: tuned settings with the paper's figures, in `recipes/<task>/<model>/<dataset>.yaml`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import yaml

from graphkit.conf.arguments import flatten

SETTINGS = ("task", "model", "train", "precision")

_FOLDER = files("graphkit.conf") / "recipes"


@dataclass(frozen=True)
class Recipe:
    """A recipe.

    Attributes:
        name: `<task>-<dataset>-<model>`.
        sections: Settings by section: `task`, `model`, `train`; `precision` stands alone.
        paper: `{"metric", "valid": [mean, std], "test": [mean, std], "source"}`, or None; with `further: {metric: [mean, std]}`
            where the paper gives other metrics of the test split, too, and `with: {key: value}` where the figures are of
            settings that a run takes only when they are asked for.
    """

    name: str
    sections: dict[str, Any]
    paper: dict[str, Any] | None = None

    @property
    def values(self) -> dict[str, Any]:
        """The settings by dotted key."""
        return {assignment.key: assignment.value for assignment in flatten(self.sections)}

    @property
    def conditions(self) -> dict[str, Any]:
        """By dotted key, what must be asked for beside the recipe to run what the figures are of."""
        return dict((self.paper or {}).get("with", {}))

    def figures(self) -> dict[str, Any] | None:
        """The paper's figures as `graphkit.training.result.RunResult.paper` wants them."""
        if self.paper is None:
            return None
        figures: dict[str, Any] = {"source": self.paper["source"]}
        for split in ("valid", "test"):
            if split in self.paper:
                mean, std = self.paper[split]
                figures[split] = {self.paper["metric"]: {"mean": mean, "std": std}}
        for metric, (mean, std) in self.paper.get("further", {}).items():
            figures["test"][metric] = {"mean": mean, "std": std}
        return figures


def all_recipes() -> list[tuple[str, str, str]]:
    """Task, data set and model of every recipe."""
    return sorted((task.name, file.name.removesuffix(".yaml"), model.name) for task, model, file in _files())


def recipe_names() -> list[str]:
    """All recipes, as `<task>-<dataset>-<model>`."""
    return sorted(map("-".join, all_recipes()))


def find_recipe(task: str, dataset: str, model: str) -> Recipe | None:
    """The recipe of a task's model on a data set, None where there is none.

    Args:
        task: A task's name.
        dataset: A data set's name.
        model: A model's name.
    """
    file = _FOLDER / task / model / f"{dataset}.yaml"
    if not file.is_file():
        return None
    raw = yaml.safe_load(file.read_text(encoding="utf-8"))
    sections = {section: raw[section] for section in SETTINGS if section in raw}
    return Recipe(f"{task}-{dataset}-{model}", sections, raw.get("paper"))


def _files() -> Iterator[tuple[Traversable, Traversable, Traversable]]:
    """Folder of the task, folder of the model, and file of each recipe."""
    for task in _FOLDER.iterdir():
        for model in task.iterdir():
            yield from ((task, model, file) for file in model.iterdir())
