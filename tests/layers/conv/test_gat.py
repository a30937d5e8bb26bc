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


def attention_oracle(
    layer: GATConv,
    x: Tensor | tuple[Tensor, Tensor | None],
    edge_index: Tensor,
    edge_weight: Tensor | None = None,
    edge_attr: Tensor | None = None,
    num_targets: int = 0,
) -> Tensor:
    """Node by node and head by head, from the sums in the docstring; `num_targets` is read where x has no targets."""
    source, target = x if isinstance(x, tuple) else (x, x)
    n = num_targets if target is None else target.size(0)
    weight = dense_adjacency(edge_index, (source.size(0), n), edge_weight)
    features = {} if edge_attr is None else {tuple(pair): edge_attr[e] for e, pair in enumerate(edge_index.t().tolist())}
    lin_src, lin_dst = (layer.lin, layer.lin) if isinstance(layer.in_channels, int) else (layer.lin_src, layer.lin_dst)
    rows = []
    for i in range(n):
        arriving = {j: weight[i, j] for j in range(source.size(0)) if weight[i, j] != 0}
        of_edges = {j: features[j, i] for j in arriving} if features else {}
        if layer.add_self_loops and not isinstance(x, tuple) and i not in arriving:
            if edge_attr is not None:
                total = sum(arriving.values()) if arriving else 1.0
                of_edges[i] = sum(arriving[j] * of_edges[j] for j in arriving) / total + torch.zeros_like(edge_attr[0])
            arriving[i] = torch.ones((), dtype=source.dtype)
        heads = []
        for k in range(layer.heads):
            rows_of_head = slice(k * layer.out_channels, (k + 1) * layer.out_channels)
            total, mean = torch.zeros((), dtype=source.dtype), torch.zeros(layer.out_channels, dtype=source.dtype)
            for j, w_ji in arriving.items():
                sent = lin_src.weight[rows_of_head] @ source[j]
                e = layer.att_src[0, k] @ sent
                if target is not None:
                    e = e + layer.att_dst[0, k] @ (lin_dst.weight[rows_of_head] @ target[i])
                if edge_attr is not None:
                    e = e + layer.att_edge[0, k] @ (layer.lin_edge.weight[rows_of_head] @ of_edges[j])
                term = w_ji * torch.exp(e if e > 0 else layer.negative_slope * e)
                total, mean = total + term, mean + term * sent
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


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loops", [True, False])
def test_gat_conv_with_edge_features_equals_dense_oracle(loops: bool, weighted: bool) -> None:
    torch.manual_seed(0)
    layer = GATConv(4, 3, heads=2, edge_dim=2, add_self_loops=loops).double()
    edge_index, n = messy_graph()
    edge_index = edge_index.unique(dim=1)
    edge_index = edge_index[:, torch.randperm(edge_index.size(1))]
    x = torch.randn(n, 4, dtype=torch.float64, requires_grad=True)
    attr = torch.randn(edge_index.size(1), 2, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(edge_index.size(1), dtype=torch.float64).add(0.5).requires_grad_() if weighted else None
    inputs = [x, attr, *layer.parameters(), *([] if weight is None else [weight])]
    expected = attention_oracle(layer, x, edge_index, weight, attr)
    assert_equal_with_gradients(layer(x, edge_index, weight, attr), expected, inputs)


def test_absent_edges_have_no_part_in_the_features_of_added_self_loops() -> None:
    """Also where an absent self-loop is added again: its own features count no more."""
    edge_index = torch.tensor([[0, 1, 2, 1, 3], [1, 1, 1, 2, 2]])
    layer, x, attr = GATConv(4, 3, edge_dim=2).double(), torch.randn(4, 4).double(), torch.randn(5, 2).double()
    csr = CSR.from_edge_index(edge_index, 4)
    order = torch.argsort(edge_index[1] * 4 + edge_index[0])
    for gone in ([0], [1], [0, 1, 2], [3, 4]):
        left = csr.without(csr.positions(edge_index[:, gone]))
        stay = torch.tensor([e for e in range(5) if e not in gone])
        expected = attention_oracle(layer, x, edge_index[:, stay], None, attr[stay])
        torch.testing.assert_close(layer(x, left, None, attr[order]), expected)


@pytest.mark.parametrize(
    "arguments",
    [{}, {"heads": 3}, {"heads": 3, "concat": False}, {"add_self_loops": False}, {"heads": 2, "edge_dim": 2}],
    ids=["plain", "heads", "mean", "no-loops", "edges"],
)
def test_gat_conv_equals_pyg(arguments: dict[str, Any]) -> None:
    edge_index, n = messy_graph(seed=3)
    edge_index = edge_index.unique(dim=1)  # a repeated self-loop PyG makes one of
    if "edge_dim" in arguments:
        edge_index = edge_index[:, edge_index[0] != edge_index[1]]  # PyG replaces their features
    x = torch.randn(n, 4, dtype=torch.float64, requires_grad=True)
    attr = torch.randn(edge_index.size(1), 2, dtype=torch.float64, requires_grad=True) if "edge_dim" in arguments else None
    peer, layer = pyg.GATConv(4, 3, **arguments).double(), GATConv(4, 3, **arguments).double()
    layer.load_state_dict(peer.state_dict())
    ours, (our_edges, our_shares) = layer(x, edge_index, None, attr, return_attention_weights=True)
    theirs, (their_edges, their_shares) = peer(x, edge_index, attr, return_attention_weights=True)
    assert_equal_with_gradients(ours, theirs, [x] if attr is None else [x, attr])
    order = torch.argsort(their_edges[1] * n + their_edges[0])
    assert torch.equal(our_edges, their_edges[:, order])
    torch.testing.assert_close(our_shares, their_shares[order])


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
    with pytest.raises(ValueError, match="edge_dim must be at least 1, got 0"):
        GATConv(4, 3, edge_dim=0)
    x, edges, attr = torch.randn(2, 4), torch.tensor([[0, 0], [1, 1]]), torch.randn(2, 3)
    with pytest.raises(ValueError, match="edge_attr needs a layer with edge_dim"):
        GATConv(4, 3)(x, edges, None, attr)
    with pytest.raises(ValueError, match=r"edge_dim=3 needs edge_attr of shape \[E, 3\], got none"):
        GATConv(4, 3, edge_dim=3)(x, edges)
    with pytest.raises(ValueError, match="features of repeated edges have no order"):
        GATConv(4, 3, edge_dim=3)(x, edges, None, attr)
    with pytest.raises(ValueError, match="not negative"):
        GATConv(4, 3)(torch.randn(2, 4), torch.tensor([[0], [1]]), torch.tensor([-1.0]))


def test_attention_of_absent_entries_is_not_returned() -> None:
    csr = CSR.from_edge_index(torch.tensor([[0, 1, 2], [1, 2, 2]]), 3)
    layer, x = GATConv(4, 3, heads=2, add_self_loops=False), torch.randn(3, 4)
    _, (edges, shares) = layer(x, csr.without(torch.tensor([1])), return_attention_weights=True)
    assert edges.tolist() == [[0, 2], [1, 2]]
    torch.testing.assert_close(shares, torch.ones(2, 2))


def test_repr() -> None:
    assert repr(GATConv((3, 4), 5, edge_dim=2)) == "GATConv((3, 4), 5, heads=1, edge_dim=2)"
    assert repr(GATConv(3, 5)) == "GATConv(3, 5, heads=1)"
    assert (
        repr(GATConv(3, 5, heads=2, concat=False, add_self_loops=False))
        == "GATConv(3, 5, heads=2, concat=False, add_self_loops=False)"
    )
