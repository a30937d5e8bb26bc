from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from graphkit import testing
from graphkit.models.node.sir_gcn import SIRGCN
from tests.layers.oracle import assert_same, messy_graph


def gelu(x: Tensor) -> Tensor:
    return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))


def normalized(norm: nn.LayerNorm, x: Tensor) -> Tensor:
    z = (x - x.mean(1, keepdim=True)) / (x.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
    return z * norm.weight + norm.bias


def linear(layer: nn.Linear, h: Tensor) -> Tensor:
    return h @ layer.weight.t() + layer.bias


@pytest.mark.parametrize("residual", [True, False])
def test_equals_a_dense_forward(residual: bool) -> None:
    """Messages of all pairs of nodes, of which the edges' are summed."""
    edge_index, n = messy_graph()
    model = SIRGCN(4, 3, hidden_channels=5, aggregation="sum", residual=residual).double().eval()
    a = torch.zeros(n, n, dtype=torch.float64)
    for source, target in edge_index.t().tolist():
        a[target, source] += 1.0
    x = torch.randn(n, 4, dtype=torch.float64)
    h = gelu(linear(model.encoder, x))
    for norm, conv, out in zip(model.norms, model.convs, model.maps, strict=False):
        z = normalized(norm, h)
        messages = gelu(linear(conv.query, z)[:, None] + (z @ conv.key.weight.t())[None])
        heard = linear(conv.relation, torch.einsum("ij,ijc->ic", a, messages))
        new = linear(out, gelu(heard))
        h = h + new if residual else new
    assert_same(model(x, edge_index), linear(model.head, normalized(model.norms[-1], h)), list(model.parameters()))


@pytest.mark.parametrize("aggregation", ["max", "symmetric"])
def test_keeps_the_properties_of_its_layers(aggregation: str) -> None:
    def make() -> SIRGCN:
        return SIRGCN(4, 3, hidden_channels=5, aggregation=aggregation)

    testing.assert_permutation_equivariant(make)
    testing.assert_isolated_nodes(make)


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="num_layers must be at least 1, got 0"):
        SIRGCN(4, 3, num_layers=0)
