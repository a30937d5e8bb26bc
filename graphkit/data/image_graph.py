"""Images as nodes: each tied to those whose embeddings are nearest, so that node tasks run on images unchanged."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphkit.data.dataset import NodeData
from graphkit.data.graph import Graph
from graphkit.data.image_set import ImageSet
from graphkit.data.sources import DataRequest, GraphSource, ImagesSource
from graphkit.data.splits.edges import both_directions, undirected_pairs
from graphkit.errors import RequestError

NEIGHBORS = 10
"""Ties that each image asks for."""
INDUCTIVE = (
    "Training, validation and test images are three graphs that no edge joins: a training image never hears of an image that "
    "is held out, and predictions need no training image."
)
TRANSDUCTIVE = "One graph spans all images: messages pass between training images and held-out ones, whose labels stay hidden."


def read_transductive(request: DataRequest) -> GraphSource:
    """The pixels of images as a graph over all of them.

    Args:
        request: What was asked for; the reader of its data set gives the images.
    """
    return _source(request, inductive=False)


def read_inductive(request: DataRequest) -> GraphSource:
    """The pixels of images as a graph in which the splits are apart.

    Args:
        request: What was asked for; the reader of its data set gives the images.
    """
    return _source(request, inductive=True)


def _source(request: DataRequest, *, inductive: bool) -> GraphSource:
    images: ImagesSource = resolve_name(request.entry.reader)(request)
    pixels = images.pixels.flatten(1)
    assert images.splits is not None  # data sets that are offered as graphs have a split of their own
    parts = list(images.splits.values()) if inductive else None
    edges = neighbor_graph(pixels, NEIGHBORS, parts=parts)
    graph = Graph(x=pixels, edge_index=edges, y=images.y, num_nodes=len(pixels))
    return GraphSource(graph, nodes=images.splits, class_names=images.class_names)


def image_graph(
    images: ImageSet, embeddings: Tensor | None = None, *, neighbors: int = NEIGHBORS, inductive: bool = False
) -> NodeData:
    """Node classification of images: a graph over embeddings, with the images' classes and splits.

    Args:
        images: Images with classes.
        embeddings: Of all images [N, D], which are also the features; default: pixels. An encoder that was trained must have
            seen training images alone.
        neighbors: Images that each is tied to, by cosine; an edge has no direction, so that others may ask for it, too.
        inductive: Whether training, validation and test are graphs that no edge joins; else one graph spans them.

    Raises:
        RequestError: If the images have labels rather than classes.
    """
    if images.kind != "classes":
        raise RequestError(f"data set {images.name!r} has several labels per image, and a node has one class")
    x = images.pixels.flatten(1) if embeddings is None else embeddings.detach().float().cpu()
    edges = neighbor_graph(x, neighbors, parts=list(images.splits.values()) if inductive else None)
    return NodeData(
        name=images.name,
        graph=Graph(x=x, edge_index=edges, y=images.y, num_nodes=len(x)),
        splits=images.splits,
        protocol=f"{images.protocol} Images are nodes, each tied to its {neighbors} nearest by cosine. "
        + (INDUCTIVE if inductive else TRANSDUCTIVE),
        metric="accuracy",
        metrics=("accuracy",),
        source=images.source,
        node_names=images.image_names,
        class_names=images.class_names,
    )


def neighbor_graph(x: Tensor, neighbors: int, *, parts: list[Tensor] | None = None) -> Tensor:
    """Each row tied to those nearest to it by cosine, itself left out; edges have no direction.

    Args:
        x: Embeddings [N, D].
        neighbors: Ties that each row asks for, at least 1; all others where there are no more.
        parts: Ids of rows that are tied among themselves alone, disjoint; default: all rows.

    Returns:
        `edge_index` [2, E] with both directions, sorted.

    Raises:
        RequestError: If `neighbors` is below 1.

    Source: scikit-learn's `kneighbors_graph`, which X-Node and others use on embeddings of images.
    """
    from sklearn.neighbors import kneighbors_graph  # takes seconds, and nothing else needs it

    if neighbors < 1:
        raise RequestError(f"neighbors must be at least 1, got {neighbors}")
    pairs = [torch.empty(2, 0, dtype=torch.long)]
    for part in parts or [torch.arange(len(x))]:
        if part.numel() < 2:
            continue
        rows = x[part].numpy().astype(np.float64)
        found: Any = kneighbors_graph(rows, min(neighbors, len(rows) - 1), metric="cosine").tocoo()
        pairs.append(torch.stack([part[torch.from_numpy(found.row).long()], part[torch.from_numpy(found.col).long()]]))
    return both_directions(undirected_pairs(torch.cat(pairs, dim=1), len(x)), len(x))
