"""Measures of nodes against networkx, which computes them node by node in Python, and against dense algebra."""

import networkx as nx
import pytest
import torch

from graphkit.errors import RequestError
from graphkit.sparse import CSR
from graphkit.sparse.graph_measures import clustering_coefficient, core_number, eigenvector_centrality, pagerank, simple_graph

MEASURES = [clustering_coefficient, core_number, eigenvector_centrality, pagerank]


def two_way(pairs):
    return torch.cat([pairs, pairs.flip(0)], dim=1)


def random_edges(num_nodes, num_edges, seed=0):
    """Directed edges with repeats and self-loops, many at the first nodes; the last two nodes are isolated."""
    generator = torch.Generator().manual_seed(seed)
    draw = torch.rand(2, num_edges, generator=generator) ** 2 * (num_nodes - 2)
    return draw.long()


GRAPHS = {
    "random": (random_edges(60, 300), 60),
    "sparse": (random_edges(80, 90, seed=1), 80),
    "dense": (random_edges(12, 200, seed=2), 12),
    "chain": (torch.tensor([[0, 1, 2, 3], [1, 2, 3, 4]]), 5),
    "two triangles and an edge": (torch.tensor([[0, 1, 2, 2, 3, 4, 5], [1, 2, 0, 3, 4, 2, 6]]), 7),
    "no edge": (torch.zeros(2, 0, dtype=torch.long), 4),
    "no node": (torch.zeros(2, 0, dtype=torch.long), 0),
}
FILLED = sorted(set(GRAPHS) - {"no node"})


def as_networkx(edges, num_nodes, kind=nx.Graph, loops=False):
    graph = kind()
    graph.add_nodes_from(range(num_nodes))
    for source, target in edges.t().tolist():
        if loops or source != target:
            weight = graph.get_edge_data(source, target, {"weight": 0.0})["weight"]
            graph.add_edge(source, target, weight=weight + 1.0)
    return graph


def in_order(values, num_nodes):
    return torch.tensor([values[v] for v in range(num_nodes)], dtype=torch.float64)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", FILLED)
def test_clustering_and_cores_are_networkx_s(name, threads, threads_as_before):
    edges, n = GRAPHS[name]
    torch.set_num_threads(threads)
    graph, adj = as_networkx(edges, n), CSR.from_edge_index(edges, n)
    clustering, core = clustering_coefficient(adj), core_number(adj)
    assert clustering.dtype == torch.float64 and core.dtype == torch.int64
    torch.testing.assert_close(clustering, in_order(nx.clustering(graph), n), rtol=0, atol=1e-14)
    assert core.tolist() == in_order(nx.core_number(graph), n).tolist()


def test_many_nodes_in_several_blocks():
    graph = nx.powerlaw_cluster_graph(700, 4, 0.6, seed=3)
    adj = CSR.from_edge_index(torch.tensor(list(graph.edges)).t(), 700)
    torch.testing.assert_close(clustering_coefficient(adj), in_order(nx.clustering(graph), 700), rtol=0, atol=1e-14)
    assert core_number(adj).tolist() == in_order(nx.core_number(graph), 700).tolist()


@pytest.mark.parametrize("damping", [0.0, 0.5, 0.85])
@pytest.mark.parametrize("name", FILLED)
def test_pagerank_solves_its_equation(name, damping):
    """(I - damping (P + 1 d^T / N)) p = (1 - damping) / N, dense; and networkx finds the same."""
    edges, n = GRAPHS[name]
    step = torch.zeros(n, n, dtype=torch.float64)
    for source, target in edges.t().tolist():
        step[target, source] += 1.0
    for source in range(n):
        step[:, source] = step[:, source] / step[:, source].sum() if step[:, source].any() else 1.0 / n
    right = torch.full((n,), (1.0 - damping) / n, dtype=torch.float64)
    exact = torch.linalg.solve(torch.eye(n, dtype=torch.float64) - damping * step, right)
    for tolerance in (1e-4, 1e-10):
        found = pagerank(CSR.from_edge_index(edges, n), damping=damping, tolerance=tolerance)
        assert float((found - exact).abs().sum()) <= tolerance + 1e-14
    other = nx.pagerank(as_networkx(edges, n, nx.DiGraph, loops=True), alpha=damping, tol=1e-12, max_iter=500)
    torch.testing.assert_close(found, in_order(other, n), rtol=0, atol=1e-9)


