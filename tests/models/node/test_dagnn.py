from __future__ import annotations

import pytest
import torch

from graphkit import testing
from graphkit.models.node.dagnn import DAGNN
from tests.layers.oracle import assert_same, dense_operator, messy_graph


@pytest.mark.parametrize("num_layers", [1, 3])
def test_equals_a_dense_forward(num_layers: int) -> None:
    """A perceptron, then hops whose gates do not sum to one."""
    edge_index, n = messy_graph()
    model = DAGNN(4, 3, hidden_channels=5, num_layers=num_layers, num_hops=3).double().eval()
    a = dense_operator(edge_index, n, None, "gcn")
    x = h = torch.randn(n, 4, dtype=torch.float64)
    for layer in model.network.hidden:
        h = (h @ layer.weight.t() + layer.bias).clamp(min=0)
    z = h @ model.network.head.weight.t() + model.network.head.bias
    hops = [torch.linalg.matrix_power(a, k) @ z for k in range(4)]
    gate = model.propagation.gate
    expected = sum(torch.sigmoid(h @ gate.weight.t() + gate.bias) * h for h in hops)
    assert_same(model(x, edge_index), expected, list(model.parameters()))
    assert model.layer_channels == (5,) * (num_layers - 1)


def test_keeps_the_properties_of_its_layers() -> None:
    testing.assert_permutation_equivariant(lambda: DAGNN(4, 3, hidden_channels=5, num_hops=3))
    testing.assert_isolated_nodes(lambda: DAGNN(4, 3, hidden_channels=5, num_hops=3))  # a node alone, which is not squeezed
    testing.assert_no_dead_parameters(lambda: DAGNN(4, 3, hidden_channels=5, num_hops=3))


def test_depth_costs_no_parameters() -> None:
    assert len({sum(p.numel() for p in DAGNN(4, 3, num_hops=hops).parameters()) for hops in (0, 10, 100)}) == 1
