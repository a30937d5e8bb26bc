"""Recipes: tuned settings with the paper's figures, in `recipes/<task>/<model>/<dataset>.yaml` or a file of the user."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml

from graphkit.conf.arguments import flatten
from graphkit.errors import RequestError, shown

SETTINGS = ("task", "model", "train", "precision")

_FOLDER = files("graphkit.conf") / "recipes"


@dataclass(frozen=True)
class Recipe:
    """A recipe.

    Attributes:
        name: `<task>-<dataset>-<model>`, or the file of the user.
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


def read_recipe(path: Path) -> Recipe:
    """The recipe in a file of the user; its settings are not checked yet.

    Args:
        path: A YAML file with sections as those of `recipes/` have them.

    Raises:
        RequestError: If there is no such file, or it holds something else.
    """
    said = f"recipe={shown(str(path))}"
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RequestError(f"{said}: cannot be read ({error.strerror}), name a file *.yaml") from error
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise RequestError(f"{said}: it is no YAML, name a file as a sweep writes it") from error
    if not isinstance(raw, dict) or (others := sorted(str(key) for key in raw if key not in SETTINGS)):
        holds = f"it holds {shown(others[0])}" if isinstance(raw, dict) else "it holds no settings"
        raise RequestError(f"{said}: {holds}, expected the sections {', '.join(SETTINGS)}")
    return Recipe(str(path), raw)


def recipe_text(values: dict[str, Any], comment: str) -> str:
    """A recipe's file, which `recipe=FILE` reads.

    Args:
        values: Settings of the sections of a recipe, by dotted key.
        comment: A line that says where they are from.
    """
    sections: dict[str, Any] = {}
    for key, value in values.items():
        section, _, leaf = key.rpartition(".")
        sections.setdefault(section, {})[leaf] = value
    plain = sections.pop("", {})
    ordered = {name: sections[name] for name in SETTINGS if name in sections}
    return f"# {comment}\n{yaml.safe_dump({**ordered, **plain}, sort_keys=False, allow_unicode=True)}"


def _files() -> Iterator[tuple[Traversable, Traversable, Traversable]]:
    """Folder of the task, folder of the model, and file of each recipe."""
    for task in _FOLDER.iterdir():
        for model in task.iterdir():
            yield from ((task, model, file) for file in model.iterdir())
