"""Generated collections of graphs whose classes show in the edges alone."""

from __future__ import annotations

import torch
from torch import Tensor

from graphkit.data.graphs import Graphs, merge_edges, pointers
from graphkit.data.sources import DataRequest, GraphsSource

SIZES = (16, 20, 24)
"""Nodes of a graph."""
GRAPHS_EACH = 100
"""Graphs of each size, half of them of each class."""
MARKED = 4
"""Marked nodes of a graph."""
_SEED = 0  # the collection does not depend on a run's seed, so that ten seeds are ten folds
_TRIES = 256


def read(request: DataRequest) -> GraphsSource:
    """`planted_graphs`, whatever the seed.

    Args:
        request: What was asked for.
    """
    return GraphsSource(planted_graphs(), class_names=("apart", "path"))


def planted_graphs() -> Graphs:
    """Cubic graphs with four marked nodes: class 1 if these lie on a path, class 0 if no two of them are adjacent.

    A graph is a cycle with a random chord at each node, so that every node has three neighbors. All graphs of a size have the
    same nodes: without edges, and by degrees, the classes are equal. One round of messages tells them apart, since a marked
    node of class 1 has a marked neighbor.

    Returns:
        300 graphs of 16, 20 or 24 nodes, `x` [N, 2] one-hot: not marked, marked. Always the same ones.
    """
    generator = torch.Generator().manual_seed(_SEED)
    edges, marks, labels, start = [], [], [], 0
    for size in SIZES:
        chords = _chords(GRAPHS_EACH, size, generator)
        y = torch.arange(GRAPHS_EACH) % 2
        marks.append(torch.where(y.view(-1, 1) == 1, _paths(GRAPHS_EACH, size, generator), _apart(chords, generator)).view(-1))
        labels.append(y)
        nodes = torch.arange(size).expand(GRAPHS_EACH, size)
        offset = start + size * torch.arange(GRAPHS_EACH).view(-1, 1)
        for target in ((nodes + 1) % size, chords):
            edges.append(torch.stack([(nodes + offset).reshape(-1), (target + offset).reshape(-1)]))
        start += size * GRAPHS_EACH
    edge_index, _ = merge_edges(torch.cat(edges, dim=1), start)
    x = torch.nn.functional.one_hot(torch.cat(marks).long(), 2).float()
    ptr = pointers(torch.tensor(SIZES).repeat_interleave(GRAPHS_EACH))
    return Graphs(ptr, edge_index, torch.cat(labels), x)


def _chords(count: int, size: int, generator: torch.Generator) -> Tensor:
    """The other end of each node's chord [count, size]: random matchings that join no neighbors on the cycle."""
    found = torch.empty(0, size, dtype=torch.long)
    while len(found) < count:
        order = torch.rand(_TRIES, size, generator=generator).argsort(dim=1)
        one, other = order[:, : size // 2], order[:, size // 2 :]
        partner = torch.empty_like(order).scatter_(1, one, other).scatter_(1, other, one)
        step = (partner - torch.arange(size)) % size
        found = torch.cat([found, partner[((step != 1) & (step != size - 1)).all(dim=1)]])
    return found[:count]


def _paths(count: int, size: int, generator: torch.Generator) -> Tensor:
    """Marks [count, size] of neighbors on the cycle, from a random one on."""
    first = torch.randint(size, (count, 1), generator=generator)
    return (torch.arange(size) - first) % size < MARKED


def _apart(chords: Tensor, generator: torch.Generator) -> Tensor:
    """Marks [count, size] of random nodes, no two of them adjacent: of many tries the first that is so."""
    count, size = chords.shape
    chosen = torch.rand(count, _TRIES, size, generator=generator).argsort(dim=2)[:, :, :MARKED]
    marks = torch.zeros(count, _TRIES, size, dtype=torch.bool).scatter_(2, chosen, True)
    beside = marks.roll(1, dims=2) | marks.roll(-1, dims=2) | marks.gather(2, chords.view(count, 1, size).expand_as(marks))
    fits = ~(marks & beside).any(dim=2)
    return marks[torch.arange(count), fits.int().argmax(dim=1)]
