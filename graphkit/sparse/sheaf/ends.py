"""Half-edges of an undirected graph: the entries (v, u) and (u, v) of every edge, and the permutation between them.

They depend on the pattern alone, so they are computed once per graph.
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from graphkit.sparse.csr import CSR
from graphkit.sparse.entries import assemble
from graphkit.sparse.memo import remember
from graphkit.sparse.structure import Structure, lasting, untraced


class EdgeEnds:
    """The two ends of each undirected edge v ~ u: the entries (v, u) and (u, v) of a symmetric pattern without diagonal.

    An edge that a graph holds in one direction counts as an edge in both; self-loops are left out.

    Args:
        structure: The square pattern of the graph.

    Attributes:
        structure: The symmetric pattern. Entry (v, u) stands for the end at v, so that the ends at a node lie together [2 m].
    """

    def __init__(self, structure: Structure) -> None:
        if structure.shape[0] != structure.shape[1]:
            raise ValueError(f"undirected edges need a square operator, got {structure.shape[0]} x {structure.shape[1]}.")
        n = structure.shape[0]
        row, col = structure.row, structure.col
        self._entries = (row != col).nonzero().flatten()
        edges = torch.stack([col[self._entries], row[self._entries]])
        # An object of its own: what is remembered of a pattern must not keep it alive.
        both = edges if structure.symmetric else torch.cat([edges, edges.flip(0)], dim=1)
        self.structure = assemble(both, (n, n)).structure
        self.structure.t()

    @property
    def num_nodes(self) -> int:
        """Number of nodes N."""
        return self.structure.shape[0]

    @cached_property
    @lasting
    def twin(self) -> Tensor:
        """The opposite end (u, v) of each end (v, u) [2 m], in 32 bits where they fit."""
        perm = self.structure.perm
        return perm.to(torch.int32) if perm.numel() < 2**31 else perm

    def adjacency(self, weight: Tensor | None) -> CSR:
        """The symmetric operator with these weights of the edges, one at each end [2 m]; None for ones."""
        return CSR(self.structure, weight, symmetric=True)

    def weights(self, csr: CSR) -> Tensor | None:
        """Weight of each edge, at both its ends [2 m], the mean of the entries present for it; None when all are one.

        Absent edges weigh nothing.

        Raises:
            ValueError: A weight is negative or not a number.
        """
        if csr.value is None and csr.mask is None:
            return None
        value = csr.weights(csr.dtype or torch.get_default_dtype())[self._entries]
        if value.numel() and not bool(value.min() >= 0):
            raise ValueError("edge weights of a sheaf must be non-negative: they scale the energy of an edge.")
        present = torch.ones_like(value) if csr.mask is None else csr.mask[self._entries].to(value.dtype)
        zeros = value.new_zeros(self.structure.nnz)
        place, _ = self.structure.find(csr.structure.key[self._entries])
        there, count = (zeros.index_add(0, place, given) for given in (value, present.detach()))
        return (there + there[self.twin]) / (count + count[self.twin]).clamp(min=1)


@untraced
def edge_ends(structure: Structure) -> EdgeEnds:
    """The undirected edges of a pattern, found once and kept as long as the pattern lives."""
    return remember(lambda: EdgeEnds(structure), "edge ends", structure)


@untraced
def undirected(csr: CSR) -> tuple[EdgeEnds, CSR]:
    """The undirected edges of an operator and their symmetric operator.

    Kept as long as the operator lives, unless its values need gradients.

    Raises:
        ValueError: The operator is not square, or a weight is negative.
    """
    ends = edge_ends(csr.structure)
    return ends, remember(lambda: ends.adjacency(ends.weights(csr)), "undirected", csr)
