"""Node ids in the order of degree: a table whose busy rows lie together stays in cache; undone on output."""

from __future__ import annotations

import torch
from torch import Tensor

from graphkit.sparse.csr import CSR
from graphkit.sparse.entries import assemble


class Relabeling:
    """Another order of the nodes of a graph, and the way back.

    With P the permutation, `undo(apply(A) @ apply_nodes(x)) = P^T (P A P^T) (P x) = A x`.

    Args:
        old: Old id of each new node [N], a permutation of 0 to N - 1.
    """

    def __init__(self, old: Tensor) -> None:
        self.old = old
        self.new = torch.empty_like(old).scatter_(0, old, torch.arange(old.numel(), device=old.device))

    def apply(self, csr: CSR) -> CSR:
        """P A P^T: the operator in new ids, absent entries and known symmetry kept; differentiable in the values."""
        if csr.shape != (self.old.numel(), self.old.numel()):
            raise ValueError(f"the relabeling is of {self.old.numel()} nodes, the operator {csr.shape[0]} x {csr.shape[1]}.")
        structure, order, _ = assemble(self.new[torch.stack([csr.col, csr.row])], csr.shape)
        value, mask = csr.value, csr.mask
        if order is not None:
            value = None if value is None else value[order]
            mask = None if mask is None else mask[order]
        return CSR(structure, value, mask, csr.promised_symmetric or None)

    def apply_nodes(self, x: Tensor) -> Tensor:
        """P x: rows [N, ...] in new order."""
        return x.index_select(0, self.old)

    def apply_edges(self, edge_index: Tensor) -> Tensor:
        """The same edges in new ids, any shape of int64 ids."""
        return self.new[edge_index]

    def undo(self, x: Tensor) -> Tensor:
        """P^T x: rows [N, ...] back in the order they came in."""
        return x.index_select(0, self.new)


def degree_order(csr: CSR) -> Relabeling:
    """The nodes of a square operator by the number of times they appear as source or target, most first, ties by id.

    Raises:
        ValueError: The operator is not square.
    """
    if csr.shape[0] != csr.shape[1]:
        raise ValueError(f"degree_order needs a square operator, got {csr.shape[0]} x {csr.shape[1]}.")
    edges = csr.edge_index()
    degree = torch.bincount(edges.flatten(), minlength=csr.shape[0])
    return Relabeling(torch.argsort(degree, descending=True, stable=True))
