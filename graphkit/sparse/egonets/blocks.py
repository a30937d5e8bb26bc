"""Square pair tensors as padded dense blocks [G, n, n, C]: for products over pairs, and where graphs are dense."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from graphkit.sparse.csr import CSR
from graphkit.sparse.egonets.lift import expand
from graphkit.sparse.structure import lasting


class Blocks:
    """The rows (u, v) of all pairs of nodes of each graph, as one n x n block per graph, n that of the largest.

    Graphs of one size need no copy: their rows lie so already. Otherwise smaller blocks are filled up with zeros.

    Args:
        node_ptr: Boundaries of the graphs' nodes [G + 1].
        adj: The graphs as one block-diagonal operator.
    """

    def __init__(self, node_ptr: Tensor, adj: CSR) -> None:
        self.node_ptr, self.adj = node_ptr, adj
        self.sizes = node_ptr.diff()
        self.num_graphs = self.sizes.numel()
        self.size = int(self.sizes.max()) if self.num_graphs else 0
        self.num_rows = int(self.sizes.square().sum())

    @property
    def equal(self) -> bool:
        """Whether all graphs have the same number of nodes."""
        return self.num_rows == self.num_graphs * self.size**2

    @cached_property
    @lasting
    def _graph(self) -> Tensor:
        """Graph of each node [N]."""
        return torch.arange(self.num_graphs, device=self.sizes.device).repeat_interleave(self.sizes)

    @cached_property
    @lasting
    def _place(self) -> Tensor:
        """Where each row lies in the flat blocks [T]."""
        node = torch.arange(self._graph.numel(), device=self.sizes.device)
        start = self._graph * self.size**2 + (node - self.node_ptr[self._graph]) * self.size
        return expand(start, self.sizes[self._graph])[0]

    def pad(self, h: Tensor) -> Tensor:
        """Rows [T, C] to blocks [G, n, n, C], zeros beyond a graph's nodes."""
        shape = (self.num_graphs, self.size, self.size, h.size(1))
        if self.equal:
            return h.view(shape)
        flat = h.new_zeros(self.num_graphs * self.size**2, h.size(1))
        return flat.index_copy(0, self._place, h).view(shape)

    def rows(self, blocks: Tensor) -> Tensor:
        """Blocks [G, n, n, C] to rows [T, C]."""
        flat = blocks.reshape(-1, blocks.size(-1))
        return flat if self.equal else flat.index_select(0, self._place)

    @cached_property
    @lasting
    def adjacency(self) -> Tensor:
        """A as blocks [G, n, n], float32: 1 at (v, w) for w in N(v)."""
        graph = self._graph[self.adj.row]
        first = self.node_ptr[graph]
        out = torch.zeros(self.num_graphs, self.size, self.size, device=self.sizes.device)
        out[graph, self.adj.row - first, self.adj.col - first] = 1.0
        return out
