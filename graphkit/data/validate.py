"""Checks on whatever was loaded, before anything is built on it: parts of what the classes of `graphkit.data.dataset` check."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from graphkit.data.graph import Graph
from graphkit.data.graphs import Graphs
from graphkit.errors import DataError


def check_graph(dataset: str, graph: Graph, names: Sequence[str] = ()) -> None:
    """Refuse a graph that no model could use.

    Args:
        dataset: Name of the data set, for the message.
        graph: Its graph.
        names: The user's own names of the nodes, for the message; empty where there are none.

    Raises:
        DataError: If the graph is empty, a node id is out of range, a feature is not finite, or features or labels do not fit
            the nodes.
    """
    if not graph.num_nodes or graph.edge_index.size(1) == 0:
        raise _error(dataset, "its graph is empty: there must be at least one edge between two different nodes")
    _check_ids(dataset, "the graph", graph.edge_index, graph.num_nodes, "node")
    if graph.x is not None:
        _check_features(dataset, graph.x, graph.num_nodes, names)
    _check_truth(dataset, graph.edge_truth, graph.edge_index)
    if graph.y is not None and graph.y.size(0) != graph.num_nodes:
        raise _error(dataset, f"it has {graph.y.size(0)} labels for {graph.num_nodes} nodes")


def check_graphs(dataset: str, graphs: Graphs) -> None:
    """Refuse a collection of graphs that no model could use.

    Args:
        dataset: Name of the data set, for the message.
        graphs: Its graphs.

    Raises:
        DataError: If there is no graph, one has no node, an edge joins two graphs, a feature is not finite, or features or
            targets do not fit.
    """
    if graphs.num_graphs < 1 or int(graphs.sizes.min()) < 1:
        raise _error(dataset, "it has no graph, or one without a node: each graph needs a node")
    _check_ids(dataset, "its list of edges", graphs.edge_index, graphs.num_nodes, "node")
    graph = torch.searchsorted(graphs.ptr, graphs.edge_index, right=True)
    if bool((graph[0] != graph[1]).any()):
        raise _error(dataset, "an edge joins nodes of two graphs")
    if graphs.x is not None:
        _check_features(dataset, graphs.x, graphs.num_nodes, ())
    if graphs.edge_attr is not None and (
        graphs.edge_attr.size(0) != graphs.edge_index.size(1) or not bool(torch.isfinite(graphs.edge_attr).all())
    ):
        raise _error(dataset, "features of edges must be finite numbers, one row per edge")
    _check_truth(dataset, graphs.edge_truth, graphs.edge_index)
    if graphs.y.size(0) != graphs.num_graphs:
        raise _error(dataset, f"it has {graphs.y.size(0)} labels for {graphs.num_graphs} graphs")


def check_images(dataset: str, pixels: Tensor, y: Tensor, names: Sequence[str] = ()) -> None:
    """Refuse images that no model could use. Constant ones can be used, though nothing is to be seen on them.

    Args:
        dataset: Name of the data set, for the message.
        pixels: Images [N, C, H, W].
        y: Their targets.
        names: The user's own names of the images, for the message; empty where there are none.

    Raises:
        DataError: If there is none, they are neither gray nor RGB, too small, a pixel is no number from 0 to 1, or targets do
            not fit.
    """
    if pixels.dim() != 4 or pixels.size(0) == 0 or pixels.size(1) not in (1, 3) or min(pixels.shape[2:]) < 2:
        shape = "x".join(map(str, pixels.shape))
        raise _error(dataset, f"images [N, C, H, W] of 1 or 3 channels and at least 2x2 pixels are needed, found {shape}")
    low, high = pixels.flatten(1).aminmax(dim=1)  # NaN where any pixel is
    wrong = ~((low >= 0) & (high <= 1))
    if bool(wrong.any()):
        image = int(wrong.nonzero()[0])
        found = "NaN" if bool(low[image].isnan()) else f"{float(low[image]):g} to {float(high[image]):g}"
        raise _error(
            dataset, f"pixels of image {names[image] if names else image} are {found}; they must be numbers from 0 to 1"
        )
    if y.size(0) != pixels.size(0):
        raise _error(dataset, f"it has {y.size(0)} labels for {pixels.size(0)} images")


def check_part(dataset: str, split: str, ids: Tensor, count: int, what: str = "node") -> None:
    """Refuse a split that is empty or names what is not there.

    Args:
        dataset: Name of the data set, for the message.
        split: Name of the split.
        ids: What is in it, numbers from 0 on, of any shape.
        count: How many there are.
        what: What they number.

    Raises:
        DataError: If the split is empty or a number is out of range.
    """
    _check_ids(dataset, f"the {split} split", ids, count, what)
    if ids.numel() == 0:
        raise _error(dataset, f"the {split} split is empty")


def check_labels(dataset: str, labels: Tensor | None, train: Tensor, what: str = "node") -> None:
    """Refuse labels from which nothing can be learned.

    Args:
        dataset: Name of the data set, for the message.
        labels: Class of each node or graph [N].
        train: Ids of those for training.
        what: What has the labels.

    Raises:
        DataError: If there are no labels, or those of the training nodes are of a single class.
    """
    if labels is None:
        raise _error(dataset, "it has no labels, which task=node needs")
    if torch.unique(labels[train]).numel() < 2:
        raise _error(dataset, f"all training labels are of one class; label {what}s of at least two classes")


def _check_ids(dataset: str, where: str, ids: Tensor, count: int, what: str) -> None:
    if ids.numel() == 0:
        return
    low, high = (int(bound) for bound in torch.aminmax(ids))
    if low < 0 or high >= count:
        raise _error(dataset, f"{where} names {what} {low if low < 0 else high}, but {what} ids go from 0 to {count - 1}")


def _check_truth(dataset: str, truth: Tensor | None, edge_index: Tensor) -> None:
    if truth is not None and (truth.dtype != torch.bool or tuple(truth.shape) != (edge_index.size(1),)):
        raise _error(dataset, f"what is known of its edges must be true or false for each of {edge_index.size(1)} edges")


def _check_features(dataset: str, x: Tensor, num_nodes: int, names: Sequence[str]) -> None:
    if x.dim() != 2 or x.size(0) != num_nodes:
        raise _error(dataset, f"features are of shape {tuple(x.shape)} for {num_nodes} nodes; one row per node is needed")
    finite = torch.isfinite(x)
    if not finite.all():
        row, column = (int(index) for index in (~finite).nonzero()[0])
        name = names[row] if names else row
        raise _error(dataset, f"feature {column} of node {name} is {float(x[row, column])}; features must be finite numbers")


def _error(dataset: str, message: str) -> DataError:
    return DataError(f"data set {dataset!r} cannot be used: {message}")
