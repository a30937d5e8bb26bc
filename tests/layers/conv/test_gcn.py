"""GCN against dense operators and PyG, and what it shares with GraphSAGE."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch_geometric import nn as pyg

from graphkit.layers import GCNConv, SAGEConv
from graphkit.sparse import CSR
from tests.layers.conv.compare import WIDTHS, assert_same, problem, simple_graph
from tests.layers.oracle import dense_operator


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize(
    ("norm", "loops"), [("gcn", True), ("gcn", False), ("mean", False), ("sum", False), ("directed", False)]
)
def test_gcn_conv_equals_dense_oracle(norm: str, loops: bool, widths: tuple[int, int], weighted: bool) -> None:
    layer = GCNConv(*widths, norm=norm, add_self_loops=loops).double()
    nn.init.normal_(layer.bias)
    x, edge_index, weight = problem(widths[0], weighted)
    a_hat = dense_operator(edge_index, x.size(0), weight, norm, loops)
    expected = a_hat @ x @ layer.lin.weight.t() + layer.bias
    inputs = [x, layer.lin.weight, layer.bias, *([] if weight is None else [weight])]
    assert_same(layer(x, edge_index, weight), expected, inputs)


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
    edge_index, num_nodes = simple_graph()
    x = torch.randn(num_nodes, widths[0], dtype=torch.float64, requires_grad=True)
    weight = torch.rand(edge_index.size(1), dtype=torch.float64).add(0.5).requires_grad_() if weighted else None
    peer = pyg.GCNConv(*widths, **theirs).double()
    layer = GCNConv(*widths, **ours).double()
    layer.load_state_dict(peer.state_dict())
    extra = [] if weight is None else [weight]
    assert_same(
        layer(x, edge_index, weight),
        peer(x, edge_index, weight),
        [x, *(p for _, p in sorted(layer.named_parameters())), *extra],
        [x, *(p for _, p in sorted(peer.named_parameters())), *extra],
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
    with pytest.raises(ValueError, match="in_channels must be at least 1, got 0"):
        GCNConv(0, 3)
    with pytest.raises(ValueError, match="out_channels must be at least 1, got 0"):
        SAGEConv(3, 0)
    with pytest.raises(ValueError, match="norm must be one of"):
        GCNConv(3, 3, norm="max")
    with pytest.raises(ValueError, match="add_self_loops needs norm='gcn'"):
        GCNConv(3, 3, norm="mean", add_self_loops=True)


def test_repr() -> None:
    assert repr(GCNConv(3, 5)) == "GCNConv(3, 5, norm='gcn')"
    assert repr(GCNConv(3, 5, add_self_loops=False)) == "GCNConv(3, 5, norm='gcn', add_self_loops=False)"
    assert repr(SAGEConv(3, 5)) == "SAGEConv(3, 5)"
