from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch_geometric import nn as pyg

from graphkit.layers import GATConv
from graphkit.sparse import CSR
from tests.layers.oracle import dense_adjacency, messy_graph


def attention_oracle(layer: GATConv, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
    """Node by node and head by head, from the sums in the docstring."""
    n, size = x.size(0), layer.out_channels
    weight = dense_adjacency(edge_index, n, edge_weight)
    rows = []
    for i in range(n):
        heads = []
        for k in range(layer.heads):
            w = layer.lin.weight[k * size : (k + 1) * size]
            total, mean = torch.zeros((), dtype=x.dtype), torch.zeros(size, dtype=x.dtype)
            for j in range(n):
                w_ji = weight[i, j]
                if i == j and w_ji == 0 and layer.add_self_loops:
                    w_ji = torch.ones((), dtype=x.dtype)
                if w_ji == 0:
                    continue
                e = layer.att_src[0, k] @ (w @ x[j]) + layer.att_dst[0, k] @ (w @ x[i])
                term = w_ji * torch.exp(e if e > 0 else layer.negative_slope * e)
                total, mean = total + term, mean + term * (w @ x[j])
            heads.append(mean / total if total > 0 else mean)
        rows.append(torch.cat(heads) if layer.concat else sum(heads) / layer.heads)
    out = torch.stack(rows)
    return out if layer.bias is None else out + layer.bias


def assert_equal_with_gradients(actual: Tensor, expected: Tensor, inputs: list[Tensor]) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-11)
    probe = torch.linspace(-1.0, 1.0, actual.numel(), dtype=actual.dtype).sin().view_as(actual)
    for ours, theirs in zip(
        torch.autograd.grad((actual * probe).sum(), inputs),
        torch.autograd.grad((expected * probe).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "arguments",
    [{}, {"heads": 2}, {"heads": 2, "concat": False}, {"add_self_loops": False, "negative_slope": 0.5}, {"bias": False}],
    ids=["plain", "heads", "mean", "no-loops", "no-bias"],
)
def test_gat_conv_equals_dense_oracle(arguments: dict[str, Any], weighted: bool) -> None:
    torch.manual_seed(0)
    layer = GATConv(4, 3, **arguments).double()
    if layer.bias is not None:
        nn.init.normal_(layer.bias)
    edge_index, n = messy_graph()
    x = torch.randn(n, 4, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(edge_index.size(1), dtype=torch.float64).add(0.5).requires_grad_() if weighted else None
    inputs = [x, *layer.parameters(), *([] if weight is None else [weight])]
    assert_equal_with_gradients(layer(x, edge_index, weight), attention_oracle(layer, x, edge_index, weight), inputs)


@pytest.mark.parametrize("arguments", [{}, {"heads": 3}, {"heads": 3, "concat": False}, {"add_self_loops": False}])
def test_gat_conv_equals_pyg(arguments: dict[str, Any]) -> None:
    edge_index, n = messy_graph(seed=3)
    edge_index = edge_index.unique(dim=1)  # a repeated self-loop PyG makes one of
    x = torch.randn(n, 4, dtype=torch.float64, requires_grad=True)
    peer, layer = pyg.GATConv(4, 3, **arguments).double(), GATConv(4, 3, **arguments).double()
    layer.load_state_dict(peer.state_dict())
    torch.testing.assert_close(layer(x, edge_index), peer(x, edge_index))


def test_a_weight_counts_like_parallel_edges() -> None:
    layer = GATConv(4, 3)
    x = torch.randn(3, 4)
    repeated = torch.tensor([[0, 0, 1, 2], [2, 2, 2, 1]])
    once, weight = torch.tensor([[0, 1, 2], [2, 2, 1]]), torch.tensor([2.0, 1.0, 1.0])
    torch.testing.assert_close(layer(x, once, weight), layer(x, repeated))
    torch.testing.assert_close(layer(x, once, weight), pyg_with_repeats(layer, x, repeated))
    torch.testing.assert_close(layer(x, once, torch.tensor([0.0, 1.0, 1.0])), layer(x, once[:, 1:]))


def pyg_with_repeats(layer: GATConv, x: Tensor, edge_index: Tensor) -> Tensor:
    peer = pyg.GATConv(4, 3)
    peer.load_state_dict(layer.state_dict())
    return peer(x, edge_index)


def test_absent_entries_are_not_heard() -> None:
    edge_index, n = messy_graph()
    layer, x = GATConv(4, 3, add_self_loops=False), torch.randn(n, 4)
    csr = CSR.from_edge_index(edge_index.unique(dim=1), n)
    left = csr.without(torch.tensor([0, 3, 5]))
    torch.testing.assert_close(layer(x, left), layer(x, left.edge_index()))


def test_large_scores_do_not_overflow() -> None:
    layer = GATConv(4, 3)
    out = layer(1e4 * torch.randn(5, 4), torch.tensor([[0, 1, 2], [3, 3, 3]]))
    assert bool(torch.isfinite(out).all())


def test_dropout_leaves_the_expectation() -> None:
    torch.manual_seed(0)
    layer, x = GATConv(4, 3, dropout=0.5), torch.randn(5, 4)
    edges = torch.tensor([[0, 1, 2, 4], [3, 3, 3, 2]])
    expected = layer.eval()(x, edges)
    layer.train()
    mean = torch.stack([layer(x, edges) for _ in range(600)]).mean(0)
    assert not torch.allclose(layer(x, edges), layer(x, edges))
    torch.testing.assert_close(mean, expected, atol=0.2, rtol=0.0)


def test_initial_values() -> None:
    layer = GATConv(40, 30, heads=2)
    assert 0.9 * math.sqrt(6 / 100) < layer.lin.weight.abs().max() <= math.sqrt(6 / 100)
    assert 0.7 * math.sqrt(6 / 32) < layer.att_src.abs().max() <= math.sqrt(6 / 32)
    assert layer.bias.count_nonzero() == 0


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="in_channels must be at least 1, got 0"):
        GATConv(0, 3)
    with pytest.raises(ValueError, match="heads must be at least 1, got 0"):
        GATConv(4, 3, heads=0)
    with pytest.raises(ValueError, match="dropout must lie in"):
        GATConv(4, 3, dropout=1.0)
    with pytest.raises(ValueError, match="not negative"):
        GATConv(4, 3)(torch.randn(2, 4), torch.tensor([[0], [1]]), torch.tensor([-1.0]))


def test_repr() -> None:
    assert repr(GATConv(3, 5)) == "GATConv(3, 5, heads=1)"
    assert (
        repr(GATConv(3, 5, heads=2, concat=False, add_self_loops=False))
        == "GATConv(3, 5, heads=2, concat=False, add_self_loops=False)"
    )
