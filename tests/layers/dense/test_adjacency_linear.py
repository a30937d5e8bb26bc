"""Rows of the adjacency matrix times a matrix, edge by edge."""

import pytest
import torch

from graphkit.layers import AdjacencyLinear
from graphkit.sparse import CSR
from tests.layers.oracle import assert_same, messy_graph


@pytest.mark.parametrize("weighted", [False, True])
def test_equals_a_loop_over_edges_as_oracle(weighted):
    """Node i gets the vectors of the nodes that it points to, repeated edges repeatedly."""
    torch.manual_seed(0)
    edge_index, n = messy_graph()
    layer = AdjacencyLinear(n, 3).double()
    weight = torch.rand(edge_index.size(1), dtype=torch.float64).requires_grad_() if weighted else None
    rows = [layer.bias for _ in range(n)]
    for e, (source, target) in enumerate(edge_index.t().tolist()):
        rows[source] = rows[source] + layer.weight[target] * (1.0 if weight is None else weight[e])
    inputs = [layer.weight, layer.bias, *([] if weight is None else [weight])]
    assert_same(layer(edge_index, weight), torch.stack(rows), inputs)


def test_a_node_without_edges_gets_the_bias():
    layer = AdjacencyLinear(3, 2)
    out = layer(torch.tensor([[0], [1]]))
    assert torch.equal(out[1], layer.bias) and torch.equal(out[2], layer.bias)
    assert torch.equal(out[0], layer.weight[1] + layer.bias)


def test_parameters_start_as_those_of_a_linear_map():
    torch.manual_seed(0)
    layer = AdjacencyLinear(400, 50)
    weight, bound = layer.weight.detach(), 1 / 20
    assert float(weight.abs().max()) <= bound
    assert abs(float(weight.std()) - bound / 3**0.5) < 0.001
    assert repr(layer) == "AdjacencyLinear(400, 50)"


def test_other_nodes_and_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="the sparse matrix is 4 x 4 where 3 x 3 is needed"):
        AdjacencyLinear(3, 2)(CSR.from_edge_index(torch.tensor([[0], [3]]), 4))
    with pytest.raises(ValueError, match="num_nodes must be at least 1, got 0"):
        AdjacencyLinear(0, 2)
