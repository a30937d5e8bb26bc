"""The undirected edges of a graph and their two ends: the static half of everything that lives on edges, such as sheaves."""

from __future__ import annotations

import weakref
from functools import cached_property

import torch
from torch import Tensor

from graphkit.sparse.csr import CSR
from graphkit.sparse.structure import Structure, lasting, pointers, untraced


class EdgePairs:
    """Each undirected edge once, as the pair k of its nodes low[k] < high[k]; its ends are numbered k and m + k.

    An edge that a graph holds in one direction counts as an edge in both; self-loops are left out.

    Args:
        structure: The square pattern of the graph.

    Attributes:
        num_nodes: Number of nodes N.
        size: Number of undirected edges m.
        own: The node at each end [2 m]: low, then high.
        other: The node at the opposite end [2 m].
        structure: The symmetric pattern without diagonal, 2 m entries.
        end: For each entry (i, j), the end at node i [2 m].
        turned: For each entry (i, j), the end at node j [2 m].
        upper: Where the entry (low, high) of each pair lies [m], ascending.
        lower: Where the entry (high, low) of each pair lies [m].
    """

    def __init__(self, structure: Structure) -> None:
        if structure.shape[0] != structure.shape[1]:
            raise ValueError(f"undirected edges need a square operator, got {structure.shape[0]} x {structure.shape[1]}.")
        n = self.num_nodes = structure.shape[0]
        row, col = structure.row, structure.col
        self._entries = (row != col).nonzero().flatten()
        row, col = row[self._entries], col[self._entries]
        key, self._pair_of_entry = torch.unique(torch.minimum(row, col) * n + torch.maximum(row, col), return_inverse=True)
        low = key // max(n, 1)
        high = key - low * n
        self.size = key.numel()
        self.own = torch.cat([low, high])
        self.other = torch.cat([high, low])
        self.end = torch.argsort(self.own * n + self.other)
        self.turned = torch.where(self.end < self.size, self.end + self.size, self.end - self.size)
        # An object of its own: the cache below must not keep its key alive.
        self.structure = Structure(pointers(torch.bincount(self.own, minlength=n)), self.other[self.end], (n, n))
        self.structure.t()
        place = torch.argsort(self.end)
        self.upper, self.lower = place[: self.size], place[self.size :]

    @property
    def low(self) -> Tensor:
        """The smaller node id of each pair [m], ascending."""
        return self.own[: self.size]

    @property
    def high(self) -> Tensor:
        """The larger node id of each pair [m]."""
        return self.own[self.size :]

    @cached_property
    @lasting
    def pair(self) -> Tensor:
        """The undirected edge of each entry of `structure` [2 m]."""
        return torch.minimum(self.end, self.turned)

    def adjacency(self, weight: Tensor | None) -> CSR:
        """The symmetric operator with these weights of the undirected edges [m]; None for ones."""
        return CSR(self.structure, None if weight is None else weight[self.pair], symmetric=True)

    def weights(self, csr: CSR) -> Tensor | None:
        """Weight of each undirected edge [m], the mean of the entries present for it; None when all are one.

        Absent edges weigh nothing.

        Raises:
            ValueError: A weight is negative or not a number.
        """
        if csr.value is None and csr.keep is None:
            return None
        value = csr.weights(csr.dtype or torch.get_default_dtype())[self._entries]
        if value.numel() and not bool(value.min() >= 0):
            raise ValueError("edge weights of a sheaf must be non-negative: they scale the energy of an edge.")
        present = torch.ones_like(value) if csr.keep is None else csr.keep[self._entries].to(value.dtype)
        zeros = value.new_zeros(self.size)
        count = zeros.index_add(0, self._pair_of_entry, present.detach())
        return zeros.index_add(0, self._pair_of_entry, value) / count.clamp(min=1)


_pairs: weakref.WeakKeyDictionary[Structure, EdgePairs] = weakref.WeakKeyDictionary()
_weighted: weakref.WeakKeyDictionary[CSR, tuple[Tensor | None, CSR]] = weakref.WeakKeyDictionary()


@untraced
@lasting
def edge_pairs(structure: Structure) -> EdgePairs:
    """The undirected edges of a pattern, found once and kept as long as the pattern lives."""
    if structure not in _pairs:
        _pairs[structure] = EdgePairs(structure)
    return _pairs[structure]


@untraced
def undirected(csr: CSR) -> tuple[EdgePairs, Tensor | None, CSR]:
    """The undirected edges of an operator, their weights [m] or None, and their symmetric operator.

    Kept as long as the operator lives, unless its values need gradients.

    Raises:
        ValueError: The operator is not square, or a weight is negative.
    """
    pairs = edge_pairs(csr.structure)
    if csr.requires_grad:
        weight = pairs.weights(csr)
        return pairs, weight, pairs.adjacency(weight)
    if csr not in _weighted:
        _weighted[csr] = _lasting_weights(pairs, csr)
    return pairs, *_weighted[csr]


@lasting
def _lasting_weights(pairs: EdgePairs, csr: CSR) -> tuple[Tensor | None, CSR]:
    weight = pairs.weights(csr)
    return weight, pairs.adjacency(weight)
