from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch_geometric import nn as pyg

from graphkit.layers import GCNConv, SAGEConv
from graphkit.sparse.csr import CSR
from tests.layers.oracle import dense_operator, messy_graph

WIDTHS = [(5, 3), (3, 5), (4, 4)]


def _gradients(output: Tensor, inputs: list[Tensor]) -> tuple[Tensor, ...]:
    probe = torch.linspace(-1.0, 1.0, output.numel(), dtype=output.dtype).sin().view_as(output)
    return torch.autograd.grad((output * probe).sum(), inputs)


def _assert_same(actual: Tensor, expected: Tensor, inputs: list[Tensor], others: list[Tensor] | None = None) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-11)
    others = inputs if others is None else others
    for ours, theirs in zip(_gradients(actual, inputs), _gradients(expected, others), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-11)


def _problem(in_channels: int, weighted: bool) -> tuple[Tensor, Tensor, Tensor | None]:
    edge_index, num_nodes = messy_graph()
    x = torch.randn(num_nodes, in_channels, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(edge_index.size(1), dtype=torch.float64).add(0.5).requires_grad_() if weighted else None
    return x, edge_index, weight


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize(("norm", "loops"), [("gcn", True), ("gcn", False), ("mean", False), ("sum", False)])
def test_gcn_conv_equals_dense_oracle(norm: str, loops: bool, widths: tuple[int, int], weighted: bool) -> None:
    layer = GCNConv(*widths, norm=norm, add_self_loops=loops).double()
    nn.init.normal_(layer.bias)
    x, edge_index, weight = _problem(widths[0], weighted)
    a_hat = dense_operator(edge_index, x.size(0), weight, norm, loops)
    expected = a_hat @ x @ layer.lin.weight.t() + layer.bias
    inputs = [x, layer.lin.weight, layer.bias, *([] if weight is None else [weight])]
    _assert_same(layer(x, edge_index, weight), expected, inputs)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("widths", WIDTHS)
def test_sage_conv_equals_dense_oracle(widths: tuple[int, int], weighted: bool) -> None:
    layer = SAGEConv(*widths).double()
    x, edge_index, weight = _problem(widths[0], weighted)
    mean = dense_operator(edge_index, x.size(0), weight, "mean") @ x
    expected = x @ layer.lin_r.weight.t() + mean @ layer.lin_l.weight.t() + layer.lin_l.bias
    inputs = [x, layer.lin_l.weight, layer.lin_l.bias, layer.lin_r.weight, *([] if weight is None else [weight])]
    _assert_same(layer(x, edge_index, weight), expected, inputs)


def _simple_graph() -> tuple[Tensor, int]:
    """Without duplicate edges: there PyG's mean counts a repeated edge, ours adds up its weight."""
    edge_index, num_nodes = messy_graph(seed=3)
    return edge_index.unique(dim=1), num_nodes


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize(
    ("ours", "theirs", "weighted"),
    [
        ({}, {}, False),
        ({}, {}, True),
        ({"add_self_loops": False}, {"add_self_loops": False}, True),
        ({"bias": False}, {"bias": False}, False),
        ({"norm": "sum"}, {"normalize": False}, True),
        ({"norm": "mean"}, {"normalize": False, "aggr": "mean"}, False),
    ],
    ids=["gcn", "gcn-weighted", "no-loops", "no-bias", "sum", "mean"],
)
def test_gcn_conv_equals_pyg(widths: tuple[int, int], ours: dict[str, Any], theirs: dict[str, Any], weighted: bool) -> None:
    edge_index, num_nodes = _simple_graph()
    x = torch.randn(num_nodes, widths[0], dtype=torch.float64, requires_grad=True)
    weight = torch.rand(edge_index.size(1), dtype=torch.float64).add(0.5).requires_grad_() if weighted else None
    peer = pyg.GCNConv(*widths, **theirs).double()
    layer = GCNConv(*widths, **ours).double()
    layer.load_state_dict(peer.state_dict())
    extra = [] if weight is None else [weight]
    _assert_same(
        layer(x, edge_index, weight),
        peer(x, edge_index, weight),
        [x, *(p for _, p in sorted(layer.named_parameters())), *extra],
        [x, *(p for _, p in sorted(peer.named_parameters())), *extra],
    )


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("bias", [True, False])
def test_sage_conv_equals_pyg(widths: tuple[int, int], bias: bool) -> None:
    edge_index, num_nodes = _simple_graph()
    x = torch.randn(num_nodes, widths[0], dtype=torch.float64, requires_grad=True)
    peer = pyg.SAGEConv(*widths, bias=bias).double()
    layer = SAGEConv(*widths, bias=bias).double()
    layer.load_state_dict(peer.state_dict())
    _assert_same(
        layer(x, edge_index),
        peer(x, edge_index),
        [x, *(p for _, p in sorted(layer.named_parameters()))],
        [x, *(p for _, p in sorted(peer.named_parameters()))],
    )


@pytest.mark.parametrize(("widths", "propagated"), [((5, 3), 3), ((3, 5), 3), ((4, 4), 4)])
@pytest.mark.parametrize("conv", [GCNConv, SAGEConv])
def test_the_sparse_product_runs_in_the_narrower_width(
    conv: type[nn.Module], widths: tuple[int, int], propagated: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    original = CSR.matmul
    monkeypatch.setattr(CSR, "matmul", lambda self, x: seen.append(x.size(1)) or original(self, x))
    conv(*widths)(torch.randn(3, widths[0]), torch.tensor([[0, 1], [1, 2]]))
    assert seen == [propagated]


def test_glorot_weights_and_zero_bias() -> None:
    layer = GCNConv(40, 60)
    bound = (6 / 100) ** 0.5
    assert 0.95 * bound < layer.lin.weight.abs().max() <= bound
    assert layer.bias.count_nonzero() == 0


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="widths must be at least 1, got in_channels=0"):
        GCNConv(0, 3)
    with pytest.raises(ValueError, match="widths must be at least 1"):
        SAGEConv(3, 0)
    with pytest.raises(ValueError, match="norm must be one of"):
        GCNConv(3, 3, norm="max")
    with pytest.raises(ValueError, match="add_self_loops needs norm='gcn'"):
        GCNConv(3, 3, norm="mean", add_self_loops=True)


def test_repr() -> None:
    assert repr(GCNConv(3, 5)) == "GCNConv(3, 5, norm='gcn')"
    assert repr(GCNConv(3, 5, add_self_loops=False)) == "GCNConv(3, 5, norm='gcn', add_self_loops=False)"
    assert repr(SAGEConv(3, 5)) == "SAGEConv(3, 5)"
