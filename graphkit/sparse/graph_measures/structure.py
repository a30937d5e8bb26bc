"""Measures of how the neighborhood of a node is knit. Computed on the CPU, wherever the graph lies: once per graph."""

from __future__ import annotations

import torch
from torch import Tensor

from graphkit.sparse.compiled.work import parallel_for
from graphkit.sparse.csr import CSR
from graphkit.sparse.graph_measures.kernels import peel, triangles
from graphkit.sparse.graph_measures.undirected import simple_graph
from graphkit.sparse.structure import pointers, untraced


@untraced
def clustering_coefficient(adj: CSR) -> Tensor:
    """Share of the pairs of a node's neighbors that are neighbors of each other: 2 T_i / (d_i (d_i - 1)), from 0 to 1.

    T_i are the triangles at i and d_i its neighbors in the simple graph behind the operator (`simple_graph`). Each edge is
    oriented from its end of lower degree to the other, so that m edges cost at most O(m^1.5) steps, whatever the hubs.

    Args:
        adj: A [N, N]; an edge in one direction counts as one in both, self-loops and values do not matter.

    Returns:
        [N], float64; 0 for nodes with fewer than two neighbors.

    Raises:
        ValueError: The operator is not square.

    Source: Watts and Strogatz, Nature 1998; the orientation: Schank and Wagner, WEA 2005.
    """
    graph = simple_graph(adj)
    degree = graph.degree().cpu()
    row, col = graph.row.cpu(), graph.col.cpu()
    rank = torch.empty_like(degree).scatter_(0, degree.argsort(stable=True), torch.arange(degree.numel()))
    upward = rank[row] < rank[col]
    rowptr = pointers(torch.bincount(row[upward], minlength=degree.numel()))
    counts = torch.zeros(torch.get_num_threads(), degree.numel(), dtype=torch.int64)
    parallel_for(triangles, rowptr, col[upward], torch.zeros(1, dtype=torch.int64), counts)
    pairs = degree * (degree - 1)
    return (2.0 * counts.sum(0).double() / pairs.clamp(min=1)).to(adj.device)


@untraced
def core_number(adj: CSR) -> Tensor:
    """The largest k for which a node lies in a subgraph whose nodes all have at least k neighbors there.

    Args:
        adj: A [N, N]; an edge in one direction counts as one in both, self-loops and values do not matter.

    Returns:
        [N], int64; 0 for isolated nodes.

    Raises:
        ValueError: The operator is not square.

    Source: Batagelj and Zaversnik, "An O(m) Algorithm for Cores Decomposition of Networks", 2003.
    """
    graph = simple_graph(adj)
    core = graph.degree().cpu()
    peel(graph.rowptr.cpu().numpy(), graph.col.cpu().numpy(), core.numpy())
    return core.to(adj.device)
