"""A linear map in the place of a convolution, against the dense product."""

import pytest
import torch

from graphkit.layers import GraphFreeLinear
from graphkit.sparse import sparse_features


@pytest.mark.parametrize("bias", [True, False])
def test_equals_dense_oracle_whatever_the_graph(bias):
    torch.manual_seed(0)
    layer = GraphFreeLinear(20, 3, bias=bias).double()
    x = torch.where(torch.rand(8, 20) < 0.07, 1.5, 0.0).double()
    probe = torch.randn(8, 3, dtype=torch.float64)
    expected = torch.stack([(layer.weight * row).sum(1) + (layer.bias if bias else 0.0) for row in x])
    wanted = torch.autograd.grad((expected * probe).sum(), list(layer.parameters()))
    for features in (x, sparse_features(x)):
        for graph in ((), (None,), (torch.tensor([[0, 1], [1, 0]]),)):
            found = layer(features, *graph)
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
            torch.testing.assert_close(torch.autograd.grad((found * probe).sum(), list(layer.parameters())), wanted)
