"""Checks on whatever was loaded, before anything is built on it."""

from __future__ import annotations

import torch
from torch import Tensor

from graphkit.data.dataset import Dataset, Pairs
from graphkit.errors import DataError


def check_dataset(dataset: Dataset) -> None:
    """Refuse what no model could use.

    Args:
        dataset: What was loaded, from whichever source.

    Raises:
        DataError: If the graph is empty, a node id is out of range, a feature is not finite, the features or labels do not fit
            the nodes, the training labels are of a single class, or a split is empty.
    """
    data = dataset.graph
    num_nodes = data.num_nodes
    if not num_nodes or data.edge_index.size(1) == 0:
        raise _error(dataset, "its graph is empty: there must be at least one edge between two different nodes")
    _check_ids(dataset, "the graph", data.edge_index)
    if data.x is not None:
        _check_features(dataset, data.x, num_nodes)
    if data.y is not None and data.y.size(0) != num_nodes:
        raise _error(dataset, f"it has {data.y.size(0)} labels for {num_nodes} nodes")
    for name, part in dataset.splits.items():
        tensors = [part.positive, part.negative] if isinstance(part, Pairs) else [part]
        for tensor in tensors:
            if tensor is not None:
                _check_ids(dataset, f"the {name} split", tensor)
            if tensor is not None and tensor.numel() == 0:
                raise _error(dataset, f"the {name} split is empty")
    if dataset.task == "node":
        _check_labels(dataset)


def _check_ids(dataset: Dataset, where: str, ids: Tensor) -> None:
    if ids.numel() == 0:
        return
    low, high = (int(bound) for bound in torch.aminmax(ids))
    if low < 0 or high >= dataset.graph.num_nodes:
        wrong = low if low < 0 else high
        raise _error(dataset, f"{where} names node {wrong}, but node ids go from 0 to {dataset.graph.num_nodes - 1}")


def _check_features(dataset: Dataset, x: Tensor, num_nodes: int) -> None:
    if x.dim() != 2 or x.size(0) != num_nodes:
        raise _error(dataset, f"features are of shape {tuple(x.shape)} for {num_nodes} nodes; one row a node is needed")
    finite = torch.isfinite(x)
    if not finite.all():
        row, column = (int(index) for index in (~finite).nonzero()[0])
        name = dataset.node_names[row] if dataset.node_names else row
        raise _error(dataset, f"feature {column} of node {name} is {float(x[row, column])}; features must be finite numbers")


def _check_labels(dataset: Dataset) -> None:
    if dataset.graph.y is None:
        raise _error(dataset, "it has no labels, which task=node needs")
    train = dataset.splits["train"]
    if isinstance(train, Pairs):
        raise _error(dataset, "task=node needs node splits, not pairs")
    classes = torch.unique(dataset.graph.y[train])
    if classes.numel() < 2:
        raise _error(dataset, "all training labels are of one class; label nodes of at least two classes")


def _error(dataset: Dataset, message: str) -> DataError:
    return DataError(f"data set {dataset.name!r} cannot be used: {message}")
