"""Linear maps of sparse features against dense ones."""

import pytest
import torch

from graphkit.layers import FeatureLinear
from graphkit.sparse import CSR, sparse_features


def bags(num_nodes=12, width=30, seed=0):
    """Mostly zeros; an empty row and an empty column among them."""
    x = torch.rand(num_nodes, width, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    x[x < 0.93] = 0.0
    x[3], x[:, 5] = 0.0, 0.0
    return x


@pytest.mark.parametrize("bias", [True, False])
def test_feature_linear_equals_dense_oracle(bias):
    torch.manual_seed(0)
    x = bags()
    layer = FeatureLinear(30, 4, bias=bias, dropout=0.5).double().eval()
    weight = torch.randn(12, 4, dtype=torch.float64)
    expected = x @ layer.weight.t() + (layer.bias if bias else 0.0)
    for features in (x, sparse_features(x)):
        found = layer(features)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
        gradients = torch.autograd.grad((found * weight).sum(), list(layer.parameters()))
        torch.testing.assert_close(gradients[0], weight.t() @ x, rtol=0, atol=1e-12)
        if bias:
            torch.testing.assert_close(gradients[1], weight.sum(0), rtol=0, atol=1e-12)


def test_sparse_dropout_has_the_mean_and_spread_of_dense_dropout():
    torch.manual_seed(0)
    x = bags(4, 30)
    layer = FeatureLinear(30, 1, bias=False, dropout=0.5).double()
    with torch.no_grad():
        layer.weight.fill_(1.0)
        draws = torch.stack([layer(sparse_features(x)).squeeze(1) for _ in range(4000)])
    torch.testing.assert_close(draws.mean(0), x.sum(1), rtol=0.05, atol=0.0)
    torch.testing.assert_close(draws.var(0), x.square().sum(1), rtol=0.1, atol=1e-12)  # p / (1 - p) = 1 at p = 1/2


def test_sparse_features_keeps_dense_ones_and_every_value_of_sparse_ones():
    x = bags()
    operator = sparse_features(x)
    assert isinstance(operator, CSR)
    assert torch.equal(operator.to_dense(), x)
    dense = torch.rand(5, 7)
    assert sparse_features(dense) is dense


def test_wrong_dropout_is_refused():
    with pytest.raises(ValueError, match="dropout"):
        FeatureLinear(3, 2, dropout=1.0)
