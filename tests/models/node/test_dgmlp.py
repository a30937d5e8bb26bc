from __future__ import annotations

import torch

from graphkit import testing
from graphkit.layers import NodeAdaptiveSmoothing
from graphkit.models.node.dgmlp import DGMLP
from tests.layers.oracle import assert_same, messy_graph


def test_is_a_residual_perceptron_on_smoothed_features() -> None:
    edge_index, n = messy_graph()
    model = DGMLP(4, 3, hidden_channels=5, num_layers=3, num_hops=4, temperature=0.5, residual="identity").double().eval()
    x = torch.randn(n, 4, dtype=torch.float64)
    h = NodeAdaptiveSmoothing(num_hops=4, temperature=0.5)(x, edge_index)
    first, second = model.network.hidden
    h = (h @ first.weight.t() + first.bias).clamp(min=0)
    h = (h @ second.weight.t() + second.bias).clamp(min=0) + h
    expected = h @ model.head.weight.t() + model.head.bias
    assert_same(model(x, edge_index), expected, list(model.parameters()))


def test_one_layer_is_linear_in_the_smoothed_features() -> None:
    edge_index, n = messy_graph()
    model = DGMLP(4, 3, num_layers=1).double().eval()
    x = torch.randn(n, 4, dtype=torch.float64)
    torch.testing.assert_close(model(2 * x, edge_index) - model.head.bias, 2 * (model(x, edge_index) - model.head.bias))
    assert not torch.allclose(model(x, edge_index), model(x, edge_index[:, :3]))


def test_keeps_the_properties_of_its_layers() -> None:
    testing.assert_permutation_equivariant(lambda: DGMLP(4, 3, hidden_channels=5, num_hops=3))
    testing.assert_isolated_nodes(lambda: DGMLP(4, 3, hidden_channels=5, num_hops=3))
