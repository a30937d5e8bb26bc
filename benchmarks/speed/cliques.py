"""Which nodes share how many cliques, against a product of sparse matrices and a list of all cliques."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import networkx as nx
import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from benchmarks.speed.graphs import skewed_pairs
from benchmarks.speed.harness import Case, Contest, Options, Results, Side, Work
from graphkit.sparse import CSR
from graphkit.sparse.graph_measures import clique_pairs


def contests(options: Options) -> Iterator[Contest]:
    """Triangles by A^2 where A has entries, which works for them alone; cliques of four by listing, as HiGCN's authors do."""
    n, m = (200, 1_500) if options.quick else (20_000, 200_000)
    pairs = skewed_pairs(n, m, torch.Generator().manual_seed(0))
    edges = torch.cat([pairs, pairs.flip(0)], dim=1)
    peers = {
        3: Side("scipy: A^2 at A's entries", lambda: _by_product(edges, n)),
        4: Side("networkx", lambda: _listed(pairs, n, 4)),
    }
    for size, peer in peers.items():
        found = _entries(clique_pairs(CSR.from_edge_index(edges, n), size))
        ours = Side("graphkit", lambda size=size: _entries(clique_pairs(CSR.from_edge_index(edges, n), size)))
        label = f"cliques of {size} nodes, {n:,} nodes, {pairs.size(1):,} edges"
        work = Work("the graph read and the result written once, at the copy rate", bytes=float(edges.nbytes + _bytes(found)))
        yield Contest([Case(label, ours, peer, work)])


def _entries(matrix: CSR) -> Results:
    return {"to": matrix.row, "from": matrix.col, "cliques": matrix.weights(torch.float64)}


def _bytes(results: Results) -> int:
    return sum(one.nbytes for one in results.values())


def _by_product(edges: Tensor, n: int) -> Results:
    """Common neighbors of adjacent nodes, and half of a row's sum, which counts each triangle at a node twice, beside them."""
    a = sparse.csr_array((np.ones(edges.size(1)), (edges[1].numpy(), edges[0].numpy())), shape=(n, n))
    common = (a @ a).multiply(a).tocsr()
    return _sorted((common + sparse.diags_array(common.sum(1) / 2)).tocsr())


def _listed(pairs: Tensor, n: int, size: int) -> Results:
    """Every clique in turn, its pairs counted in a dictionary."""
    graph = nx.Graph(pairs.t().tolist())
    counts: dict[tuple[int, int], float] = {}
    for clique in nx.enumerate_all_cliques(graph):
        if len(clique) > size:
            break
        if len(clique) == size:
            for pair in itertools.product(clique, repeat=2):
                counts[pair] = counts.get(pair, 0.0) + 1.0
    index = np.array(list(counts), dtype=np.int64).reshape(-1, 2)
    values = np.fromiter(counts.values(), dtype=np.float64)
    return _sorted(sparse.csr_array((values, (index[:, 0], index[:, 1])), shape=(n, n)))


def _sorted(matrix: sparse.csr_array) -> Results:
    matrix.eliminate_zeros()
    matrix.sort_indices()
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    index = (torch.from_numpy(part.astype(np.int64)) for part in (rows, matrix.indices))
    to, source = index
    return {"to": to, "from": source, "cliques": torch.from_numpy(matrix.data)}
