"""Degree order: propagation with and without it is equal, forward and gradient."""

import pytest
import torch

from graphkit.sparse import CSR, Relabeling, degree_order

N = 20


def graph(undirected=False, weighted=True):
    g = torch.Generator().manual_seed(0)
    e = torch.randint(N - 3, (2, 70), generator=g)
    e = torch.cat([e, e.flip(0)], dim=1) if undirected else e
    e = e if weighted else torch.unique(e, dim=1)  # repeats would count, and counts are weights
    return CSR.from_edge_index(e, N, torch.rand(e.size(1), generator=g, dtype=torch.float64) if weighted else None)


@pytest.mark.parametrize("undirected", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("partial", [False, True])
def test_propagation_is_the_same_after_undo(undirected, weighted, partial):
    a = graph(undirected, weighted)
    a = a.without(torch.tensor([0, 5, 9])) if partial else a
    order = degree_order(a)
    x = torch.randn(N, 3, dtype=torch.float64, requires_grad=True)
    y = x.detach().clone().requires_grad_()
    plain, ordered = a @ x, order.undo(order.apply(a) @ order.apply_nodes(y))
    plain.square().sum().backward()
    ordered.square().sum().backward()
    torch.testing.assert_close(ordered, plain)
    torch.testing.assert_close(y.grad, x.grad)
    dense = a.to_dense(torch.float64)
    torch.testing.assert_close(order.apply(a).to_dense(torch.float64), dense[order.old][:, order.old])
    assert torch.equal(order.apply(a).degree(), a.degree()[order.old])


def test_busy_nodes_come_first():
    a = graph()
    order = degree_order(a)
    dense = order.apply(a).to_dense() != 0
    degree = dense.sum(0) + dense.sum(1)
    assert bool((degree.diff() <= 0).all())
    assert int(degree[0]) > int(degree[-1])


def test_ties_keep_their_order_and_edges_follow():
    order = degree_order(CSR.from_edge_index(torch.tensor([[2, 2, 0], [3, 1, 1]]), 5))
    assert order.old.tolist() == [1, 2, 0, 3, 4]
    assert order.apply_edges(torch.tensor([[2, 4], [3, 1]])).tolist() == [[1, 4], [3, 0]]


def test_values_stay_learnable_and_symmetry_known():
    a = graph(undirected=True, weighted=False)
    assert a.symmetric
    order = degree_order(a)
    assert order.apply(a).promised_symmetric
    w = torch.rand(a.nnz, dtype=torch.float64, requires_grad=True)
    x = torch.randn(N, 2, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda w: order.apply(a.with_value(w)) @ x, (w,))


def test_bad_input_is_named():
    wide = CSR.from_edge_index(torch.tensor([[3], [0]]), (2, 4))
    with pytest.raises(ValueError, match="square operator, got 2 x 4"):
        degree_order(wide)
    with pytest.raises(ValueError, match="relabeling is of 3 nodes, the operator 2 x 4"):
        Relabeling(torch.arange(3)).apply(wide)
