"""Small graphs to try a layer on, and the layouts that a graph can be written in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch_geometric import EdgeIndex

from graphkit.sparse import CSR

LAYOUTS = ("edge_index", "shuffled", "EdgeIndex", "EdgeIndex sorted", "torch CSR", "graphkit CSR")
"""Forms in which layers get the same graph, by name."""


@dataclass(frozen=True)
class Graph:
    """A small graph to try a layer on.

    Attributes:
        x: Features [N, C].
        edge_index: Sources and targets [2, E], int64, without duplicates, in random order.
        edge_weight: Positive weights [E], or None.
    """

    x: Tensor
    edge_index: Tensor
    edge_weight: Tensor | None = None

    @property
    def num_nodes(self) -> int:
        """The number of nodes N."""
        return self.x.size(0)

    def permuted(self, permutation: Tensor) -> Graph:
        """The same graph after node i is renamed `permutation[i]`."""
        x = torch.empty_like(self.x)
        x[permutation] = self.x
        return replace(self, x=x, edge_index=permutation[self.edge_index])

    def shuffled(self, order: Tensor) -> Graph:
        """The same graph with its edges listed in another order [E]."""
        weight = None if self.edge_weight is None else self.edge_weight[order]
        return replace(self, edge_index=self.edge_index[:, order], edge_weight=weight)


def random_graph(
    in_channels: int = 4, num_nodes: int = 12, *, weighted: bool = False, dtype: torch.dtype = torch.float64, seed: int = 0
) -> Graph:
    """A directed random graph with the corners where layers go wrong.

    Node 0 and the last node are isolated, node 1 only sends, node 2 only receives, node 3 has a self-loop.

    Args:
        in_channels: Feature width, at least 1.
        num_nodes: At least 6.
        weighted: Whether edges have weights in [0.5, 1.5).
        dtype: Type of features and weights.
        seed: The graph is a function of the arguments and this seed alone.

    Returns:
        The graph; every third ordered pair of connected nodes is an edge, on average.
    """
    if num_nodes < 6:
        raise ValueError(f"a graph with all its corners needs at least 6 nodes, got {num_nodes}")
    generator = torch.Generator().manual_seed(seed)
    dense = torch.rand(num_nodes, num_nodes, generator=generator) < 1 / 3  # dense[source, target]
    dense.fill_diagonal_(False)
    dense[[0, -1]] = False
    dense[:, [0, -1]] = False
    dense[:, 1] = False
    dense[2] = False
    dense[1, 2] = dense[1, 4] = dense[3, 3] = True
    edge_index = dense.nonzero().t()
    edge_index = edge_index[:, torch.randperm(edge_index.size(1), generator=generator)]
    x = torch.randn(num_nodes, in_channels, generator=generator, dtype=torch.float64)
    weight = torch.rand(edge_index.size(1), generator=generator, dtype=torch.float64) + 0.5
    return Graph(x.to(dtype), edge_index, weight.to(dtype) if weighted else None)


def as_layout(graph: Graph, layout: str) -> tuple[Graph, Any]:
    """The graph and the adjacency to call the layer with."""
    size = (graph.num_nodes, graph.num_nodes)
    adjacency, order = adjacency_and_order(graph.edge_index, graph.edge_weight, size, layout, graph.x.dtype)
    return graph.shuffled(order), adjacency


def adjacency_and_order(
    edge_index: Tensor, edge_weight: Tensor | None, size: tuple[int, int], layout: str, dtype: torch.dtype
) -> tuple[Any, Tensor]:
    """Edges in a layout, and their order there [E]; `size` is (sources, targets), `dtype` that of a matrix without weights."""
    source, target = edge_index
    as_listed = torch.arange(source.numel())
    by_target = torch.argsort(target * size[0] + source)
    if layout == "edge_index":
        return edge_index, as_listed
    if layout == "shuffled":
        return edge_index.flip(1), as_listed.flip(0)
    if layout == "EdgeIndex":
        return EdgeIndex(edge_index, sparse_size=size), as_listed
    if layout == "EdgeIndex sorted":
        return EdgeIndex(edge_index[:, by_target], sparse_size=size, sort_order="col"), by_target
    if layout == "torch CSR":
        pointers = torch.cat([target.new_zeros(1), torch.bincount(target, minlength=size[1]).cumsum(0)])
        weight = torch.ones(source.numel(), dtype=dtype) if edge_weight is None else edge_weight[by_target]
        shape = (size[1], size[0])
        return torch.sparse_csr_tensor(pointers, source[by_target], weight, shape, check_invariants=True), as_listed
    if layout == "graphkit CSR":
        return CSR.from_edge_index(edge_index, (size[1], size[0]), edge_weight), as_listed
    raise ValueError(f"unknown layout {layout!r}; known: {', '.join(LAYOUTS)}")
