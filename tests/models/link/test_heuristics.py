"""Common neighbors, Adamic-Adar and resource allocation against networkx and against dense products."""

import math
from itertools import combinations

import networkx
import pytest
import torch

from graphkit.models.link.heuristics import AdamicAdar, CommonNeighbors, ResourceAllocation
from graphkit.sparse import CSR, NeighborSets

NODES = 40
WEIGHTS = {
    CommonNeighbors: lambda degree: 1.0,
    AdamicAdar: lambda degree: 1.0 / math.log(degree) if degree > 1 else 0.0,
    ResourceAllocation: lambda degree: 1.0 / degree if degree > 0 else 0.0,
}
BY_NETWORKX = {
    CommonNeighbors: lambda graph, pairs: [(u, v, len(list(networkx.common_neighbors(graph, u, v)))) for u, v in pairs],
    AdamicAdar: networkx.adamic_adar_index,
    ResourceAllocation: networkx.resource_allocation_index,
}


def random_graph(seed, density=0.15):
    """Without self-loops; node 0 is isolated, node 1 has a single neighbor."""
    graph = networkx.gnp_random_graph(NODES, density, seed=seed)
    graph.remove_edges_from([*graph.edges(0), *graph.edges(1)])
    graph.add_edge(1, 2)
    edges = torch.tensor(list(graph.edges())).t()
    return graph, CSR.from_edge_index(torch.cat([edges, edges.flip(0)], dim=1), NODES)


def scores(model, adj, pairs, method="auto"):
    return model.head(*model.pair_features(model.encode(None, adj), NeighborSets(adj, method), pairs))


@pytest.mark.parametrize("method", ["bitset", "sorted", "dense", "search"])
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("kind", WEIGHTS)
def test_equals_networkx(kind, seed, method):
    graph, adj = random_graph(seed)
    wanted = list(combinations(range(NODES), 2))
    expected = [score for _, _, score in BY_NETWORKX[kind](graph, wanted)]
    found = scores(kind(), adj, torch.tensor(wanted).t(), method)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-12)
    torch.testing.assert_close(scores(kind(), adj, torch.tensor(wanted).t().flip(0), method), found, rtol=0, atol=0)


@pytest.mark.parametrize("density", [0.02, 0.6])
@pytest.mark.parametrize("kind", WEIGHTS)
def test_equals_dense_product(kind, density):
    """All ordered pairs, those of one node included: A diag(w) A."""
    graph, adj = random_graph(3, density)
    dense = torch.from_numpy(networkx.to_numpy_array(graph))
    weight = torch.tensor([WEIGHTS[kind](graph.degree(node)) for node in range(NODES)], dtype=torch.float64)
    expected = dense @ torch.diag(weight) @ dense
    every = torch.cartesian_prod(torch.arange(NODES), torch.arange(NODES)).t()
    torch.testing.assert_close(scores(kind(), adj, every), expected.flatten(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", WEIGHTS)
def test_absent_edges_count_neither_as_neighbors_nor_in_degrees(kind):
    graph, adj = random_graph(4)
    gone = list(graph.edges())[5:30]
    graph.remove_edges_from(gone)
    wanted = list(combinations(range(NODES), 2))
    expected = torch.tensor([score for _, _, score in BY_NETWORKX[kind](graph, wanted)], dtype=torch.float64)
    left = adj.without(adj.positions(torch.tensor(gone).t()), mirror=True)
    torch.testing.assert_close(kind()(None, left, torch.tensor(wanted).t()), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", WEIGHTS)
def test_there_is_nothing_to_learn(kind):
    assert not kind.trained and not list(kind().parameters())
