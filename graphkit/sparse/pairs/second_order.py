"""Neighborhoods of two steps beside those of one, laid out for intersecting the former with the latter."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from graphkit.sparse.csr import CSR
from graphkit.sparse.memo import remember
from graphkit.sparse.pairs.intersection import NeighborSets
from graphkit.sparse.structure import Structure, untraced


class SecondOrderSets:
    """N(i) & N_2(j) and N_2(i) & N(j) of pairs, N_2(i) the nodes that a walk of two edges reaches from i, itself among them.

    Rows of A and, below them, rows of the pattern of A^2 are the rows of one operator [2 N, 2 N], whose neighbor sets
    intersect any two of them.

    Args:
        graph: A square operator, or its neighbor sets; absent entries do not count, values do not matter.
    """

    @untraced
    def __init__(self, graph: CSR | NeighborSets) -> None:
        adj = graph.adj if isinstance(graph, NeighborSets) else graph
        self.num_nodes = adj.shape[0]
        sources = (adj.structure,) if adj.mask is None else (adj.structure, adj.mask)
        self._sets: NeighborSets = remember(lambda: NeighborSets(_stacked(adj)), "second order", *sources)

    def pool(self, pairs: Tensor, x: Tensor) -> Tensor:
        """Sum of features over both sets: out_p = sum over N(i) & N_2(j) of x_u + sum over N_2(i) & N(j) of x_u.

        Args:
            pairs: Node ids [2, P].
            x: Features [N, C], floating point. Differentiable.

        Returns:
            [P, C].
        """
        x = torch.cat([x, x.new_zeros(self.num_nodes, x.size(1))])  # columns that no row has an entry in
        further = pairs + self.num_nodes
        both = torch.cat([torch.stack([pairs[0], further[1]]), torch.stack([pairs[1], further[0]])], dim=1)
        ahead, back = self._sets.pool(both, x).chunk(2)
        return ahead + back


def _stacked(adj: CSR) -> CSR:
    """Rows of A, then those of the pattern of A^2, as an operator [2 N, 2 N] of ones."""
    from scipy.sparse import csr_array  # which takes time to import, and serves this function alone

    n = adj.shape[0]
    edges = adj.edge_index().cpu().numpy()
    pattern = csr_array((np.ones(edges.shape[1], np.float32), (edges[1], edges[0])), shape=(n, n))
    square = csr_array(pattern @ pattern)  # counts of walks, none of which cancel
    square.sort_indices()
    rowptr = np.concatenate([pattern.indptr, square.indptr[1:].astype(np.int64) + pattern.indptr[-1]]).astype(np.int64)
    col = np.concatenate([pattern.indices, square.indices]).astype(np.int64)
    structure = Structure(torch.from_numpy(rowptr), torch.from_numpy(col), (2 * n, 2 * n))
    return CSR(structure.to(adj.device))
