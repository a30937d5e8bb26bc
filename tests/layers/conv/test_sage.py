"""GraphSAGE against dense operators and PyG."""

from __future__ import annotations

import pytest
import torch
from torch_geometric import nn as pyg

from graphkit.layers import SAGEConv
from tests.layers.conv.compare import WIDTHS, assert_same, problem, simple_graph
from tests.layers.oracle import dense_operator


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("widths", WIDTHS)
def test_sage_conv_equals_dense_oracle(widths: tuple[int, int], weighted: bool) -> None:
    layer = SAGEConv(*widths).double()
    x, edge_index, weight = problem(widths[0], weighted)
    mean = dense_operator(edge_index, x.size(0), weight, "mean") @ x
    expected = x @ layer.lin_r.weight.t() + mean @ layer.lin_l.weight.t() + layer.lin_l.bias
    inputs = [x, layer.lin_l.weight, layer.lin_l.bias, layer.lin_r.weight, *([] if weight is None else [weight])]
    assert_same(layer(x, edge_index, weight), expected, inputs)


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("bias", [True, False])
def test_sage_conv_equals_pyg(widths: tuple[int, int], bias: bool) -> None:
    edge_index, num_nodes = simple_graph()
    x = torch.randn(num_nodes, widths[0], dtype=torch.float64, requires_grad=True)
    peer = pyg.SAGEConv(*widths, bias=bias).double()
    layer = SAGEConv(*widths, bias=bias).double()
    layer.load_state_dict(peer.state_dict())
    assert_same(
        layer(x, edge_index),
        peer(x, edge_index),
        [x, *(p for _, p in sorted(layer.named_parameters()))],
        [x, *(p for _, p in sorted(peer.named_parameters()))],
    )
