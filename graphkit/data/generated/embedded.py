"""Small data sets that come with the dependencies: no file, no download."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from graphkit.data.graph import Graph, required
from graphkit.data.sources import DataRequest, GraphSource
from graphkit.data.splits.edges import both_directions, undirected_pairs
from graphkit.data.splits.nodes import split_nodes_by_count

_FIXED = 0  # seed of the splits that do not depend on a run's seed


def read_karate(request: DataRequest) -> GraphSource:
    """Zachary's karate club with its fixed split.

    Args:
        request: What was asked for.
    """
    graph = karate()
    return GraphSource(graph, nodes=karate_split(required(graph.y)))


def read_digits(request: DataRequest) -> GraphSource:
    """The handwritten digits with their fixed split.

    Args:
        request: What was asked for.
    """
    graph = digits()
    return GraphSource(graph, nodes=digits_split(required(graph.y)))


def karate() -> Graph:
    """Zachary's karate club: 34 members, 78 ties, the faction of each as its class, one-hot ids as features."""
    import networkx  # takes half a second, and nothing else here needs it

    graph = networkx.karate_club_graph()
    num_nodes = graph.number_of_nodes()
    pairs = undirected_pairs(torch.tensor(list(graph.edges())).T, num_nodes)
    factions = [0 if graph.nodes[node]["club"] == "Mr. Hi" else 1 for node in range(num_nodes)]
    edge_index = both_directions(pairs, num_nodes)
    return Graph(x=torch.eye(num_nodes), edge_index=edge_index, y=torch.tensor(factions), num_nodes=num_nodes)


def karate_split(labels: Tensor) -> dict[str, Tensor]:
    """The fixed split: the instructor (0), the president (33) and three more of either faction to train on."""
    generator = torch.Generator().manual_seed(_FIXED)
    return split_nodes_by_count(labels, per_class=4, num_valid=10, generator=generator, always=(0, 33))


def digits(num_neighbors: int = 10) -> Graph:
    """Scikit-learn's 1,797 handwritten digits, each tied to the images nearest to it by cosine similarity.

    Args:
        num_neighbors: Ties that each image asks for; an image may be asked for by more.

    Returns:
        The undirected graph with pixels in [0, 1] as `x` [1797, 64] and the digit as `y`.
    """
    from sklearn.datasets import load_digits  # takes seconds, and nothing else here needs it

    pixels, labels = load_digits(return_X_y=True)
    unit = pixels / np.linalg.norm(pixels, axis=1, keepdims=True)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -np.inf)
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :num_neighbors]
    num_nodes = len(pixels)
    source = np.repeat(np.arange(num_nodes), num_neighbors)
    pairs = undirected_pairs(torch.from_numpy(np.stack([source, nearest.ravel()])), num_nodes)
    x = torch.from_numpy(pixels / 16.0).float()
    return Graph(x=x, edge_index=both_directions(pairs, num_nodes), y=torch.from_numpy(labels).long(), num_nodes=num_nodes)


def digits_split(labels: Tensor) -> dict[str, Tensor]:
    """The fixed split: 20 images a class for training, 500 for validation, the rest for test."""
    generator = torch.Generator().manual_seed(_FIXED)
    return split_nodes_by_count(labels, per_class=20, num_valid=500, generator=generator)
