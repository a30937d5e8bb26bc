"""From names and settings to live objects: the one place where a row of the catalog becomes a task and its models."""

from __future__ import annotations

from collections.abc import Callable
from pkgutil import resolve_name
from typing import Any, Protocol

import torch

from graphkit.conf.catalog import MODELS, TASKS
from graphkit.conf.schema import Train
from graphkit.data.dataset import Dataset
from graphkit.tasks.make_model import MakeModel, arguments
from graphkit.training.protocol import AnyTask


class ModelSettings(Protocol):
    """A settings dataclass of a model or of what changes the graph; its name selects it."""

    name: str


def model_maker(task: str, settings: ModelSettings) -> MakeModel[Any]:
    """What makes the models of these settings.

    Args:
        task: A key of `graphkit.conf.catalog.MODELS`.
        settings: The model's settings dataclass.

    Returns:
        It imports the model's class now, and makes models when called.
    """
    entry, values = MODELS[task][settings.name], arguments(settings)
    backbone = None
    if entry.backbones:
        row = MODELS[task][values.pop("backbone")]
        inner = {key: values.pop(key) for key in arguments(row.settings())}
        backbone = MakeModel(settings.name, resolve_name(row.target), inner)
    return MakeModel(settings.name, resolve_name(entry.target), values, backbone)


def build_task(
    name: str,
    dataset: Dataset,
    task_settings: object,
    model_settings: ModelSettings,
    train_settings: Train,
    device: torch.device,
    around: Callable[[MakeModel[Any]], MakeModel[Any]] = lambda make_model: make_model,
) -> AnyTask:
    """Build the named task on a data set.

    Args:
        name: A key of `graphkit.conf.catalog.TASKS`.
        dataset: What `graphkit.data.load` returned for this task and seed.
        task_settings: The task's settings dataclass.
        model_settings: The model's settings dataclass; its `name` selects the model.
        train_settings: The training loop's settings.
        device: Where to compute.
        around: From what makes the models to what makes those that are trained, see `graphkit.tasks.transform.around`.

    Returns:
        A task, ready to build, train and evaluate models.

    Raises:
        RequestError: If the data set cannot be used for the task.
    """
    make_model = around(model_maker(name, model_settings))
    task: AnyTask = resolve_name(TASKS[name].target)(dataset, task_settings, make_model, train_settings, device)
    return task
