"""TEDDY: scores and projection against loops, what stays of a graph, and the order of its training."""

from __future__ import annotations

import math

import pytest
import torch

from graphkit.models.node.base import NodeView
from graphkit.models.node.classic import GCN
from graphkit.models.node.fastrp import FastRPModel
from graphkit.models.transforms.teddy import SparseTraining, Teddy, edge_scores
from graphkit.sparse import CSR, as_csr
from graphkit.sparse.graph_measures import simple_graph
from tests.layers.oracle import messy_graph


def neighbors_of(adj):
    """Sets of neighbors in either direction, without loops."""
    near = [set() for _ in range(adj.shape[0])]
    for u, v in adj.edge_index().t().tolist():
        if u != v:
            near[u].add(v)
            near[v].add(u)
    return near


def scores_by_loops(near):
    g = [sum(len(near[w]) ** -0.5 for w in near[u]) / len(near[u]) if near[u] else 0.0 for u in range(len(near))]
    return {(u, v): g[u] * g[v] / (len(near[u]) * len(near[v])) for u in range(len(near)) for v in near[u]}


def test_scores_equal_loops_and_are_symmetric_bit_for_bit():
    adj = as_csr(*messy_graph())
    graph, expected = simple_graph(adj), scores_by_loops(neighbors_of(adj))
    found = edge_scores(graph)
    for u, v, score in zip(graph.row.tolist(), graph.col.tolist(), found.tolist(), strict=True):
        assert score == pytest.approx(expected[u, v], rel=1e-12)
    assert torch.equal(found, found[graph.structure.perm]) and found.dtype == torch.float64


@pytest.mark.parametrize("share", [0.25, 0.6, 1.0])
def test_the_highest_scores_stay_and_loops_do(share):
    edge_index, n = messy_graph()
    adj = as_csr(edge_index, n)
    adj = adj.with_value(torch.arange(1.0, adj.nnz + 1))
    made = Teddy(edges=share)(None, adj, 0)
    scores = scores_by_loops(neighbors_of(adj))
    pairs = sorted(((u, v) for u, v in scores if u < v), key=lambda pair: (-round(scores[pair], 14), pair))
    kept = set(pairs[: round(share * len(pairs))])
    edges = [tuple(edge) for edge in adj.edge_index().t().tolist()]
    expected = [(u, v) for u, v in edges if u == v or (min(u, v), max(u, v)) in kept]
    assert [tuple(edge) for edge in made.edge_index.t().tolist()] == expected
    weights = dict(zip(edges, adj.weights(torch.float32).tolist(), strict=True))
    assert made.edge_weight.tolist() == [weights[edge] for edge in expected] and made.x is None
    assert f"{len(kept)} of {len(pairs)} pairs" in made.told


def test_permutation_equivariance():
    generator = torch.Generator().manual_seed(0)
    linked = (torch.rand(40, 40, generator=generator) < 0.2).triu(1)
    adj = as_csr((linked | linked.t()).nonzero().t(), 40)
    order = torch.randperm(40, generator=generator)
    moved = CSR.from_edge_index(order.argsort()[adj.edge_index()], 40)
    first, second = (Teddy(edges=0.4)(None, one, 0).edge_index for one in (adj, moved))
    scores = edge_scores(simple_graph(adj)).unique()
    assert float((scores.diff() / scores[1:]).min()) > 1e-9, "ties would be cut by ids"
    assert {tuple(edge) for edge in first.t().tolist()} == {tuple(edge) for edge in order[second].t().tolist()}


