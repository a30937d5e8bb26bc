"""HeaRT's hard negatives against loops over nodes with measures from networkx."""

from __future__ import annotations

import math

import networkx
import pytest
import torch

from graphkit.data.splits import hard_negatives as module
from graphkit.data.splits.edges import both_directions
from graphkit.data.splits.hard_negatives import hard_negatives
from graphkit.sparse import CSR

NODES = 40


def drawn(features: bool, count: int = 12, seed: int = 0):
    """A sparse graph in two parts, some edges held out as pairs, one further known edge; and the negatives."""
    graph = networkx.disjoint_union(networkx.gnm_random_graph(28, 60, seed=3), networkx.path_graph(NODES - 28))
    edges = torch.tensor(list(graph.edges())).t()
    order = torch.randperm(edges.size(1), generator=torch.Generator().manual_seed(1))
    pairs, known, train = edges[:, order[:9]], edges[:, order[9:11]], edges[:, order[11:]]
    adj = CSR.from_edge_index(both_directions(train, NODES), NODES)
    barred = CSR.from_edge_index(both_directions(torch.cat([train, known], dim=1), NODES), NODES)
    x = torch.randn(NODES, 5, generator=torch.Generator().manual_seed(2)) if features else None
    found = hard_negatives(pairs, adj, barred, torch.Generator().manual_seed(seed), count=count, x=x)
    return found.view(2, pairs.size(1), -1), pairs, train, torch.cat([train, known], dim=1), x


def ranks_of(node: int, train, known, x):
    """The best rank of every candidate of a node, infinite for nodes that all measures give zero."""
    graph = networkx.Graph()
    graph.add_nodes_from(range(NODES))
    graph.add_edges_from(train.t().tolist())
    neighbors = {v for u, v in known.t().tolist() if u == node} | {u for u, v in known.t().tolist() if v == node}
    candidates = [v for v in range(NODES) if v != node and v not in neighbors]
    shares = networkx.pagerank(graph, alpha=0.85, personalization={node: 1.0}, tol=1e-14, max_iter=1000)
    measures = [
        {v: sum(1 / graph.degree[u] for u in networkx.common_neighbors(graph, node, v)) for v in candidates},
        {v: shares[v] if shares[v] > 1e-7 else 0.0 for v in candidates},
    ]
    if x is not None:
        row = x.double()
        cosine = {
            v: float(row[node] @ row[v]) / math.sqrt(float(row[node] @ row[node]) * float(row[v] @ row[v])) for v in candidates
        }
        measures.append({v: max(0.0, value) for v, value in cosine.items()})
    best = {v: min(1 + sum(other > measure[v] for other in measure.values()) for measure in measures) for v in candidates}
    return {v: best[v] if any(measure[v] > 0 for measure in measures) else math.inf for v in candidates}


@pytest.mark.parametrize("features", [False, True])
def test_each_end_keeps_its_best_candidates(features: bool) -> None:
    negatives, pairs, train, known, x = drawn(features)
    half = negatives.size(2) // 2
    assert half == 6
    for p, (i, j) in enumerate(pairs.t().tolist()):
        assert (negatives[0, p, :half] == i).all() and (negatives[1, p, half:] == j).all()
        for node, other, chosen in ((i, j, negatives[1, p, :half]), (j, i, negatives[0, p, half:])):
            ranks = ranks_of(node, train, known, x)
            taken = chosen.tolist()
            assert len(set(taken)) == half and other not in taken and set(taken) <= set(ranks)
            best = sorted(rank for v, rank in ranks.items() if v != other)[:half]
            assert sorted(ranks[v] for v in taken) == best


def test_a_seed_repeats_and_ties_are_drawn() -> None:
    first, again, other = drawn(False)[0], drawn(False)[0], drawn(False, seed=1)[0]
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_blocks_of_nodes_change_nothing_but_ties(monkeypatch) -> None:
    whole, pairs, train, known, x = drawn(True)
    monkeypatch.setattr(module, "_CELLS", 1)
    parts = drawn(True)[0]
    for p, (i, _) in enumerate(pairs.t().tolist()):
        ranks = ranks_of(i, train, known, x)
        assert sorted(ranks[v] for v in whole[1, p, :6].tolist()) == sorted(ranks[v] for v in parts[1, p, :6].tolist())


def test_few_candidates_give_fewer_negatives_and_none_is_refused() -> None:
    star = torch.tensor([[0, 0, 0], [1, 2, 3]])
    adj = CSR.from_edge_index(both_directions(star, 6), 6)
    generator = torch.Generator().manual_seed(0)
    found = hard_negatives(torch.tensor([[0], [4]]), adj, adj, generator, count=500)
    assert found.tolist() == [[0, 5], [5, 4]] or found.shape == (2, 2)
    with pytest.raises(ValueError, match="a node has 3 known neighbors among 5 nodes, which leaves no hard negative"):
        small = CSR.from_edge_index(both_directions(star, 5), 5)
        hard_negatives(torch.tensor([[0], [4]]), small, small, generator)
