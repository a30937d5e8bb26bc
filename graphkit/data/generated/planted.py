"""Generated graphs whose answer is known, to see whether a model finds it."""

from __future__ import annotations

import torch
from torch import Tensor

from graphkit.data.graph import Graph
from graphkit.data.sources import DataRequest, GraphSource
from graphkit.data.splits.edges import both_directions

CLASSES = 4
CLASS_SIZE = 200
DEGREE_INSIDE = 8.0
DEGREE_ACROSS = 2.0
SIGNAL = 1.0

FIELDS = 6
VALUES = 4
REDRAWN = 0.1

COMMUNITIES = 50
COMMUNITY_SIZE = 20
TIE_PROBABILITY = 0.7
STRAY_EDGES = 350


def read_partition(request: DataRequest) -> GraphSource:
    """A planted partition, drawn by the seed.

    Args:
        request: What was asked for.
    """
    return GraphSource(planted_partition(request.generator))


def read_categories(request: DataRequest) -> GraphSource:
    """Planted categories, drawn by the seed.

    Args:
        request: What was asked for.
    """
    return GraphSource(planted_categories(request.generator))


def read_communities(request: DataRequest) -> GraphSource:
    """Planted communities, drawn by the seed.

    Args:
        request: What was asked for.
    """
    return GraphSource(planted_communities(request.generator))


def planted_partition(generator: torch.Generator) -> Graph:
    r"""Stochastic block model: classes that show in the edges, and weakly in the features.

    Edges join two nodes of one class with probability DEGREE_INSIDE / CLASS_SIZE, of two classes with probability
    DEGREE_ACROSS / (N - CLASS_SIZE). Features are :math:`x_v = \mathrm{SIGNAL} \cdot e_{y_v} + \epsilon`, with standard normal
    :math:`\epsilon`, so that features alone allow an accuracy of
    :math:`\int \phi(t)\, \Phi(t + \mathrm{SIGNAL})^{C-1} dt` (0.55 here) and no model without edges can be better; neighbors
    allow far more.

    Args:
        generator: Source of randomness.

    Returns:
        The graph with `x` [800, 4] and `y`.
    """
    num_nodes = CLASSES * CLASS_SIZE
    y = torch.arange(num_nodes) % CLASSES
    edge_index = _blocks(y, generator)
    x = SIGNAL * torch.eye(CLASSES)[y] + torch.randn(num_nodes, CLASSES, generator=generator)
    return Graph(x=x, edge_index=edge_index, y=y, num_nodes=num_nodes)


def planted_categories(generator: torch.Generator) -> Graph:
    r"""Categorical fields of which two decide the class together, and none alone, on the graph of a planted partition.

    Each of FIELDS fields of a node takes one of VALUES values at random. The class is the sum of the first two, modulo VALUES.
    Then each value is drawn again with probability REDRAWN, so that what is seen of a node tells its class with probability
    :math:`(1 - e)^2 + e^2 / (V - 1)`, :math:`e = \mathrm{REDRAWN} (1 - 1 / V)` (0.8575 here), and no model without edges can
    be better. A sum over fields of whatever it takes from each tells nothing: given the class, every field is uniform. Edges
    are those of `planted_partition`, mostly inside classes.

    Args:
        generator: Source of randomness.

    Returns:
        The graph with `x` [800, 24], a column per value of each field, zeros and ones, and `y`.
    """
    num_nodes = CLASSES * CLASS_SIZE
    y = torch.arange(num_nodes) % CLASSES
    edge_index = _blocks(y, generator)
    values = torch.randint(VALUES, (num_nodes, FIELDS), generator=generator)
    values[:, 1] = (y - values[:, 0]) % VALUES
    again = torch.rand(num_nodes, FIELDS, generator=generator) < REDRAWN
    values = torch.where(again, torch.randint(VALUES, (num_nodes, FIELDS), generator=generator), values)
    x = torch.nn.functional.one_hot(values, VALUES).flatten(1).float()
    return Graph(x=x, edge_index=edge_index, y=y, num_nodes=num_nodes)


def _blocks(y: Tensor, generator: torch.Generator) -> Tensor:
    """Edges [2, E] of a stochastic block model with these classes, in both directions."""
    num_nodes = y.numel()
    pairs = torch.triu_indices(num_nodes, num_nodes, offset=1)
    inside = y[pairs[0]] == y[pairs[1]]
    probability = torch.where(inside, DEGREE_INSIDE / CLASS_SIZE, DEGREE_ACROSS / (num_nodes - CLASS_SIZE))
    edges = pairs[:, torch.rand(pairs.size(1), generator=generator) < probability]
    return both_directions(edges, num_nodes)


def planted_communities(generator: torch.Generator) -> Graph:
    """Disjoint dense communities and a few stray edges: common neighbors tell which held-out pairs are edges.

    Within a community of 20 each pair is tied with probability 0.7, so that a held-out tie has about four common neighbors in
    the training graph; 350 stray edges, 5 % of all, join random pairs, which have next to none. A model that counts common
    neighbors finds all but the stray edges; `y` is the community.

    Args:
        generator: Source of randomness.

    Returns:
        The graph without features.
    """
    num_nodes = COMMUNITIES * COMMUNITY_SIZE
    y = torch.arange(num_nodes) // COMMUNITY_SIZE
    pairs = torch.triu_indices(num_nodes, num_nodes, offset=1)
    inside = y[pairs[0]] == y[pairs[1]]
    tied = inside & (torch.rand(pairs.size(1), generator=generator) < TIE_PROBABILITY)
    edges = torch.cat([pairs[:, tied], _strays(pairs[:, ~inside], generator)], dim=1)
    return Graph(edge_index=both_directions(edges, num_nodes), y=y, num_nodes=num_nodes)


def _strays(pairs: Tensor, generator: torch.Generator) -> Tensor:
    return pairs[:, torch.randperm(pairs.size(1), generator=generator)[:STRAY_EDGES]]
