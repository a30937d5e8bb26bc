"""Every model of the catalog exists, takes exactly its settings, and is tested."""

from __future__ import annotations

import ast
import dataclasses
import inspect
from pathlib import Path

import pytest
from torch import nn

from graphkit.conf.catalog import MODELS, TASKS
from graphkit.conf.entries import ModelEntry
from graphkit.tasks.build import resolve

ENTRIES = [
    pytest.param(task, name, entry, id=f"{task}-{name}") for task, models in MODELS.items() for name, entry in models.items()
]
DIMENSIONS = {"in_channels", "out_channels", "num_nodes", "num_users", "num_items"}
"""What a model learns from the data set rather than from its settings."""


def test_every_task_has_models_and_its_default_is_one_of_them() -> None:
    assert MODELS.keys() == TASKS.keys()
    assert all(TASKS[task].default_model in models for task, models in MODELS.items())
    assert len(ENTRIES) >= 8


@pytest.mark.parametrize(("task", "name", "entry"), ENTRIES)
def test_settings_are_the_keyword_arguments_of_the_model(task: str, name: str, entry: ModelEntry) -> None:
    model = resolve(entry.target)
    assert issubclass(model, nn.Module)
    fields = {field.name: field.default for field in dataclasses.fields(entry.settings)}
    assert fields.pop("name") == name
    parameters = dict(inspect.signature(model).parameters)
    assert all(p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) for p in parameters.values())
    assert parameters.keys() - DIMENSIONS == fields.keys()
    defaults = {key: p.default for key, p in parameters.items() if key in fields and p.default is not p.empty}
    assert defaults == {key: fields[key] for key in defaults}, "the two defaults of a setting differ"


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
