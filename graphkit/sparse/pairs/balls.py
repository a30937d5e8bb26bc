"""The balls around nodes themselves, for exact counts where they fit in memory."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from graphkit.sparse.csr import CSR
from graphkit.sparse.memo import remember
from graphkit.sparse.pairs.intersection import NeighborSets
from graphkit.sparse.structure import Structure, untraced


class Balls:
    """The balls of radius 1 to `hops` around every node: the nodes within so many edges, the node among them.

    Rows of the pattern of (A + I)^k, one radius below the other, are the rows of one operator [K N, K N], whose neighbor sets
    intersect any two of them. Memory is that of all balls; `BallSketches` have a fixed size per node.

    Args:
        adj: A square operator; absent entries do not count, values do not matter. Balls follow its rows.
        hops: Largest radius K, at least 1.

    Raises:
        ValueError: The operator is not square.
    """

    @untraced
    def __init__(self, adj: CSR, hops: int) -> None:
        if adj.shape[0] != adj.shape[1]:
            raise ValueError(f"balls need a square operator, got shape {adj.shape}.")
        self.num_nodes, self.hops = adj.shape[0], hops
        sources = (adj.structure,) if adj.mask is None else (adj.structure, adj.mask)
        self._sets: NeighborSets = remember(lambda: NeighborSets(_stacked(adj, hops)), ("balls", hops), *sources)
        self.sizes = self._sets.adj.degree().view(hops, -1).t().float()

    def intersections(self, pairs: Tensor) -> Tensor:
        """Sizes of |B_a(i) & B_b(j)| for radii a, b from 1 to K: [P, K, K], float32; see `BallSketches.intersections`."""
        n, k = self.num_nodes, self.hops
        shift = torch.arange(k, device=pairs.device) * n
        left = (pairs[0].view(-1, 1, 1) + shift.view(1, -1, 1)).expand(-1, k, k)
        right = (pairs[1].view(-1, 1, 1) + shift.view(1, 1, -1)).expand(-1, k, k)
        counts = self._sets.count(torch.stack([left.flatten(), right.flatten()]))
        return counts.view(-1, k, k).float()


def _stacked(adj: CSR, hops: int) -> CSR:
    """Rows of the patterns of A + I, (A + I)^2, ... as an operator [K N, K N] of ones."""
    from scipy.sparse import csr_array  # which takes time to import, and serves this function alone

    n = adj.shape[0]
    edges = adj.edge_index().cpu().numpy()
    nodes = np.arange(n)
    ends = np.concatenate([edges[1], nodes]), np.concatenate([edges[0], nodes])
    step = csr_array((np.ones(ends[0].size, np.float32), ends), shape=(n, n))
    ball, rowptrs, cols, total = step, [np.zeros(1, np.int64)], [], 0
    for k in range(hops):
        if k:
            ball = csr_array(step @ ball)
            ball.data[:] = 1.0  # counts of walks would overflow
        ball.sum_duplicates()  # sorts the columns, too
        rowptrs.append(ball.indptr[1:].astype(np.int64) + total)
        cols.append(ball.indices.astype(np.int64))
        total += ball.nnz
    rowptr, col = torch.from_numpy(np.concatenate(rowptrs)), torch.from_numpy(np.concatenate(cols))
    return CSR(Structure(rowptr, col, (hops * n, hops * n)).to(adj.device))
