"""Many graphs as one block-diagonal graph, and batches of them by copying blocks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol, Self

import torch
from torch import Tensor

from graphkit.sparse.block_diagonal import Segments, check_blocks, check_chosen, check_ptr, take_blocks
from graphkit.sparse.convert import Adjacency, as_csr, as_entries
from graphkit.sparse.csr import CSR
from graphkit.sparse.structure import lasting


class GraphIndex(Protocol):
    """What a model makes of a batch of graphs once, such as bags of subgraphs, and takes apart by graphs."""

    def take(self, graphs: Tensor) -> Self:
        """The index of a batch of these graphs [B], in that order."""

    def to(self, device: torch.device | str) -> Self:
        """The same index on another device."""


@dataclass(frozen=True, eq=False)
class GraphBatch:
    """A batch of graphs.

    Attributes:
        adj: The graphs as one block-diagonal operator [N, N]; row = target.
        ptr: Boundaries of the graphs' nodes [G + 1].
        x: Node features [N, F]; None where nodes have none.
        edge_attr: Edge features [nnz, D], in the order of the entries of `adj`; None where edges have none.
        index: What a model prepared for these graphs; None for models that prepare nothing.
    """

    adj: CSR
    ptr: Tensor
    x: Tensor | None = None
    edge_attr: Tensor | None = None
    index: GraphIndex | None = None

    @classmethod
    def of(cls, edge_index: Adjacency, ptr: Tensor, x: Tensor | None = None, edge_attr: Tensor | None = None) -> GraphBatch:
        """Build a batch.

        Args:
            edge_index: (source, target) edges [2, E] with node ids of the whole batch, or another layout of `as_csr`.
            ptr: Boundaries of the graphs' nodes [G + 1], from 0 to N.
            x: Node features [N, F].
            edge_attr: Edge features [E, D], in the order of the edges.

        Raises:
            ValueError: An edge joins two graphs, an edge with features is listed twice, or shapes do not fit.
        """
        check_ptr(ptr)
        num_nodes = int(ptr[-1])
        adj = as_csr(edge_index, num_nodes)
        check_blocks(adj, ptr)
        if x is not None and (x.dim() != 2 or x.size(0) != num_nodes):
            raise ValueError(f"x must have shape [{num_nodes}, F], a row per node, got {list(x.shape)}.")
        if edge_attr is not None:
            edge_attr = as_entries(edge_index, num_nodes).gather(edge_attr)
            if edge_attr.dim() != 2:
                raise ValueError(f"edge_attr must have shape [E, D], got {list(edge_attr.shape)}.")
        return cls(adj, ptr, x, edge_attr)

    @property
    def num_graphs(self) -> int:
        """Number of graphs G."""
        return self.ptr.numel() - 1

    @property
    def num_nodes(self) -> int:
        """Number of nodes N of all graphs."""
        return self.adj.shape[0]

    @cached_property
    @lasting
    def graph(self) -> Tensor:
        """Graph of each node [N], ascending."""
        graphs = torch.arange(self.num_graphs, device=self.ptr.device)
        return graphs.repeat_interleave(self.ptr.diff(), output_size=self.num_nodes)

    def take(self, graphs: Tensor) -> GraphBatch:
        """A batch of some of the graphs.

        Blocks of the operator, of its transpose and of the index are copied: nothing is sorted, checked or built again.

        Args:
            graphs: Ids of graphs [B], int64, in any order; a graph may appear more than once.

        Raises:
            ValueError: An id is out of range.
        """
        check_chosen(graphs, self.num_graphs)
        nodes = Segments.of(self.ptr, graphs)
        x = None if self.x is None else nodes.rows(self.x)
        edge_attr = None if self.edge_attr is None else nodes.inside(self.adj.rowptr).rows(self.edge_attr)
        index = None if self.index is None else self.index.take(graphs)
        return GraphBatch(take_blocks(self.adj, nodes, nodes), nodes.ptr, x, edge_attr, index)

    def with_index(self, index: GraphIndex | None) -> GraphBatch:
        """The same graphs with what a model prepared for them."""
        return replace(self, index=index)

    def to(self, device: torch.device | str) -> GraphBatch:
        """The same batch on another device."""
        x, edge_attr = (None if one is None else one.to(device) for one in (self.x, self.edge_attr))
        index = None if self.index is None else self.index.to(device)
        return GraphBatch(self.adj.to(device), self.ptr.to(device), x, edge_attr, index)

    def __repr__(self) -> str:
        features = 0 if self.x is None else self.x.size(1)
        return f"GraphBatch(graphs={self.num_graphs}, nodes={self.num_nodes}, edges={self.adj.nnz}, features={features})"


@dataclass(frozen=True, eq=False)
class BatchOperator:
    """A further operator on the nodes of a batch of graphs, such as a normalized one, as an index of the batch.

    Attributes:
        csr: The block-diagonal operator [N, N].
        ptr: Boundaries of the graphs' nodes [G + 1].
    """

    csr: CSR
    ptr: Tensor

    def take(self, graphs: Tensor) -> BatchOperator:
        """The operator of a batch of these graphs [B]; ValueError where an id is out of range."""
        check_chosen(graphs, self.ptr.numel() - 1)
        nodes = Segments.of(self.ptr, graphs)
        return BatchOperator(take_blocks(self.csr, nodes, nodes), nodes.ptr)

    def to(self, device: torch.device | str) -> BatchOperator:
        """The same operator on another device."""
        return BatchOperator(self.csr.to(device), self.ptr.to(device))
