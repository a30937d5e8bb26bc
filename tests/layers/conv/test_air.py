"""Adaptive initial residuals against dense powers, node by node and hop by hop."""

from __future__ import annotations

import pytest
import torch

from graphkit.layers import AdaptiveHops, InitialResidual
from graphkit.sparse import sparse_features
from tests.layers.conv.compare import assert_same, problem
from tests.layers.oracle import dense_operator


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("out_channels", "teleport"), [(3, 0.0), (None, 0.3)])
def test_adaptive_hops_equal_dense_oracle(out_channels: int | None, teleport: float, weighted: bool) -> None:
    layer = AdaptiveHops(4, out_channels, num_hops=3, teleport=teleport).double()
    torch.nn.init.normal_(layer.score.bias)
    x, edge_index, weight = problem(4, weighted)
    a = dense_operator(edge_index, x.size(0), weight, "gcn")
    hops = [x]
    for _ in range(3):
        hops.append((1 - teleport) * a @ hops[-1] + teleport * x)
    rows = []
    for i in range(x.size(0)):
        scores = [layer.score(torch.cat([x[i], h[i]])).sigmoid() for h in hops]
        powers = [score.exp() for score in scores]
        z = sum(power / sum(powers) * h[i] for power, h in zip(powers, hops, strict=True))
        rows.append(z if layer.lin is None else layer.lin.weight @ z + layer.lin.bias)
    inputs = [x, *layer.parameters(), *([] if weight is None else [weight])]
    assert_same(layer(x, edge_index, weight), torch.stack(rows), inputs)


def test_no_hop_s_weight_is_lost() -> None:
    """A lone node, the same at every hop, stays what it is; the public code makes K / (K + 1) of it."""
    x = torch.tensor([[1.0, -2.0]])
    torch.testing.assert_close(AdaptiveHops(2, num_hops=3)(x, torch.empty(2, 0, dtype=torch.long)), x)


def test_sparse_features_are_mapped_before_they_are_propagated() -> None:
    layer = AdaptiveHops(4, 3, num_hops=2).double()
    x, edge_index, _ = problem(4, False)
    sparse = sparse_features(torch.where(x > 0, x, 0.0).detach(), density=1.0)
    torch.testing.assert_close(layer(sparse, edge_index), layer(sparse.to_dense(torch.float64), edge_index))
    with pytest.raises(ValueError, match="sparse features need a map: give out_channels"):
        AdaptiveHops(4, num_hops=2)(sparse, edge_index)


def test_initial_residual_equals_oracle() -> None:
    layer = InitialResidual(3).double()
    x, first = (torch.randn(5, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    rows = []
    for one, other in zip(x, first, strict=True):
        a = 1 / (1 + torch.exp(-(layer.score.weight[0, :3] @ one + layer.score.weight[0, 3:] @ other + layer.score.bias[0])))
        rows.append((1 - a) * one + a * other)
    assert_same(layer(x, first), torch.stack(rows), [x, first, *layer.parameters()])


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match=r"teleport must lie in \[0, 1\], got 1.5"):
        AdaptiveHops(3, teleport=1.5)
