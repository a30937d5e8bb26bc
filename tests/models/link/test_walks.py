"""Katz and personalized PageRank against walks counted in dense integer powers, networkx and a dense solve."""

from __future__ import annotations

import math

import networkx
import pytest
import torch
from torch import Tensor

from graphkit.models.link import walks
from graphkit.models.link.walks import Katz, PersonalizedPageRank
from graphkit.sparse import CSR
from tests.models.link.test_heuristics import NODES, random_graph

EVERY = torch.cartesian_prod(torch.arange(NODES), torch.arange(NODES)).t()


def dense_katz(adjacency: Tensor, beta: float, length: int) -> Tensor:
    counts, total = torch.eye(NODES, dtype=torch.int64), torch.zeros(NODES, NODES, dtype=torch.float64)
    for k in range(1, length + 1):
        counts = counts @ adjacency.long()
        total += beta**k * counts.double()
    return total


@pytest.mark.parametrize(("beta", "length"), [(0.005, 3), (0.3, 1), (0.05, 7)])
@pytest.mark.parametrize("density", [0.05, 0.4])
def test_katz_counts_walks(beta: float, length: int, density: float) -> None:
    graph, adj = random_graph(1, density)
    expected = dense_katz(torch.from_numpy(networkx.to_numpy_array(graph)), beta, length)
    found = Katz(beta=beta, length=length)(None, adj, EVERY)
    torch.testing.assert_close(found, expected.flatten(), rtol=1e-12, atol=0)


def test_long_walks_are_all_walks() -> None:
    graph, adj = random_graph(2)
    adjacency = torch.from_numpy(networkx.to_numpy_array(graph))
    beta = 0.5 / float(torch.linalg.eigvalsh(adjacency).max())
    unit = torch.eye(NODES, dtype=torch.float64)
    expected = torch.linalg.inv(unit - beta * adjacency) - unit
    torch.testing.assert_close(Katz(beta=beta, length=60)(None, adj, EVERY), expected.flatten(), rtol=0, atol=1e-12)


def test_pairs_with_equally_many_walks_tie() -> None:
    """On a ring all pairs at one distance have the same score, to the last bit, in any order and from either end."""
    nodes = torch.arange(31)
    edges = torch.stack([nodes, (nodes + 1) % 31])
    adj = CSR.from_edge_index(torch.cat([edges, edges.flip(0)], dim=1), 31)
    pairs = torch.stack([nodes, (nodes + 3) % 31])
    scores = Katz(beta=0.07, length=9)(None, adj, torch.cat([pairs, pairs.flip(0)], dim=1))
    assert len(scores.unique()) == 1 and scores[0] > 0


@pytest.mark.parametrize("restart", [0.15, 0.6])
@pytest.mark.parametrize("density", [0.05, 0.4])
def test_pagerank_equals_a_dense_solve(restart: float, density: float) -> None:
    """(I - (1 - restart) P) p_i = restart e_i, P = A D^-1; without an edge a walk ends."""
    graph, adj = random_graph(5, density)
    adjacency = torch.from_numpy(networkx.to_numpy_array(graph))
    moves = adjacency / adjacency.sum(0).clamp(min=1)
    shares = restart * torch.linalg.inv(torch.eye(NODES, dtype=torch.float64) - (1 - restart) * moves)
    found = PersonalizedPageRank(restart=restart, tolerance=1e-12)(None, adj, EVERY)
    torch.testing.assert_close(found, (shares + shares.t()).flatten(), rtol=0, atol=1e-11)
    rough = PersonalizedPageRank(restart=restart, tolerance=1e-2)(None, adj, EVERY)
    lost = (found - rough).view(NODES, NODES).sum(1)
    assert (lost > -1e-12).all() and 1e-4 < float(lost.max()) < 2e-2 * NODES


def test_pagerank_equals_networkx() -> None:
    graph, adj = random_graph(6, 0.3)
    graph.remove_node(0)  # which has no edge: networkx would jump from there
    shares = {u: networkx.pagerank(graph, alpha=0.85, personalization={u: 1.0}, tol=1e-13, max_iter=500) for u in (3, 8, 17)}
    pairs = torch.tensor([[3, 3, 8], [8, 17, 17]])
    expected = [shares[u][v] + shares[v][u] for u, v in pairs.t().tolist()]
    found = PersonalizedPageRank(tolerance=1e-13)(None, adj, pairs)
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-10)


@pytest.mark.parametrize("model", [Katz(beta=0.05, length=5), PersonalizedPageRank()], ids=["katz", "ppr"])
def test_blocks_of_sources_change_nothing_and_absent_edges_do_not_count(model, monkeypatch) -> None:
    graph, adj = random_graph(4)
    gone = list(graph.edges())[5:30]
    graph.remove_edges_from(gone)
    edges = torch.tensor(list(graph.edges())).t()
    rebuilt = CSR.from_edge_index(torch.cat([edges, edges.flip(0)], dim=1), NODES)
    pairs = EVERY[:, torch.randperm(NODES**2, generator=torch.Generator().manual_seed(0))[:150]]
    expected = model(None, rebuilt, pairs)
    left = adj.without(adj.positions(torch.tensor(gone).t()), mirror=True)
    torch.testing.assert_close(model(None, left, pairs), expected, rtol=0, atol=1e-14)
    weighted = rebuilt.with_value(torch.rand(rebuilt.nnz) + 1.0)
    torch.testing.assert_close(model(None, weighted, pairs), expected, rtol=0, atol=1e-14)
    monkeypatch.setattr(walks, "_CELLS", 0)
    monkeypatch.setattr(walks, "_LEAST", 7)  # seven columns at a time
    torch.testing.assert_close(model(None, rebuilt, pairs), expected, rtol=0, atol=1e-14)
    assert model(None, rebuilt, pairs[:, :0]).shape == (0,)


def test_nodes_renamed_keep_their_scores() -> None:
    _, adj = random_graph(7)
    names = torch.randperm(NODES, generator=torch.Generator().manual_seed(1))
    renamed = CSR.from_edge_index(names[adj.edge_index()], NODES)
    for model in (Katz(), PersonalizedPageRank()):
        torch.testing.assert_close(model(None, renamed, names[EVERY]), model(None, adj, EVERY), rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Katz(beta=0.0), r"beta must lie in \(0, 1\]"),
        (lambda: Katz(length=0), "length must be at least 1"),
        (lambda: PersonalizedPageRank(restart=1.0), "restart must lie between 0 and 1"),
        (lambda: PersonalizedPageRank(tolerance=math.nan), "tolerance must lie between 0 and 1"),
    ],
)
def test_numbers_out_of_range_are_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_there_is_nothing_to_learn() -> None:
    assert not any(kind.trained or list(kind().parameters()) for kind in (Katz, PersonalizedPageRank))
