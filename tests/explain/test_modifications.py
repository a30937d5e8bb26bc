"""Changes of a graph, beside loops, and the scores of a prototype model under them."""

from __future__ import annotations

import pytest
import torch

from graphkit.errors import RequestError
from graphkit.explain.modifications import because_of_graph, drop_edges, graph_changes, rewire, shuffle_features, zero_features
from graphkit.models.node.base import NodeView
from graphkit.models.node.classic import GCN
from graphkit.models.node.prototype import PrototypeNodes
from graphkit.sparse import CSR

N = 30


def made() -> NodeView:
    generator = torch.Generator().manual_seed(0)
    pairs = torch.randint(N, (2, 60), generator=generator)
    pairs = pairs[:, pairs[0] != pairs[1]]
    edges = torch.cat([pairs, pairs.flip(0)], dim=1).unique(dim=1)
    return NodeView(torch.randn(N, 4, generator=generator), CSR.from_edge_index(edges, N), torch.arange(N) % 3)


def edges(view: NodeView) -> set[tuple[int, int]]:
    return set(map(tuple, view.adj.edge_index().t().tolist()))


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def test_edges_are_dropped_in_both_directions() -> None:
    view = made()
    found = edges(drop_edges(view, 0.4, seeded()))
    assert found < edges(view) and {(v, u) for u, v in found} == found
    assert 0.4 < len(found) / len(edges(view)) < 0.8
    assert edges(drop_edges(view, 0.0, seeded())) == edges(view) and not edges(drop_edges(view, 1.0, seeded()))


def test_rewired_edges_lead_one_step_on() -> None:
    view = made()
    before, after = edges(view), edges(rewire(view, 1.0, seeded()))
    assert {(v, u) for u, v in after} == after and all(u != v for u, v in after)
    two_hops = {(u, w) for u, v in before for v2, w in before if v2 == v}
    assert after <= two_hops | {(w, u) for u, w in two_hops} and after != before
    assert edges(rewire(view, 0.0, seeded())) == before


def test_features_are_dealt_out_or_set_to_zero() -> None:
    view = made()
    shuffled = shuffle_features(view, seeded()).x
    assert sorted(shuffled.tolist()) == sorted(view.x.tolist()) and not torch.equal(shuffled, view.x)
    zeroed = zero_features(view, torch.tensor([1, 3])).x
    assert zeroed[:, [1, 3]].eq(0).all() and torch.equal(zeroed[:, [0, 2]], view.x[:, [0, 2]])


def test_scores_are_what_similarity_loses() -> None:
    torch.manual_seed(0)
    view = made()
    model = PrototypeNodes(GCN(4, 3, hidden_channels=8), 3, per_class=2).eval()
    model.fit(view)
    nodes = torch.tensor([3, 7, 20])
    changes = graph_changes(seeded(), {"first two": torch.tensor([0, 1])})
    found = because_of_graph(model, view, nodes, changes)
    assert list(changes) == ["edges dropped", "two hops rewired", "features shuffled", "first two"]
    generator = seeded()
    again = [drop_edges(view, 0.5, generator), rewire(view, 0.5, generator), shuffle_features(view, generator)]
    again.append(zero_features(view, torch.tensor([0, 1])))
    with torch.no_grad():
        own = model.head.bank.compare(model.embed(view.x, view.adj)[nodes])
        for k, changed in enumerate(again):
            other = model.head.bank.compare(model.embed(changed.x, changed.adj)[nodes])
            torch.testing.assert_close(found.score[k], own - other)
    torch.testing.assert_close(found.similarity, own)


def test_what_is_refused() -> None:
    view = made()
    with pytest.raises(RequestError, match="a share lies in .0, 1., got 1.5"):
        drop_edges(view, 1.5, seeded())
    model = PrototypeNodes(GCN(4, 3, hidden_channels=8), 3, parts="neighborhood")
    with pytest.raises(RequestError, match="need model.parts=node"):
        because_of_graph(model, view, torch.tensor([0]), {})
