"""Pairs of graphs as one collection: each graph once, in batches whose graphs are compared with each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from graphkit.data.graph import Graph
from graphkit.data.graph_pairs import GraphPair
from graphkit.separation.ranks import Ints


@dataclass(frozen=True)
class Batch:
    """Some graphs of a collection as one block-diagonal graph.

    Attributes:
        graphs: Their places in the collection [B].
        edge_index: Both directions of all edges [2, E].
        ptr: Boundaries of the graphs' nodes [B + 1].
    """

    graphs: Ints
    edge_index: Tensor
    ptr: Tensor

    def relabeled(self, generator: torch.Generator) -> Batch:
        """The same graphs, the nodes of each in another order."""
        num_nodes = int(self.ptr[-1])
        owner = torch.arange(self.ptr.numel() - 1).repeat_interleave(self.ptr.diff())
        order = torch.randperm(num_nodes, generator=generator)
        order = order[torch.argsort(owner[order], stable=True)]  # a random order inside each graph
        return Batch(self.graphs, order[self.edge_index], self.ptr)


class Collection:
    """Pairs of graphs. A graph object that several pairs share is one graph here.

    Args:
        pairs: At least one.

    Attributes:
        pairs: The pairs.
        graphs: The distinct graphs.
        places: The two graphs of each pair [P, 2].
    """

    def __init__(self, pairs: Sequence[GraphPair]) -> None:
        self.pairs = list(pairs)
        found = {id(graph): graph for pair in self.pairs for graph in (pair.first, pair.second)}
        self.graphs = list(found.values())
        place = {key: number for number, key in enumerate(found)}
        self.places = np.array([[place[id(pair.first)], place[id(pair.second)]] for pair in self.pairs])

    @cached_property
    def groups(self) -> list[Ints]:
        """Graphs that pairs connect, directly or by others: colors are compared inside a group only."""
        ones = np.ones(len(self.pairs), dtype=bool)
        links = coo_array((ones, (self.places[:, 0], self.places[:, 1])), shape=(len(self.graphs),) * 2)
        group = connected_components(links, directed=False)[1]
        order = np.argsort(group, kind="stable")
        return np.split(order, np.flatnonzero(np.diff(group[order])) + 1)

    def batches(self, cost: Callable[[Graph], int], budget: int) -> Iterator[Batch]:
        """Batches of whole groups, of at most `budget` in all unless one group alone costs more."""
        held: list[Ints] = []
        total = 0
        for group in self.groups:
            costs = sum(cost(self.graphs[place]) for place in group)
            if held and total + costs > budget:
                yield self.batch(np.concatenate(held))
                held, total = [], 0
            held.append(group)
            total += costs
        yield self.batch(np.concatenate(held))

    def batch(self, places: Ints) -> Batch:
        """The graphs at these places."""
        graphs = [self.graphs[place] for place in places]
        ptr = torch.tensor([0, *(graph.num_nodes for graph in graphs)]).cumsum(0)
        shifted = [graph.edge_index + start for graph, start in zip(graphs, ptr[:-1], strict=True)]
        return Batch(places, torch.cat(shifted, dim=1), ptr)