def training_of(**options):
    edge_index, n = messy_graph()
    adj = as_csr(edge_index, n)
    torch.manual_seed(0)
    model = SparseTraining(GCN(6, 3, hidden_channels=5, dropout=0.0), 3, n, dense=adj, **options).double()
    x = torch.rand(n, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    y = torch.where(torch.arange(n) % 3 == 0, -1, torch.arange(n) % 3)
    made = Teddy(edges=0.5)(x, adj, 0)
    return model, NodeView(x, CSR.from_edge_index(made.edge_index, n), y), NodeView(x, adj, y)


def test_projection_keeps_the_largest_parameters_of_all():
    model, _, _ = training_of(weights=0.3)
    before = {name: value.detach().clone() for name, value in model.model.named_parameters()}
    sizes = sorted((abs(v) for value in before.values() for v in value.flatten().tolist()), reverse=True)
    bound = sizes[math.ceil(0.3 * len(sizes)) - 1]
    model.project()
    for name, value in model.model.named_parameters():
        torch.testing.assert_close(value, torch.where(before[name].abs() >= bound, before[name], 0.0))
    assert sum(int((value != 0).sum()) for value in model.model.parameters()) == math.ceil(0.3 * len(sizes))


def test_divergence_and_its_gradient_equal_dense_algebra():
    model, view, _ = training_of()
    model.teacher.copy_(torch.randn(model.teacher.shape, generator=torch.Generator().manual_seed(2)))
    parameters = list(model.model.parameters())
    z, t = model(view.x, view.adj), model.teacher
    p, q = z.exp() / z.exp().sum(1, keepdim=True), t.exp() / t.exp().sum(1, keepdim=True)
    expected = sum(((row * (row / other).log()).sum() for row, other in zip(p, q, strict=True)), torch.zeros(())) / len(z)
    found = model.divergence(view)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    for a, b in zip(torch.autograd.grad(found, parameters), torch.autograd.grad(expected, parameters), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


def test_stages_teach_start_again_and_project():
    model, view, whole = training_of(weights=0.4, distill=0.5, dense_epochs=3)
    initial = {name: value.clone() for name, value in model.model.state_dict().items()}

    def usual(given, nodes, backward):
        loss = given.training_loss(view, nodes)
        backward(loss)
        return loss.detach()

    dense, teach, sparse = model.stages(view, usual, lr=0.1, head_lr=None)
    assert [(s.name, s.epochs, s.selects) for s in (dense, teach, sparse)] == [
        ("dense train", 3, False), ("teacher", 1, False), ("train", None, True),
    ]  # fmt: skip
    loss = dense.step(model, view.nodes, lambda loss: loss.backward())
    torch.testing.assert_close(loss, model.model.training_loss(whole, whole.nodes)), "of the whole graph"
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1
    told = model(whole.x, whole.adj).detach()
    teach.after_epoch(1)
    torch.testing.assert_close(model.teacher, told)
    assert all(torch.equal(value, initial[name]) for name, value in model.model.state_dict().items())
    model.zero_grad()
    loss = sparse.step(model, view.nodes, lambda loss: loss.backward())
    zeros = sum(int((value == 0).sum()) for value in model.model.parameters())
    count = sum(value.numel() for value in model.model.parameters())
    assert zeros == count - math.ceil(0.4 * count), "weights are projected before a step"
    torch.testing.assert_close(loss, model.model.training_loss(view, view.nodes) + 0.5 * model.divergence(view))
    with torch.no_grad():
        model.model.network.head.bias.fill_(9.0)
    sparse.after_epoch(1)
    assert sum(int((value == 0).sum()) for value in model.model.parameters()) >= zeros
    model, view, _ = training_of(distill=0.0)
    assert [stage.name for stage in model.stages(view, usual, lr=0.1, head_lr=None)] == ["train"]
    assert model.teacher.numel() == 0


def test_what_is_refused():
    adj = as_csr(*messy_graph())
    with pytest.raises(ValueError, match="transform.weights=1 transform.distill=0"):
        SparseTraining(FastRPModel(3), 3, adj.shape[0], dense=adj)
    for options in ({"weights": 0.0}, {"weights": 1.5}, {"distill": -1.0}, {"dense_epochs": 0}):
        with pytest.raises(ValueError):
            SparseTraining(GCN(6, 3), 3, adj.shape[0], dense=adj, **options)
    with pytest.raises(ValueError, match="leaves none"):
        Teddy(edges=0.0)
