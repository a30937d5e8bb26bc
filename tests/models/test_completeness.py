"""Every model of the catalog exists, takes exactly its settings, and is tested."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import typing
from collections.abc import Callable
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pytest

from graphkit.conf.catalog import MODELS, TASKS
from graphkit.conf.entries import ModelEntry
from graphkit.layers.sheaf.diffusion import SheafDiffusionOptions
from graphkit.models.graph.base import GraphModel
from graphkit.models.image.base import ImageModel
from graphkit.models.link.base import LinkModel
from graphkit.models.node.base import NodeModel
from graphkit.models.node.sheaf import SheafNetworkOptions
from graphkit.models.recommend.base import Recommender
from tests.models.groups import OWNERS, declared_groups, parameters

ENTRIES = [
    pytest.param(task, name, entry, id=f"{task}-{name}") for task, models in MODELS.items() for name, entry in models.items()
]
BASES = {"graph": GraphModel, "image": ImageModel, "link": LinkModel, "node": NodeModel, "recommend": Recommender}
"""What the models of a task fulfill."""
DIMENSIONS = {
    "in_channels",
    "out_channels",
    "num_nodes",
    "num_users",
    "num_items",
    "edge_channels",
    "max_degree",
    "graphs",
    "size",
    "class_counts",
}
"""What a model learns from the data set rather than from its settings."""
FACTORIES = {"make_layer", "make_score", "backbone"}
"""What one model gives another that it is built upon."""


def test_every_task_has_models_and_its_default_is_one_of_them() -> None:
    assert MODELS.keys() == TASKS.keys()
    assert all(TASKS[task].default_model in models for task, models in MODELS.items())
    assert len(ENTRIES) >= 8


@pytest.mark.parametrize(("task", "name", "entry"), ENTRIES)
def test_settings_are_the_keyword_arguments_of_the_model(task: str, name: str, entry: ModelEntry) -> None:
    model = resolve_name(entry.target)
    assert issubclass(model, BASES[task])
    fields = {field.name: field.default for field in dataclasses.fields(entry.settings)}
    assert fields.pop("name") == name
    if (backbone := fields.pop("backbone", None)) is not None:  # whose settings are tested with its own row
        inner = {field.name for field in dataclasses.fields(MODELS[task][backbone].settings)}
        fields = {key: default for key, default in fields.items() if key not in inner}
    taken = parameters(model)
    assert taken.keys() - DIMENSIONS - FACTORIES == fields.keys()
    kinds = {key: taken[key].kind for key in fields}
    assert kinds == dict.fromkeys(fields, inspect.Parameter.KEYWORD_ONLY), "a setting is given by its keyword"
    assert {key: taken[key].default for key in fields} == fields, "the two defaults of a setting differ"
    hints = typing.get_type_hints(entry.settings)
    assert {key: taken[key].annotation for key in fields} == {key: hints[key] for key in fields}, "two types differ"


def test_every_group_of_options_has_an_owner() -> None:
    assert declared_groups() == OWNERS.keys()


@pytest.mark.parametrize(("group", "owner"), OWNERS.items(), ids=lambda value: value.__name__)
def test_a_group_says_what_its_owner_takes(group: Any, owner: Callable[..., Any]) -> None:
    """The same types, and a default for each: whoever passes the group on may leave any of them out."""
    taken = parameters(owner)
    assert typing.get_type_hints(group) == {key: taken[key].annotation for key in typing.get_type_hints(group)}
    assert not group.__required_keys__
    assert all(taken[key].default is not inspect.Parameter.empty for key in typing.get_type_hints(group))


def test_the_largest_group_misses_nothing_of_its_owner() -> None:
    """`PolyNSD` and `PolynomialSheafDiffusion` take whatever their base takes."""
    for group in (SheafDiffusionOptions, SheafNetworkOptions):
        keywords = {key for key, p in parameters(OWNERS[group]).items() if p.kind is p.KEYWORD_ONLY} - FACTORIES
        assert typing.get_type_hints(group).keys() == keywords


@pytest.mark.parametrize(("task", "name", "entry"), ENTRIES)
def test_a_test_file_of_its_own_imports_the_model(task: str, name: str, entry: ModelEntry) -> None:
    module, _, cls = entry.target.partition(":")
    *rooms, file = module.removeprefix("graphkit.models.").split(".")
    test_file = Path(__file__).parent.joinpath(*rooms, f"test_{file}.py")
    assert test_file.exists(), f"{cls} has no {test_file.name}"
    imports = [
        node for node in ast.parse(test_file.read_text()).body if isinstance(node, ast.ImportFrom) and node.module == module
    ]
    assert cls in {alias.name for node in imports for alias in node.names}, f"{test_file.name} does not import {cls}"
