"""Sets of two steps against dense 0/1 products."""

import pytest
import torch

from graphkit.sparse import CSR, NeighborSets, SecondOrderSets
from tests.layers.pairs.graphs import graph_and_pairs


@pytest.mark.parametrize("absent", [False, True])
def test_pools_as_dense_products_do(absent: bool) -> None:
    edge_index, pairs, n = graph_and_pairs(4)
    adj = CSR.from_edge_index(edge_index, n, duplicates="first")
    if absent:
        adj = adj.without(torch.arange(0, adj.nnz, 3))  # no longer symmetric
    a = adj.to_dense(torch.float64)
    a2 = (a @ a > 0).double()
    x = torch.randn(n, 5, dtype=torch.float64, requires_grad=True)
    i, j = pairs
    expected = (a[i] * a2[j]) @ x + (a2[i] * a[j]) @ x
    weight = torch.randn_like(expected)
    for graph in (adj, NeighborSets.of(adj)):
        found = SecondOrderSets(graph).pool(pairs, x)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
        ours, theirs = (
            torch.autograd.grad((found * weight).sum(), x),
            torch.autograd.grad((expected * weight).sum(), x, retain_graph=True),
        )
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


def test_laid_out_once_for_a_graph_and_what_is_absent(monkeypatch) -> None:
    edge_index, pairs, n = graph_and_pairs(4)
    adj = CSR.from_edge_index(edge_index, n)
    made, lay_out = [], NeighborSets._lay_out
    monkeypatch.setattr(NeighborSets, "_lay_out", lambda sets: made.append(sets) or lay_out(sets))
    left = adj.without(torch.tensor([1]))
    for graph in (adj, adj, left, left):
        SecondOrderSets(graph)
    assert len(made) == 2
