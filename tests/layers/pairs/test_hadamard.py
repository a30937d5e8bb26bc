"""The Hadamard score against a perceptron written out."""

import pytest
import torch
import torch.nn.functional as F

from graphkit.layers import HadamardScore
from tests.layers.pairs.graphs import graph_and_pairs


@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_hadamard_score_equals_perceptron_oracle(num_layers):
    torch.manual_seed(0)
    edge_index, pairs, n = graph_and_pairs()
    layer = HadamardScore(8, num_layers=num_layers).double().eval()
    h = torch.randn(n, 8, dtype=torch.float64, requires_grad=True)
    z = h[pairs[0]] * h[pairs[1]]
    for lin, act in zip(layer.lins, layer.acts, strict=True):
        z = F.layer_norm(F.linear(z, lin.weight, lin.bias), (8,), act.weight, act.bias).clamp(min=0)
    expected = F.linear(z, layer.out.weight, layer.out.bias).squeeze(1)
    found = layer(h, edge_index, pairs)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    leaves = [h, *layer.parameters()]
    ours, theirs = torch.autograd.grad(found.sin().sum(), leaves), torch.autograd.grad(expected.sin().sum(), leaves)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10)
