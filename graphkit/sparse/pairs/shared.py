"""The common neighbors of a few nodes with all others: their neighbors are walked once, not once per pair."""

from __future__ import annotations

import torch
from torch import Tensor

from graphkit.sparse.csr import CSR
from graphkit.sparse.structure import Structure, pointers, untraced


class SharedNeighbors:
    """N(i) & N(v) for some nodes i and every node v that shares a neighbor with them.

    The walks i - u - v are listed and sorted by i and v, which costs the degrees of the neighbors of i, whatever the number of
    nodes. `NeighborSets` would visit row i again for each v.

    Args:
        adj: A square operator; absent entries (`mask`) do not count, values do not matter.
        sources: The nodes i [S], int64.
    """

    @untraced
    def __init__(self, adj: CSR, sources: Tensor) -> None:
        self._num_nodes = n = adj.shape[0]
        sources = sources.unique()
        first, neighbor = _present_rows(adj, sources)
        walk, reached = _present_rows(adj.t(), neighbor)
        keys = sources[first][walk] * n + reached
        order = keys.argsort(stable=True)  # neighbors stay in ascending order
        self._keys, counts = torch.unique_consecutive(keys[order], return_counts=True)
        structure = Structure(pointers(counts), neighbor[walk][order], (self._keys.numel(), n))
        self._members = CSR(structure, symmetric=False)

    def pool(self, x: Tensor) -> Tensor:
        """Sum of features over each set that is not empty, for `rows`.

        Args:
            x: Features [N, C], floating point.

        Returns:
            [K, C], a row for each of the K pairs that have common neighbors.
        """
        return self._members.matmul(x)

    def rows(self, pooled: Tensor, pairs: Tensor) -> Tensor:
        """The rows of pairs: what `NeighborSets.pool` gives for them.

        Args:
            pooled: What `pool` gave [K, C].
            pairs: Node ids [2, P]; the first one is one of the sources.

        Returns:
            [P, C]; 0 for pairs without common neighbors.
        """
        out = pooled.new_zeros(pairs.size(1), pooled.size(1))
        wanted = pairs[0] * self._num_nodes + pairs[1]
        place = torch.searchsorted(self._keys, wanted)
        having = (place < self._keys.numel()).nonzero().flatten()
        having = having[self._keys[place[having]] == wanted[having]]
        return out.index_copy_(0, having, pooled[place[having]])


def _present_rows(adj: CSR, rows: Tensor) -> tuple[Tensor, Tensor]:
    """The present entries of rows [R], repeats allowed: which of the rows each stands in, and its column."""
    size = adj.rowptr.diff()[rows]
    of_row = torch.arange(rows.numel(), device=rows.device).repeat_interleave(size)
    entry = torch.arange(of_row.numel(), device=rows.device) - pointers(size)[:-1][of_row] + adj.rowptr[rows][of_row]
    if adj.mask is not None:
        present = adj.mask[entry]
        of_row, entry = of_row[present], entry[present]
    return of_row, adj.col[entry]
