"""Cliques of a graph, listed block by block: which nodes share how many. Computed on the CPU, wherever the graph lies."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from graphkit.sparse.csr import CSR
from graphkit.sparse.graph_measures.undirected import simple_graph
from graphkit.sparse.structure import Structure, pointers, untraced

_BLOCK = 2**21  # nodes tried at a time as the next of a clique


@untraced
def clique_pairs(adj: CSR, size: int) -> CSR:
    """How many cliques of a size two nodes share: H H^T with the incidence H [N, number of cliques].

    Entry (i, j) counts the cliques that hold i and j, entry (i, i) those that hold i. No clique is kept and no H is made: what
    is stored are pairs of adjacent nodes. Nodes are ordered by degree and each clique is found once, by adding to a smaller one
    a later node that all its nodes are adjacent to, tried among those after the node that has fewest. m edges have at most
    O(m^(size / 2)) cliques.

    Args:
        adj: A [N, N]; an edge in one direction counts as one in both, self-loops and values do not matter.
        size: Nodes of a clique, at least 1.

    Returns:
        Symmetric [N, N], float64, with entries where there is a clique.

    Raises:
        ValueError: The operator is not square, or `size` is below 1.

    Source: the order by degree: Chiba and Nishizeki, SIAM Journal on Computing 1985.
    """
    if size < 1:
        raise ValueError(f"size must be at least 1, got {size}.")
    graph = simple_graph(adj).to("cpu")
    n = graph.shape[0]
    order = graph.degree().argsort(stable=True)
    rank = torch.empty_like(order).scatter_(0, order, torch.arange(n))
    later = CSR.from_edge_index(rank[graph.edge_index()].sort(dim=0, descending=True).values, n).structure
    nodes, edges = torch.zeros(n, dtype=torch.int64), torch.zeros(later.nnz, dtype=torch.int64)
    for cliques in _cliques(later, torch.arange(n).unsqueeze(1), size):
        nodes += torch.bincount(cliques.flatten(), minlength=n)
        for a, b in torch.combinations(torch.arange(size)).tolist():
            key = cliques[:, a] * n + cliques[:, b]
            edges += torch.bincount(torch.searchsorted(later.key, key), minlength=later.nnz)
    pairs = torch.stack([order[later.row], order[later.col]])
    index = torch.cat([pairs, pairs.flip(0), order.repeat(2, 1)], dim=1)
    counts = torch.cat([edges, edges, nodes]).double()
    kept = counts > 0
    found = CSR.from_edge_index(index[:, kept], n, counts[kept])
    return CSR(found.structure, found.value, symmetric=True).to(adj.device)


def _cliques(later: Structure, cliques: Tensor, size: int) -> Iterator[Tensor]:
    """Blocks [B, size] of the cliques that begin with these [C, s], nodes ascending; `later`: edges from lower to higher."""
    if cliques.size(1) == size:
        yield cliques
        return
    degree = later.rowptr.diff()
    fewest, place = degree[cliques].min(dim=1)
    source = cliques.gather(1, place.unsqueeze(1)).squeeze(1)
    ends = fewest.cumsum(0)
    start = 0
    while start < len(cliques):
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(torch.searchsorted(ends, before + _BLOCK, right=True)))
        block = slice(start, stop)
        yield from _cliques(later, _extended(later, cliques[block], source[block], fewest[block]), size)
        start = stop


def _extended(later: Structure, cliques: Tensor, source: Tensor, count: Tensor) -> Tensor:
    """The cliques [C', s + 1] that are one of these [C, s] and a later node, one of the `count` after its node `source`."""
    ptr = pointers(count)
    which = torch.arange(len(cliques)).repeat_interleave(count)
    added = later.col[torch.arange(len(which)) - ptr[which] + later.rowptr[source][which]]
    for column in range(cliques.size(1)):
        key = cliques[which, column] * later.shape[1] + added
        place = torch.searchsorted(later.key, key).clamp(max=later.nnz - 1)
        found = later.key[place] == key
        which, added = which[found], added[found]
    return torch.cat([cliques[which], added.unsqueeze(1)], dim=1)
