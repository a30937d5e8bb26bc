"""The residual Hadamard score against a perceptron written out."""

import math

import pytest
import torch

from graphkit.layers import ResidualHadamardScore
from tests.layers.pairs.graphs import graph_and_pairs

SIGMA = {
    "relu": lambda z: z.clamp(min=0),
    "silu": lambda z: z / (1 + torch.exp(-z)),
    "gelu": lambda z: z * (1 + torch.erf(z / math.sqrt(2))) / 2,
}


@pytest.mark.parametrize(
    ("num_layers", "residual", "norm", "activation"),
    [(1, True, False, "relu"), (2, False, True, "gelu"), (4, True, True, "silu"), (8, True, False, "relu")],
)
def test_equals_perceptron_oracle(num_layers: int, residual: bool, norm: bool, activation: str) -> None:
    torch.manual_seed(0)
    edge_index, pairs, n = graph_and_pairs()
    layer = ResidualHadamardScore(8, num_layers=num_layers, residual=residual, norm=norm, activation=activation).double().eval()
    h = torch.randn(n, 8, dtype=torch.float64, requires_grad=True)
    z = product = h[pairs[0]] * h[pairs[1]]
    for lin, scale in zip(layer.lins, layer.norms, strict=True):
        z = z @ lin.weight.t() + lin.bias + (product if residual else 0)
        if norm:
            mean = z.mean(1, keepdim=True)
            z = (z - mean) / (((z - mean) ** 2).mean(1, keepdim=True) + 1e-5).sqrt() * scale.weight + scale.bias
        z = SIGMA[activation](z)
    expected = (z @ layer.out.weight.t() + layer.out.bias).squeeze(1)
    found = layer(h, edge_index, pairs)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    leaves = [h, *layer.parameters()]
    ours, theirs = torch.autograd.grad(found.sin().sum(), leaves), torch.autograd.grad(expected.sin().sum(), leaves)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10)


def test_dropout_works_in_training_only() -> None:
    edge_index, pairs, n = graph_and_pairs()
    layer, h = ResidualHadamardScore(8, dropout=0.5), torch.randn(n, 8)
    assert not torch.equal(layer(h, edge_index, pairs), layer(h, edge_index, pairs))
    layer.eval()
    assert torch.equal(layer(h, edge_index, pairs), layer(h, edge_index, pairs))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"num_layers": 0}, "num_layers"), ({"dropout": 1.0}, "dropout"), ({"activation": "tanh"}, "activation")],
)
def test_wrong_options_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ResidualHadamardScore(4, **options)
