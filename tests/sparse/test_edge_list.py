"""Lists of edges against dense operators: what an exported program computes, run as it stands."""

import pytest
import torch

from graphkit.sparse import CSR, EdgeList, normalize, polynomial
from tests.layers.oracle import assert_same, dense_adjacency, dense_operator, messy_graph


def some_edges(weighted):
    edge_index, num_nodes = messy_graph()
    weight = torch.rand(edge_index.size(1), generator=torch.Generator().manual_seed(1), dtype=torch.float64) + 0.5
    return edge_index, num_nodes, weight.requires_grad_() if weighted else None


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("norm", "loops"), [("gcn", True), ("gcn", False), ("mean", True), ("directed", True), ("sum", True)])
def test_norms_equal_dense_operators(norm, loops, weighted):
    """Of a graph with repeated edges, repeated self-loops and isolated nodes."""
    edge_index, num_nodes, weight = some_edges(weighted)
    edges = EdgeList.of(edge_index, num_nodes, weight)
    x = torch.randn(num_nodes, 3, dtype=torch.float64, requires_grad=True)
    inputs = [x] if weight is None else [x, weight]
    for ours, oracle in (
        (lambda a: a @ x, lambda a: a @ x),
        (lambda a: a.t().matmul(x[:, 0]), lambda a: a.t() @ x[:, 0]),
        (lambda a: polynomial(a, [0.5, 2.0, -1.0], x), lambda a: 0.5 * x + 2.0 * a @ x - a @ (a @ x)),
    ):
        dense = dense_operator(edge_index, num_nodes, weight, norm, loops)
        assert_same(ours(normalize(edges, norm, self_loops=loops, dtype=torch.float64)), oracle(dense), inputs)


def test_two_node_sets_and_no_edges():
    edge_index = torch.tensor([[4, 0, 4], [1, 1, 0]])
    edges = EdgeList.of(edge_index, (2, 5))
    dense = dense_adjacency(edge_index, (5, 2), None)
    assert edges.shape == (2, 5) and edges.t().shape == (5, 2)
    torch.testing.assert_close(edges @ torch.eye(5, dtype=torch.float64), dense)
    torch.testing.assert_close(edges.row_sum(torch.float64), dense.sum(1))
    empty = EdgeList.of(edge_index[:, :0], 3)
    assert not (empty @ torch.ones(3, 2)).any() and (empty.with_self_loops() @ torch.ones(3, 2)).all()
    assert (
        EdgeList.of(empty, 3) is empty and EdgeList.of(edge_index, 5, torch.ones(3, dtype=torch.int64)).dtype == torch.float32
    )


def test_what_needs_order_says_so():
    edges = EdgeList.of(torch.tensor([[0, 1], [1, 2]]), 3)
    for ask in (
        lambda: edges.structure,
        lambda: edges.rowptr,
        lambda: edges.mask,
        lambda: edges.edge_index(),
        lambda: edges.matmul(torch.ones(3, 1), "mean"),
        lambda: edges.dropout(0.5),
        lambda: EdgeList.of(CSR.from_edge_index(torch.tensor([[0], [1]]), 2), 2),
        lambda: EdgeList.of(torch.eye(3).to_sparse(), 3),
    ):
        with pytest.raises(ValueError, match=r"torch.export takes a graph as a list of edges .* GATConv"):
            ask()
