"""What `transform=` does to the data of a run: the graph of a seed is changed once, kept in the run folder, and read back."""

from __future__ import annotations

import inspect
import io
from dataclasses import replace
from pkgutil import resolve_name
from typing import Any

import numpy as np
import torch

from graphkit.conf.transforms import TRANSFORMS
from graphkit.data.dataset import Dataset, GraphData
from graphkit.errors import CheckpointError, RequestError
from graphkit.models.transforms.base import Changed
from graphkit.tasks.build import ModelSettings
from graphkit.tasks.make_model import MakeModel, arguments
from graphkit.tasks.operators import weighted_operator

_PARTS = ("edge_index", "edge_weight", "x")


def file_name(seed: int) -> str:
    """Where a run folder keeps the changed graph of a seed."""
    return f"transform/seed-{seed}.npz"


def change(settings: ModelSettings, dataset: Dataset, seed: int) -> Changed:
    """Change the graph of a data set.

    Args:
        settings: The settings `transform.*` of something that changes it.
        dataset: The data of a task that takes the transform.
        seed: Of whatever is drawn.

    Raises:
        RequestError: The graph lacks what is needed, or a setting does not fit.
    """
    entry = TRANSFORMS[settings.name]
    assert isinstance(dataset, GraphData)
    if entry.undirected and getattr(dataset, "directed", False):
        raise RequestError(
            f"transform={settings.name}: it is for undirected graphs, and data set {dataset.name!r} is directed; leave it out"
        )
    target = resolve_name(entry.target)
    try:
        transform = target(**_named(target, settings))
        made: Changed = transform(dataset.graph.x, weighted_operator(dataset.graph, torch.device("cpu")), seed)
    except ValueError as error:
        raise RequestError(f"transform={settings.name}: {error}") from error
    edges = made.edge_index
    if edges.size(1) == 0:
        raise RequestError(f"transform={settings.name}: data set {dataset.name!r} has no edge left; ask for more")
    order = (edges[0] * dataset.graph.num_nodes + edges[1]).argsort()
    weight = None if made.edge_weight is None else made.edge_weight[order]
    return replace(made, edge_index=edges[:, order].contiguous(), edge_weight=weight)


def changed(dataset: Dataset, made: Changed) -> Dataset:
    """The data set with the changed graph; which edges are true is not known of one.

    Args:
        dataset: The data set as it was loaded.
        made: What became of its graph.
    """
    assert isinstance(dataset, GraphData)
    graph = replace(dataset.graph, edge_index=made.edge_index, edge_weight=made.edge_weight, edge_truth=None)
    if made.x is None:
        return replace(dataset, graph=graph, notes=(*dataset.notes, made.told))
    others: dict[str, Any] = {"scaling": None} if hasattr(dataset, "scaling") else {}  # that of the features given
    return replace(dataset, graph=replace(graph, x=made.x), notes=(*dataset.notes, made.told), **others)


def around(settings: ModelSettings, make_model: MakeModel[Any], dataset: Dataset, device: torch.device) -> MakeModel[Any]:
    """What makes the models of a run whose transform also trains them otherwise.

    Args:
        settings: The settings `transform.*`.
        make_model: Makes the run's own models.
        dataset: The data set as it was loaded, with the whole graph.
        device: Where to compute.
    """
    entry = TRANSFORMS[settings.name]
    if not entry.around:
        return make_model
    assert isinstance(dataset, GraphData)
    target = resolve_name(entry.around)
    given = {**_named(target, settings), "dense": weighted_operator(dataset.graph, device)}
    return MakeModel(make_model.name, target, given, make_model)


def to_bytes(made: Changed) -> bytes:
    """The content of `file_name`."""
    parts = {name: getattr(made, name) for name in _PARTS}
    file = io.BytesIO()
    np.savez_compressed(
        file, told=np.array(made.told), **{name: part.numpy() for name, part in parts.items() if part is not None}
    )
    return file.getvalue()


def from_bytes(data: bytes, name: str) -> Changed:
    """What `to_bytes` was given.

    Args:
        data: The content.
        name: The file, for the message.

    Raises:
        CheckpointError: It is something else.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            parts = {part: torch.from_numpy(stored[part]) for part in _PARTS if part in stored}
            return Changed(told=str(stored["told"]), **parts)
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise CheckpointError(f"{name} was written by another version of graphkit: start the run again") from error


def _named(target: Any, settings: ModelSettings) -> dict[str, Any]:
    """The settings that a constructor names."""
    named = inspect.signature(target).parameters
    return {key: value for key, value in arguments(settings).items() if key in named}
