"""From names and settings to live objects: the one place where a settings dataclass becomes plain arguments."""

from __future__ import annotations

import dataclasses
import functools
import importlib
from collections.abc import Mapping
from typing import Any

import torch

from graphkit.conf.catalog import TASKS
from graphkit.conf.schema import Train
from graphkit.data.dataset import Dataset
from graphkit.tasks.memory import require_memory_for
from graphkit.training.protocol import Task


def resolve(target: str) -> Any:
    """Import what a catalog target names.

    Args:
        target: `module:name`, as in `graphkit.conf.catalog`.

    Returns:
        The object of that name.
    """
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def arguments(settings: Any) -> dict[str, Any]:
    """A model's settings as keyword arguments: every field but `name`.

    Args:
        settings: A settings dataclass of `graphkit.conf.schema`, or a mapping of the same keys.

    Returns:
        A new dictionary.

    Raises:
        TypeError: If `settings` is neither.
    """
    if dataclasses.is_dataclass(settings) and not isinstance(settings, type):
        values = {field.name: getattr(settings, field.name) for field in dataclasses.fields(settings)}
    elif isinstance(settings, Mapping):
        values = {str(key): value for key, value in settings.items()}
    else:
        raise TypeError(f"settings must be a dataclass instance or a mapping, got {type(settings).__name__}")
    values.pop("name", None)
    return values


def construct(target: str, settings: Any, **dims: Any) -> Any:
    """Call a catalog target with its settings as plain arguments.

    Args:
        target: `module:class`.
        settings: A settings dataclass, or the equivalent mapping.
        **dims: What the data decides: `in_channels`, `out_channels`, `num_nodes`, ...

    Returns:
        The new object.

    Raises:
        RequestError: If its parameters would not fit in memory.
    """
    build = functools.partial(resolve(target), **dims, **arguments(settings))
    require_memory_for(build)
    return build()


def build_task(
    name: str, dataset: Dataset, task_settings: Any, model_settings: Any, train_settings: Train, device: torch.device
) -> Task:
    """Build the named task on a data set.

    Args:
        name: A key of `graphkit.conf.catalog.TASKS`.
        dataset: What `graphkit.data.load` returned for this task and seed.
        task_settings: The task's settings dataclass.
        model_settings: The model's settings dataclass; its `name` selects the model.
        train_settings: The training loop's settings.
        device: Where to compute.

    Returns:
        A task, ready to build, train and evaluate models.

    Raises:
        RequestError: If the data set cannot be used for the task.
    """
    task: Task = resolve(TASKS[name].target)(dataset, task_settings, model_settings, train_settings, device)
    return task
