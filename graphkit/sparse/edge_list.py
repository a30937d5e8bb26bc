"""A graph as the list of its edges, for `torch.export`: nothing is sorted, merged or looked at, so that any sizes will do.

An exported program holds one way of computing for graphs of all sizes, in operations that PyTorch and ONNX know. Compiled
kernels, caches and whatever asks for the values of ids are left out of it.
"""

from __future__ import annotations

from typing import Any, Literal, NoReturn

import torch
from torch import Tensor

from graphkit.sparse.csr import CSR

SORTED = (
    "torch.export takes a graph as a list of edges of any length, which is not sorted, and here it is needed sorted or as a "
    "matrix. What can be exported, with edge_index and edge_weight: Propagation, LightGCNPropagation and the convolutions "
    "GCNConv, SAGEConv, GATConv, GINConv (without features of edges), DirectionalConv and DirectedPatternAggregation"
)
"""What is wrong with a layer that cannot be exported."""


class EdgeList(CSR):
    """An operator A [targets, sources] whose entries are listed edges in any order; repeated ones add up.

    It stands in the place of a `CSR` while a model is exported. What needs entries in order raises a ValueError that says so.

    Args:
        source: Column of each edge [E], int64.
        target: Row of each edge [E], int64.
        weight: Values [E], floating point; None for ones.
        shape: (targets, sources).
    """

    def __init__(self, source: Tensor, target: Tensor, weight: Tensor | None, shape: tuple[int, int]) -> None:
        self.source, self.target, self._weight, self._size = source, target, weight, shape

    @classmethod
    def of(cls, adj: Tensor | CSR, num_nodes: Any, edge_weight: Tensor | None = None) -> EdgeList:
        """The graph of an `edge_index`, arguments as for `as_csr`; ValueError for another layout."""
        if isinstance(adj, EdgeList):
            return adj
        if isinstance(adj, CSR) or adj.layout != torch.strided:
            raise ValueError(SORTED)
        if edge_weight is not None and not edge_weight.is_floating_point():
            edge_weight = edge_weight.to(torch.get_default_dtype())
        return cls(adj[0].long(), adj[1].long(), edge_weight, num_nodes if isinstance(num_nodes, tuple) else (num_nodes,) * 2)

    def __getattr__(self, name: str) -> NoReturn:
        # What a `CSR` keeps and this has not: its structure, its mask, its adjoint.
        raise AttributeError(name) if name.startswith("__") else ValueError(SORTED)

    @property
    def shape(self) -> tuple[int, int]:
        """(targets, sources)."""
        return self._size

    @property
    def device(self) -> torch.device:
        """Where the operator lives."""
        return self.source.device

    @property
    def value(self) -> Tensor | None:
        """Values [E]; None for ones."""
        return self._weight

    @property
    def dtype(self) -> torch.dtype | None:
        """Dtype of the values; None where all are one."""
        return None if self._weight is None else self._weight.dtype

    @property
    def requires_grad(self) -> bool:
        """Whether the values need gradients."""
        return self._weight is not None and self._weight.requires_grad

    def weights(self, dtype: torch.dtype) -> Tensor:
        """Values of all edges [E], ones filled in."""
        return self.source.new_ones(self.source.shape, dtype=dtype) if self._weight is None else self._weight.to(dtype)

    def t(self) -> EdgeList:
        """The adjoint A^T."""
        return EdgeList(self.target, self.source, self._weight, (self._size[1], self._size[0]))

    def add_up(self, rows: Tensor) -> Tensor:
        """Sums of rows of the edges [E, ...] at their targets [targets, ...]."""
        return rows.new_zeros(self._size[0], *rows.shape[1:]).index_add(0, self.target, rows)

    def matmul(self, x: Tensor, reduce: Literal["sum", "mean"] = "sum") -> Tensor:
        """Propagate, as `CSR.matmul` does with `sum`."""
        if reduce != "sum":
            raise ValueError(SORTED)
        messages = x.index_select(0, self.source)
        if self._weight is not None:
            messages = messages * self._weight.to(x.dtype).view(-1, *(1,) * (x.dim() - 1))
        return self.add_up(messages)

    __matmul__ = matmul

    def row_sum(self, dtype: torch.dtype | None = None) -> Tensor:
        """Weighted degree of each target."""
        return self.add_up(self.weights(dtype or self.dtype or torch.get_default_dtype()))

    def with_self_loops(self) -> EdgeList:
        """A with a further edge (i, i) of every node: of weight 0 where it has one, since how many have is not known."""
        own = self.add_up((self.source == self.target).to(torch.get_default_dtype()))
        weight = self.weights(self.dtype or torch.get_default_dtype())
        nodes = torch.arange(self._size[0], device=self.device)
        source, target = (torch.cat([end, nodes]) for end in (self.source, self.target))
        return EdgeList(source, target, torch.cat([weight, (own == 0).to(weight.dtype)]), self._size)

    def scaled(self, rows: Tensor, columns: Tensor | None = None) -> EdgeList:
        """Values times a factor of each target [targets] and, if given, of each source [sources]."""
        scale = rows.index_select(0, self.target)
        if columns is not None:
            scale = scale * columns.index_select(0, self.source)
        return EdgeList(self.source, self.target, self.weights(scale.dtype) * scale, self._size)

    def __repr__(self) -> str:
        return f"EdgeList({self._size[0]} x {self._size[1]})"
