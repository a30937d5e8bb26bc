"""Dropout as a layer, entry by entry; `tests/sparse/rows/test_dropout.py` tests the masks as a source of randomness."""

import pytest
import torch

from graphkit.layers import Dropout
from graphkit.sparse import CSR, sparse_features


@pytest.mark.parametrize("p", [0.3, 0.7])
def test_each_entry_is_dropped_or_scaled_as_the_oracle_has_it(p):
    torch.manual_seed(0)
    x = (torch.rand(60, 20, dtype=torch.float64) + 0.1).requires_grad_()
    probe = torch.randn(60, 20, dtype=torch.float64)
    layer = Dropout(p)
    out = layer(x)
    (gradient,) = torch.autograd.grad((out * probe).sum(), x)
    dropped = 0
    for row in range(60):
        for column in range(20):
            factor = 0.0 if out[row, column] == 0 else 1 / (1 - p)
            dropped += factor == 0.0
            torch.testing.assert_close(out[row, column], factor * x[row, column], rtol=1e-12, atol=0.0)
            torch.testing.assert_close(gradient[row, column], factor * probe[row, column], rtol=1e-12, atol=0.0)
    assert abs(dropped / 1200 - p) < 4.5 * (p * (1 - p) / 1200) ** 0.5


def test_only_stored_entries_of_sparse_features_are_dropped():
    torch.manual_seed(0)
    x = torch.where(torch.rand(200, 50) < 0.05, 2.0, 0.0)
    out = Dropout(0.5)(sparse_features(x))
    assert isinstance(out, CSR)
    found = out.to_dense()
    assert ((found == 0) | (found == 4.0)).all() and (found[x == 0] == 0).all()
    assert 0.4 < (found > 0).sum() / (x > 0).sum() < 0.6


def test_evaluation_changes_nothing():
    x = torch.randn(5, 4)
    layer = Dropout(0.9).eval()
    assert layer(x) is x
    features = sparse_features(torch.eye(20))
    assert layer(features) is features
    assert repr(layer) == "Dropout(p=0.9)"


@pytest.mark.parametrize("p", [-0.1, 1.0])
def test_what_is_no_probability_is_refused(p):
    with pytest.raises(ValueError, match=r"p must lie in \[0, 1\)"):
        Dropout(p)
