"""Poisoned graphs: how many pairs are flipped, which, and that the same draw gives the same graph."""

from __future__ import annotations

import pytest
import torch

from graphkit.data.generated.attacks import poison
from graphkit.data.graph import Graph
from graphkit.errors import RequestError

N = 60


def clean():
    generator = torch.Generator().manual_seed(0)
    linked = (torch.rand(N, N, generator=generator) < 0.1).triu(1)
    return Graph((linked | linked.t()).nonzero().t(), N, y=torch.arange(N) % 3)


def flips(before, after):
    a, b = ({tuple(edge) for edge in graph.edge_index.t().tolist() if edge[0] < edge[1]} for graph in (before, after))
    return a - b, b - a


@pytest.mark.parametrize("kind", ["random", "targeted"])
@pytest.mark.parametrize("targets", [None, [3, 5, 7, 9]], ids=["any", "few"])
def test_as_many_pairs_are_flipped_as_asked_for(kind, targets):
    graph, given = clean(), None if targets is None else torch.tensor(targets)
    edges = graph.edge_index.size(1) // 2
    found = poison(graph, 0.2, kind, torch.Generator().manual_seed(1), given)
    gone, come = flips(graph, found)
    assert len(gone) + len(come) == round(0.2 * edges)
    again = poison(graph, 0.2, kind, torch.Generator().manual_seed(1), given)
    assert torch.equal(again.edge_index, found.edge_index)
    source, target = found.edge_index
    assert set(zip(source.tolist(), target.tolist(), strict=True)) == set(zip(target.tolist(), source.tolist(), strict=True))
    assert bool(((source * N + target).diff() > 0).all()) and not bool((source == target).any())
    if targets is not None:
        assert all(set(pair) & set(targets) for pair in gone | come)
    if kind == "targeted":
        assert all(u % 3 == v % 3 for u, v in gone) and all(u % 3 != v % 3 for u, v in come)
        assert targets is not None or len(gone) == round(0.2 * edges) // 2


def test_no_poison_and_too_much_of_it():
    graph = clean()
    assert torch.equal(poison(graph, 0.0, "random", torch.Generator()).edge_index, graph.edge_index)
    with pytest.raises(RequestError, match="too few pairs"):
        poison(graph, 1.0, "targeted", torch.Generator(), torch.tensor([0]))
    with pytest.raises(RequestError, match="random, targeted"):
        poison(graph, 0.1, "nettack", torch.Generator())