def test_pagerank_ends_where_rounding_keeps_it_from_its_tolerance():
    edges, n = GRAPHS["random"]
    adj = CSR.from_edge_index(edges, n)
    torch.testing.assert_close(pagerank(adj, tolerance=1e-300), pagerank(adj, tolerance=1e-13), rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", sorted(set(FILLED) - {"no edge"}))
def test_eigenvector_centrality_is_the_leading_eigenvector(name):
    edges, n = GRAPHS[name]
    adj = CSR.from_edge_index(edges, n)
    values, vectors = torch.linalg.eigh(simple_graph(adj).to_dense(torch.float64))
    found = eigenvector_centrality(adj, tolerance=1e-10)
    torch.testing.assert_close(found, vectors[:, -1].abs(), rtol=0, atol=1e-7)
    assert bool((found >= 0).all())
    loose = eigenvector_centrality(adj, tolerance=1e-3)
    gap = float((values[-1] - values[-2]) / (values[-1] + 1.0))
    assert float((loose - found).norm()) <= 1.01e-3 / gap + 1e-7
    other = nx.eigenvector_centrality(as_networkx(edges, n), max_iter=5000, tol=1e-12)
    torch.testing.assert_close(found, in_order(other, n), rtol=0, atol=1e-7)


def test_eigenvector_centrality_without_edges_is_even():
    assert eigenvector_centrality(CSR.from_edge_index(GRAPHS["no edge"][0], 4)).tolist() == [0.5] * 4


def test_close_eigenvalues_are_told():
    chain = torch.arange(400)
    adj = CSR.from_edge_index(torch.stack([chain[:-1], chain[1:]]), 400)
    with pytest.raises(RequestError, match="not known to 1e-09 after 50 steps"):
        eigenvector_centrality(adj, tolerance=1e-9, max_steps=50)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_graph_without_nodes_has_no_values(measure):
    assert measure(CSR.from_edge_index(GRAPHS["no node"][0], 0)).numel() == 0


@pytest.mark.parametrize("measure", MEASURES)
def test_absent_edges_do_not_count(measure):
    edges, n = GRAPHS["random"]
    adj = CSR(CSR.from_edge_index(edges, n).structure)
    kept = adj.edge_index()[:, [e for e in range(adj.nnz) if e % 3]]
    expected = measure(CSR.from_edge_index(kept, n))
    torch.testing.assert_close(measure(adj.without(torch.arange(0, adj.nnz, 3))), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("measure", [clustering_coefficient, core_number, eigenvector_centrality])
def test_direction_and_weights_do_not_matter(measure):
    edges, n = GRAPHS["sparse"]
    both = two_way(edges)
    weighted = CSR.from_edge_index(both, n, torch.rand(both.size(1)))
    assert torch.equal(measure(CSR.from_edge_index(edges, n)), measure(weighted))
    assert simple_graph(weighted) is simple_graph(weighted) and simple_graph(weighted).symmetric


def test_pagerank_follows_weights_and_direction():
    adj = CSR.from_edge_index(torch.tensor([[0, 0], [1, 2]]), 3, torch.tensor([3.0, 1.0]))
    p = pagerank(adj)
    assert p[1] > p[2] > p[0]
    graph = nx.DiGraph()
    graph.add_weighted_edges_from([(0, 1, 3.0), (0, 2, 1.0)])
    torch.testing.assert_close(p, in_order(nx.pagerank(graph, tol=1e-12), 3), rtol=0, atol=1e-8)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_rectangle_is_refused(measure):
    with pytest.raises(ValueError, match="needs a square operator, got 3 x 2"):
        measure(CSR.from_edge_index(torch.tensor([[0], [2]]), (3, 2)))


@pytest.mark.parametrize(
    ("measure", "arguments", "message"),
    [
        (pagerank, {"damping": 1.0}, r"damping must lie in \[0, 1\)"),
        (pagerank, {"tolerance": 0.0}, "tolerance above 0"),
        (eigenvector_centrality, {"tolerance": 0.0}, "tolerance must lie above 0"),
        (eigenvector_centrality, {"max_steps": 0}, "max_steps at 1 or more"),
    ],
)
def test_wrong_numbers_are_refused(measure, arguments, message):
    with pytest.raises(ValueError, match=message):
        measure(CSR.from_edge_index(torch.tensor([[0], [1]]), 2), **arguments)


def test_negative_values_are_refused():
    adj = CSR.from_edge_index(torch.tensor([[0], [1]]), 2, torch.tensor([-1.0]))
    with pytest.raises(ValueError, match="not negative"):
        pagerank(adj)
