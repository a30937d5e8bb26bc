"""STABLE: each step against loops or dense algebra, what the public code gets wrong, and that poison goes."""

from __future__ import annotations

import pytest
import torch

from graphkit.data.generated.attacks import poison
from graphkit.data.graph import Graph
from graphkit.models.transforms.stable import ContrastiveEncoder, Stable, jaccard_index
from graphkit.sparse import CSR, as_csr, normalize
from graphkit.sparse.graph_measures import simple_graph
from tests.layers.oracle import messy_graph

N, SMALL = 90, {"channels": 16, "epochs": 30, "lr": 0.02}


@pytest.fixture(scope="module")
def poisoned():
    """A graph of three communities with words of their own, clean and poisoned."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(N) % 3
    linked = (torch.rand(N, N, generator=generator) < torch.where(y[:, None] == y, 0.25, 0.005)).triu(1)
    words = torch.rand(N, 60, generator=generator) < torch.where(torch.arange(60) % 3 == y[:, None], 0.3, 0.05)
    graph = Graph((linked | linked.t()).nonzero().t(), N, x=words.float(), y=y)
    return graph, poison(graph, 0.3, "targeted", generator)


def keys(edge_index):
    return set((edge_index[0] * N + edge_index[1]).tolist())


def test_jaccard_equals_a_loop():
    adj = simple_graph(as_csr(*messy_graph()))
    x = torch.rand(adj.shape[0], 9, generator=torch.Generator().manual_seed(0))
    x = torch.where(x < 0.6, 0.0, x).index_fill(0, torch.tensor([1, 2]), 0.0)
    sets = [set(row.nonzero().view(-1).tolist()) for row in x]
    found = jaccard_index(x, adj).tolist()
    for i, j, value in zip(adj.row.tolist(), adj.col.tolist(), found, strict=True):
        union = sets[i] | sets[j]
        assert value == pytest.approx(len(sets[i] & sets[j]) / len(union) if union else 0.0)


def test_the_contrastive_loss_equals_dense_algebra():
    adj = simple_graph(as_csr(*messy_graph()))
    n, generator = adj.shape[0], torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    encoder = ContrastiveEncoder(6, 4).double()
    torch.nn.init.normal_(encoder.bias)
    x, order = torch.randn(n, 6, dtype=torch.float64, generator=generator), torch.randperm(n, generator=generator)
    operators = [normalize(adj, "gcn", dtype=torch.float64), normalize(adj, "mean", dtype=torch.float64)]
    s, view = (one.to_dense(torch.float64) for one in operators)

    def embed(a, features):
        h = a @ features @ encoder.lin.weight.t() + encoder.bias
        return torch.where(h > 0, h, encoder.act.weight * h)

    total = torch.zeros((), dtype=torch.float64)
    for a in (s, view):
        c = 1 / (1 + (-embed(a, x).mean(0)).exp())
        for h, sign in ((embed(s, x), 1), (embed(s, x[order]), -1)):
            for row in h:
                total = total - (1 / (1 + (-sign * row @ encoder.agree @ c).exp())).log() / (4 * n)
    found = encoder.loss(x, operators[0], tuple(operators), order)
    torch.testing.assert_close(found, total, rtol=0, atol=1e-12)
    parameters = list(encoder.parameters())
    for a, b in zip(torch.autograd.grad(found, parameters), torch.autograd.grad(total, parameters), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


def test_neighbors_are_the_nearest_reliable_ones_and_never_the_node_itself():
    """The public code takes the k nearest with the node itself among them."""
    unit = torch.nn.functional.normalize(torch.randn(20, 3, generator=torch.Generator().manual_seed(0)), dim=1)
    reliable = torch.arange(20) % 3 > 0
    found = {tuple(pair) for pair in Stable(neighbors=4)._nearest(unit, reliable).t().tolist()}
    expected = set()
    for u in range(20):
        others = [v for v in range(20) if v != u and reliable[v]]
        expected |= {(u, v) for v in sorted(others, key=lambda v: -float(unit[u] @ unit[v]))[:4]}
    assert found == expected
    assert Stable(neighbors=0)._nearest(unit, reliable).numel() == 0


def test_the_result_is_undirected_and_belongs_to_its_seed(poisoned):
    """The public code draws its seed from the clock and adds edges in one direction."""
    _, graph = poisoned
    adj, transform = CSR.from_edge_index(graph.edge_index, N), Stable(**SMALL)
    state = torch.get_rng_state()
    first, again, other = (transform(graph.x, adj, seed) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first.edge_index, again.edge_index) and torch.equal(first.x, again.x)
    assert not torch.equal(first.x, other.x)
    source, target = first.edge_index
    assert keys(first.edge_index) == keys(first.edge_index.flip(0)) and not bool((source == target).any())
    assert first.x.shape == (N, 16) and not first.x.requires_grad
    assert transform.embeddings(graph.x, simple_graph(adj), torch.ones(adj.nnz, dtype=torch.bool), 0).shape == (N, 16)


def test_poison_goes_and_edges_stay(poisoned):
    clean, graph = poisoned
    adj = CSR.from_edge_index(graph.edge_index, N)
    made = Stable(neighbors=3, jaccard=0.1, cosine=0.6, **SMALL)(graph.x, adj, 0)
    foreign, own, left = keys(graph.edge_index) - keys(clean.edge_index), keys(clean.edge_index), keys(made.edge_index)
    stay = {name: len(part & left) / len(part) for name, part in (("poison", foreign), ("own", own & keys(graph.edge_index)))}
    assert stay["own"] > stay["poison"] + 0.3, stay
    new = torch.tensor(sorted(left - keys(graph.edge_index)))
    assert float((clean.y[new // N] == clean.y[new % N]).double().mean()) > 0.6, "edges that are added join like nodes"


@pytest.mark.parametrize(("features", "width"), [("embedding", 16), ("both", 76), ("own", None)])
def test_what_a_model_reads(poisoned, features, width):
    _, graph = poisoned
    made = Stable(channels=16, epochs=1, features=features)(graph.x, CSR.from_edge_index(graph.edge_index, N), 0)
    assert (None if made.x is None else made.x.size(1)) == width


def test_what_is_refused(poisoned):
    _, graph = poisoned
    with pytest.raises(ValueError, match="there are none"):
        Stable()(None, CSR.from_edge_index(graph.edge_index, N), 0)
    for options in ({"jaccard": 2.0}, {"cosine": -3.0}, {"lr": 0.0}, {"features": "all"}, {"neighbors": -1}):
        with pytest.raises(ValueError):
            Stable(**options)
