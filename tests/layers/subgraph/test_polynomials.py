"""Polynomial features against counts by loops, and on graphs that 2-FWL cannot tell apart."""

import itertools

import networkx as nx
import pytest
import torch

from graphkit import testing
from graphkit.layers import pair_polynomials
from graphkit.layers.subgraph import polynomials
from graphkit.sparse.egonets import ego_bags, whole_bags
from tests.sparse.egonets import oracle


@pytest.mark.parametrize("chunk", [2**24, 100])
@pytest.mark.parametrize("degree", [1, 3, 5, 6, 7])
def test_polynomials_equal_the_oracle(degree, chunk, monkeypatch):
    monkeypatch.setattr(polynomials, "_CHUNK", chunk)
    edge_index, ptr = oracle.batch(directed=True)
    bags = whole_bags(edge_index, ptr)
    near = oracle.neighbors(edge_index, int(ptr[-1]))
    expected = []
    for u, v in oracle.rows(bags):
        walks, row = {u: 1}, []
        for _ in range(degree):
            following = {}
            for w, count in walks.items():
                for x in near[w]:
                    following[x] = following.get(x, 0) + count
            walks = following
            row.append(walks.get(v, 0))
        if degree >= 5:
            row.append(sum(k in near[u] & near[v] and w in near[u] & near[v] & near[k] for k in range(20) for w in near[k]))
        if degree >= 6:
            row.append(row[-1] * (v in near[u]))
        expected.append(row)
    assert pair_polynomials(bags, degree).tolist() == expected


def test_degree_six_tells_rook_from_shrikhande():
    rook = nx.line_graph(nx.complete_bipartite_graph(4, 4))
    steps = [(0, 1), (1, 0), (1, 1)]
    cells = list(itertools.product(range(4), repeat=2))
    shrikhande = nx.Graph(((a, b), ((a + s) % 4, (b + t) % 4)) for a, b in cells for s, t in steps)
    totals = []
    for graph in (rook, shrikhande):
        edges = torch.tensor(list(nx.convert_node_labels_to_integers(graph).edges)).t()
        bags = whole_bags(torch.cat([edges, edges.flip(0)], dim=1), torch.tensor([0, 16]))
        totals.append(pair_polynomials(bags, 6).double().sum(0).tolist())
    assert totals[0][:6] == totals[1][:6]  # walks tell nothing
    cliques = [sum(len(c) == 4 for c in nx.enumerate_all_cliques(graph)) for graph in (rook, shrikhande)]
    assert cliques == [8, 0] and [total[7] for total in totals] == [24.0 * count for count in cliques]


def test_wrong_arguments_are_refused():
    _, edge_index, ptr = testing.graph_batch()
    with pytest.raises(ValueError, match="degree must be at least 1"):
        pair_polynomials(whole_bags(edge_index, ptr), 0)
    with pytest.raises(ValueError, match="take whole_bags"):
        pair_polynomials(ego_bags(edge_index, ptr, 1), 2)
