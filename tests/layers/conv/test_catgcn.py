"""Interactions of categories against explicit graphs of them: a matrix of categories per node, and pairs in a loop."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor, nn

from graphkit.layers import CategoryInteractions
from graphkit.sparse import CSR, sparse_features
from tests.layers.conv.compare import assert_same


def by_nodes(layer: CategoryInteractions, x: Tensor) -> Tensor:
    """P' = 1 1^T + r I, divided by its row sum, times the embeddings of the node's categories."""

    def mapped(layers: nn.ModuleList, h: Tensor) -> Tensor:
        for number, one in enumerate(layers):
            h = one.weight @ (h if number == 0 else h.clamp(min=0)) + one.bias
        return h

    rows = []
    for values in x:
        fields = [value * layer.embedding[c] for c, value in enumerate(values) if value != 0]
        width = layer.embedding.size(1)
        own = pairs = torch.zeros(width, dtype=torch.float64)
        if fields:
            count = len(fields)
            p = torch.ones(count, count, dtype=torch.float64) + layer.probe * torch.eye(count, dtype=torch.float64)
            heard = (p / p.sum(1, keepdim=True)) @ torch.stack(fields) @ layer.conv.weight.t()
            own = heard.clamp(min=0).mean(0)
        for one, other in itertools.combinations(fields, 2):
            pairs = pairs + one * other
        rows.append(layer.balance * mapped(layer.global_layers, own) + (1 - layer.balance) * mapped(layer.local_layers, pairs))
    return torch.stack(rows)


@pytest.mark.parametrize(("num_layers", "probe"), [(1, 0.0), (2, 1.7)])
def test_category_interactions_equal_dense_oracle(num_layers: int, probe: float) -> None:
    layer = CategoryInteractions(7, 3, embedding_channels=4, num_layers=num_layers, probe=probe, balance=0.3).double()
    x = torch.rand(6, 7, dtype=torch.float64)
    x = torch.where(x < 0.5, 0.0, x)
    x[2] = 0.0  # a node without categories
    x[3, 1:] = 0.0  # and one with at most one
    x.requires_grad_()
    assert_same(layer(x), by_nodes(layer, x), [x, *layer.parameters()])
    sparse = sparse_features(x.detach(), density=1.0)
    assert isinstance(sparse, CSR)
    torch.testing.assert_close(layer(sparse), layer(x))
    torch.testing.assert_close(layer(x.detach()), layer(x))


def test_absent_categories_do_not_count() -> None:
    layer = CategoryInteractions(4, 2).double()
    x = torch.tensor([[1.0, 1.0, 0.0, 1.0], [0.0, 1.0, 1.0, 0.0]], dtype=torch.float64)
    sparse = sparse_features(x, density=1.0)
    assert isinstance(sparse, CSR)
    x[0, 3] = 0.0
    torch.testing.assert_close(layer(sparse.without(torch.tensor([2]))), layer(x))


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match=r"balance must lie in \[0, 1\], got 2"):
        CategoryInteractions(4, 2, balance=2.0)
