from __future__ import annotations

import pytest
import torch

from graphkit.layers.conv.operators import operator, propagate_and_map
from graphkit.sparse import CSR, sparse_features
from tests.layers.conv.compare import WIDTHS, assert_same, problem
from tests.layers.oracle import dense_operator


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("norm", "self_loops"), [("gcn", True), ("gcn", False), ("mean", True), ("sum", True)])
def test_operator_equals_dense_oracle(norm: str, self_loops: bool, weighted: bool) -> None:
    x, edge_index, weight = problem(3, weighted)
    matrix = operator(x, edge_index, weight, norm=norm, self_loops=self_loops)
    expected = dense_operator(edge_index, x.size(0), weight, norm, self_loops)
    assert_same(matrix.matmul(x), expected @ x, [x] if weight is None else [x, weight])


@pytest.mark.parametrize("widths", WIDTHS)
def test_propagate_and_map_equals_dense_oracle(widths: tuple[int, int]) -> None:
    """Whichever product comes first, and with sparse features."""
    x, edge_index, _ = problem(widths[0], False)
    matrix = operator(x, edge_index, None, norm="mean")
    weight = torch.randn(widths[1], widths[0], dtype=torch.float64, requires_grad=True)
    dense = dense_operator(edge_index, x.size(0), None, "mean")
    assert_same(propagate_and_map(matrix, x, weight), dense @ x @ weight.t(), [x, weight])
    rare = torch.where(torch.rand_like(x) < 0.05, x, 0.0).detach()
    features = sparse_features(rare)
    assert isinstance(features, CSR)
    assert_same(propagate_and_map(matrix, features, weight), dense @ rare @ weight.t(), [weight])


@pytest.mark.parametrize("norm", ["gcn", "mean", "sum"])
def test_a_reused_operator_is_normalized_once(norm: str) -> None:
    edge_index = torch.tensor([[0, 1], [1, 2]])
    for adj in (CSR.from_edge_index(edge_index, 3), edge_index):
        first = operator(torch.ones(3, 2), adj, None, norm=norm)
        assert operator(torch.randn(3, 4), adj, None, norm=norm) is first
