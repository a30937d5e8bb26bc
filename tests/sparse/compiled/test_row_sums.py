"""Sums of rows: every width meets another mix of vector tiles, and none may touch a channel beside its own."""

import pytest
import torch

from graphkit.sparse.csr import CSR
from graphkit.sparse.pairs.intersection import NeighborSets

WIDTHS = (1, 3, 4, 7, 16, 21, 64, 85, 150)


def _graph() -> tuple[torch.Tensor, torch.Tensor]:
    """Sources and targets of 40 nodes, the last of which are isolated, and weights; no edge twice."""
    generator = torch.Generator().manual_seed(0)
    dense = (torch.rand(35, 35, generator=generator) < 0.4).nonzero().t()
    return dense, torch.randn(dense.size(1), generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("channels", WIDTHS)
def test_product_equals_dense(channels: int, weighted: bool, dtype: torch.dtype) -> None:
    edge_index, weight = _graph()
    adj = CSR.from_edge_index(edge_index, 40, weight.to(dtype) if weighted else None)
    dense = torch.zeros(40, 40, dtype=torch.float64)
    dense[edge_index[1], edge_index[0]] = weight.to(dtype).double() if weighted else 1.0
    x = torch.randn(40, channels, dtype=dtype)
    torch.testing.assert_close((adj @ x).double(), dense @ x.double(), rtol=0, atol=1e-12 if dtype == torch.float64 else 1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("channels", WIDTHS)
def test_pooling_and_its_gradient_equal_dense(channels: int, dtype: torch.dtype) -> None:
    edge_index, _ = _graph()
    edge_index = torch.cat([edge_index, edge_index.flip(0)], 1).unique(dim=1)
    dense = torch.zeros(40, 40, dtype=torch.float64)
    dense[edge_index[0], edge_index[1]] = 1.0
    sets = NeighborSets(CSR.from_edge_index(edge_index, 40), method="bitset")
    pairs = torch.randint(40, (2, 300), generator=torch.Generator().manual_seed(1))
    x = torch.randn(40, channels, dtype=dtype, requires_grad=True)
    goal = torch.randn(300, channels, dtype=dtype)
    members = dense[pairs[0]] * dense[pairs[1]]
    pooled = sets.pool(pairs, x)
    (gradient,) = torch.autograd.grad(pooled, x, goal)
    atol = 1e-12 if dtype == torch.float64 else 1e-4
    torch.testing.assert_close(pooled.double(), members @ x.detach().double(), rtol=0, atol=atol)
    torch.testing.assert_close(gradient.double(), members.t() @ goal.double(), rtol=0, atol=atol)
