from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from graphkit import testing
from graphkit.models.node.air import AIR, BASES
from tests.layers.oracle import assert_same, dense_operator, messy_graph


def linear(layer: nn.Module, h: Tensor) -> Tensor:
    return h @ layer.weight.t() + layer.bias


def hops_of(layer: nn.Module, x: Tensor, a: Tensor, teleport: float) -> Tensor:
    """The mean over hops 0 to K with weights of softmax over sigmoids."""
    hops = [x]
    for _ in range(layer.num_hops):
        hops.append((1 - teleport) * a @ hops[-1] + teleport * x)
    scores = [torch.sigmoid(linear(layer.score, torch.cat([x, h], dim=1))).exp() for h in hops]
    return sum(score * h for score, h in zip(scores, hops, strict=True)) / sum(scores)


def dense(model: AIR, base: str, x: Tensor, a: Tensor) -> Tensor:
    if base == "sgc":
        return linear(model.body.lin, hops_of(model.body, x, a, 0.0))
    if base == "appnp":
        network = model.body.network
        z = linear(network.head, linear(network.hidden[0], x).clamp(min=0))
        return hops_of(model.body.hops, z, a, 0.2)
    h = first = a @ x @ model.body.first.lin.weight.t() + model.body.first.bias
    for layer in model.body.later:
        gate = torch.sigmoid(linear(model.body.residual.score, torch.cat([h, first], dim=1)))
        h = ((1 - gate) * h + gate * first).clamp(min=0)
        h = a @ h @ layer.lin.weight.t() + layer.bias
    return linear(model.head, h.clamp(min=0))


@pytest.mark.parametrize("base", BASES)
def test_equals_a_dense_forward(base: str) -> None:
    edge_index, n = messy_graph()
    model = AIR(4, 3, base=base, hidden_channels=5, num_hops=3, teleport=0.2).double().eval()
    x = torch.randn(n, 4, dtype=torch.float64)
    expected = dense(model, base, x, dense_operator(edge_index, n, None, "gcn"))
    assert_same(model(x, edge_index), expected, list(model.parameters()))
    assert model.layer_channels == ((5, 5, 5) if base == "gcn" else ())


@pytest.mark.parametrize("base", BASES)
def test_keeps_the_properties_of_its_layers(base: str) -> None:
    def make() -> AIR:
        return AIR(4, 3, base=base, hidden_channels=5, num_hops=3)

    testing.assert_permutation_equivariant(make)
    testing.assert_no_dead_parameters(make)


def test_one_convolution_and_wrong_arguments() -> None:
    edge_index, n = messy_graph()
    assert AIR(4, 3, base="gcn", num_hops=1)(torch.randn(n, 4), edge_index).shape == (n, 3)
    with pytest.raises(ValueError, match="base must be one of sgc, appnp, gcn, got 'gat'"):
        AIR(4, 3, base="gat")
    with pytest.raises(ValueError, match="num_hops must be at least 1, got 0"):
        AIR(4, 3, num_hops=0)
