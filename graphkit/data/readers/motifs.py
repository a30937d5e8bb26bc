"""Graphs with planted motifs, of which it is known which edges are part of one: pickled arrays in one archive."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from graphkit.data.graph import Graph
from graphkit.data.readers.pickles import unpickled
from graphkit.data.readers.rows import damaged
from graphkit.data.sources import DataRequest, GraphSource

_MEMBERS = {"ba-shapes": "syn1.pkl", "ba-community": "syn2.pkl", "tree-cycles": "syn3.pkl", "tree-grid": "syn4.pkl"}
_HOUSE = ("base", "middle", "bottom", "top")
_CLASSES = {
    "ba-shapes": _HOUSE,
    "ba-community": tuple(f"{part} {community}" for community in (1, 2) for part in _HOUSE),
    "tree-cycles": ("tree", "cycle"),
    "tree-grid": ("tree", "grid"),
}


def read(request: DataRequest) -> GraphSource:
    """A graph with planted motifs, and its published split.

    Args:
        request: What was asked for.

    Raises:
        DataError: If the file is damaged.
    """
    name = request.entry.name
    graph, splits = read_motifs(request.first_file(), _MEMBERS[name])
    return GraphSource(graph, nodes=splits, class_names=_CLASSES[name])


def read_motifs(path: Path, member: str) -> tuple[Graph, dict[str, Tensor]]:
    """Read a graph with planted motifs.

    Args:
        path: The archive.
        member: The pickle in it: a tuple of the adjacency matrix [N, N], features [N, F], one-hot classes of the training, the
            validation and the test nodes [N, C], a mask [N] of each of these, and a matrix [N, N] of the motifs' edges, each in
            one direction.

    Returns:
        The graph with `x`, `y` and `edge_truth`, true in both directions, and node ids of `train`, `valid` and `test`.

    Raises:
        DataError: If the file is damaged or its arrays do not fit each other.

    Source:
        The graphs of "GNNExplainer", NeurIPS 2019, as "Parameterized Explainer for Graph Neural Network", NeurIPS 2020,
        publishes them.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = unpickled(archive.read(member))
        return _graph([np.asarray(array) for array in arrays])
    except Exception as error:  # a damaged pickle raises whatever its bytes happen to ask for
        raise damaged(path, error) from error


def _graph(arrays: list[np.ndarray]) -> tuple[Graph, dict[str, Tensor]]:
    """The graph of the nine arrays; ValueError where they do not fit each other."""
    adjacency, x, *classes, train, valid, test, motifs = arrays
    num_nodes = len(x)
    masks = np.stack([train, valid, test])
    one_hot = np.sum(classes, axis=0)
    square = adjacency.shape == motifs.shape == (num_nodes, num_nodes)
    if not square or (adjacency != adjacency.T).any() or adjacency.diagonal().any() or (motifs > adjacency).any():
        raise ValueError("a symmetric matrix without a diagonal was expected, and motifs in it")
    if masks.shape != (3, num_nodes) or (masks.sum(axis=0) > 1).any() or not np.isin(one_hot, (0, 1)).all():
        raise ValueError("a class and at most one split per node were expected")
    if len(one_hot) != num_nodes or (one_hot.sum(axis=1) != 1).any():
        raise ValueError("a class and at most one split per node were expected")
    source, target = adjacency.nonzero()
    graph = Graph(
        edge_index=torch.from_numpy(np.stack([source, target])),
        num_nodes=num_nodes,
        x=torch.from_numpy(x.astype(np.float32)),
        y=torch.from_numpy(one_hot.argmax(axis=1)),
        edge_truth=torch.from_numpy((motifs + motifs.T)[source, target] > 0),
    )
    splits = dict(zip(("train", "valid", "test"), (torch.from_numpy(mask.nonzero()[0]) for mask in masks), strict=True))
    return graph, splits
