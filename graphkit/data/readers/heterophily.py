"""Graphs with ten published node splits in one archive: the heterophilous benchmarks and their relatives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from graphkit.data.graph import Graph
from graphkit.data.readers.npz import read_arrays
from graphkit.data.readers.rows import damaged
from graphkit.data.sources import DataRequest, GraphSource
from graphkit.data.splits.edges import message_graph

_MASKS = ("train_masks", "val_masks", "test_masks")


def read(request: DataRequest) -> GraphSource:
    """A graph and the split of a seed.

    Args:
        request: What was asked for.

    Raises:
        DataError: If the file is damaged.
    """
    graph, split = read_heterophilous(request.first_file(), request.published_split, directed=request.entry.directed)
    return GraphSource(graph, nodes=split)


def read_heterophilous(path: Path, split: int, *, directed: bool) -> tuple[Graph, dict[str, Tensor]]:
    """Read a graph and one of its splits.

    A class of which no node is in any split is no class of the task: its nodes are unlabeled, -1, and the other classes are
    numbered without it. That concerns one node of `texas_4_classes`.

    Args:
        path: The archive with `node_features`, `node_labels`, `edges` and the masks of the splits.
        split: Number of the split, from 0.
        directed: Whether edges keep their direction, and self-loops stay as published; else the graph is made symmetric and
            has none.

    Returns:
        The graph with `x` and `y`, and node ids of `train`, `valid` and `test`.

    Raises:
        DataError: If the file is damaged or its arrays do not fit each other.

    Source:
        "A Critical Look at the Evaluation of GNNs under Heterophily", ICLR 2023.
    """
    x, y, edges, *parts = read_arrays(path, ("node_features", "node_labels", "edges", *_MASKS))
    num_nodes = len(y)
    fitting = len(x) == num_nodes and edges.ndim == 2 and edges.shape[1] == 2
    if not fitting or any(part.ndim != 2 or part.shape[1] != num_nodes or split >= len(part) for part in parts):
        raise damaged(path, ValueError("features, labels, edges and masks of as many nodes were expected"))
    if edges.size and (edges.min() < 0 or edges.max() >= num_nodes):
        raise damaged(path, ValueError(f"edges between nodes 0 to {num_nodes - 1} were expected"))
    edge_index = torch.from_numpy(edges.astype(np.int64)).T
    data = Graph(
        x=torch.from_numpy(x.astype(np.float32)),
        edge_index=message_graph(edge_index, num_nodes, directed=directed),
        y=torch.from_numpy(_classes(y, np.logical_or.reduce(np.concatenate(parts), axis=0))),
        num_nodes=num_nodes,
    )
    names = ("train", "valid", "test")
    return data, {name: torch.from_numpy(part[split]).nonzero().view(-1) for name, part in zip(names, parts, strict=True)}


def _classes(labels: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Classes of the nodes, numbered without those that no used node has; -1 for the nodes of these."""
    kept = np.unique(labels[used])
    return np.where(np.isin(labels, kept), np.searchsorted(kept, labels), -1).astype(np.int64)
