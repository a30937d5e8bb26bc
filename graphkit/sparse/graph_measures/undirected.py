"""The undirected graph without loops and weights behind an operator."""

from __future__ import annotations

import torch

from graphkit.sparse.csr import CSR
from graphkit.sparse.entries import assemble
from graphkit.sparse.memo import remember
from graphkit.sparse.structure import untraced


@untraced
def simple_graph(adj: CSR) -> CSR:
    """The symmetric operator of ones with an entry (i, j) wherever A has (i, j) or (j, i), i != j; made once per operator.

    Args:
        adj: A [N, N]; absent entries (`mask`) do not count, values do not matter.

    Raises:
        ValueError: The operator is not square.
    """
    if adj.shape[0] != adj.shape[1]:
        raise ValueError(f"a measure of nodes needs a square operator, got {adj.shape[0]} x {adj.shape[1]}.")
    return remember(lambda: _simple(adj), "simple graph", adj)


def _simple(adj: CSR) -> CSR:
    edges = adj.edge_index()
    edges = edges[:, edges[0] != edges[1]]
    return CSR(assemble(torch.cat([edges, edges.flip(0)], dim=1), adj.shape).structure, symmetric=True)
