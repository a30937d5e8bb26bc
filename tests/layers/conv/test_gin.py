"""GIN and GINE against dense operators, a loop over edges, and PyG."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch_geometric import nn as pyg

from graphkit.layers import GINConv
from graphkit.sparse import CSR, as_entries
from tests.layers.conv.compare import WIDTHS, assert_same, problem, simple_graph
from tests.layers.oracle import dense_adjacency

EPS = 0.3


def perceptron(layer: GINConv, x: Tensor) -> Tensor:
    """Linear, batch statistics, ReLU, Linear, written out."""
    h = x @ layer.nn[0].weight.t()
    if layer.nn[0].bias is not None:
        h = h + layer.nn[0].bias
    if isinstance(layer.nn[1], nn.BatchNorm1d):
        h = (h - h.mean(0)) / (h.var(0, correction=0) + layer.nn[1].eps).sqrt() * layer.nn[1].weight + layer.nn[1].bias
    return torch.where(h > 0, h, 0.0) @ layer.nn[-1].weight.t() + layer.nn[-1].bias


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("widths", WIDTHS)
def test_gin_conv_equals_dense_oracle(widths: tuple[int, int], weighted: bool, norm: bool) -> None:
    layer = GINConv(*widths, eps=EPS, train_eps=True, norm=norm).double()
    x, edge_index, weight = problem(widths[0], weighted)
    total = (1 + layer.eps) * x + dense_adjacency(edge_index, x.size(0), weight) @ x
    inputs = [x, *layer.parameters(), *([] if weight is None else [weight])]
    assert_same(layer(x, edge_index, weight), perceptron(layer, total), inputs)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("widths", WIDTHS)
def test_edge_features_equal_a_loop_over_edges(widths: tuple[int, int], weighted: bool) -> None:
    edge_index, num_nodes = simple_graph()
    layer = GINConv(*widths, edge_channels=2, eps=EPS, train_eps=True).double()
    x = torch.randn(num_nodes, widths[0], dtype=torch.float64, requires_grad=True)
    edge_attr = torch.randn(edge_index.size(1), 2, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(edge_index.size(1), dtype=torch.float64, requires_grad=True) if weighted else None
    rows = [(1 + layer.eps) * one for one in x]
    assert layer.lin is not None
    for e, (source, target) in enumerate(edge_index.t().tolist()):
        message = (x[source] + layer.lin.weight @ edge_attr[e] + layer.lin.bias).clamp(min=0)
        rows[target] = rows[target] + (message if weight is None else weight[e] * message)
    inputs = [x, edge_attr, *layer.parameters(), *([] if weight is None else [weight])]
    out = layer(x, edge_index, weight, edge_attr)
    assert_same(out, perceptron(layer, torch.stack(rows)), inputs)
    csr = CSR.from_edge_index(edge_index, num_nodes, weight)
    assert torch.equal(layer(x, csr, None, as_entries(edge_index, num_nodes).gather(edge_attr)), out)


@pytest.mark.parametrize("train_eps", [False, True])
@pytest.mark.parametrize("edge_channels", [0, 2])
@pytest.mark.parametrize("widths", WIDTHS)
def test_gin_conv_equals_pyg(widths: tuple[int, int], edge_channels: int, train_eps: bool) -> None:
    edge_index, num_nodes = simple_graph()
    x = torch.randn(num_nodes, widths[0], dtype=torch.float64, requires_grad=True)
    edge_attr = torch.randn(edge_index.size(1), edge_channels, dtype=torch.float64, requires_grad=True)
    layer = GINConv(*widths, edge_channels=edge_channels, eps=EPS, train_eps=train_eps).double()
    inner = nn.Sequential(nn.Linear(*widths, bias=False), nn.BatchNorm1d(widths[1]), nn.ReLU(), nn.Linear(widths[1], widths[1]))
    if edge_channels:
        peer: nn.Module = pyg.GINEConv(inner, eps=EPS, train_eps=train_eps, edge_dim=edge_channels).double()
        given: tuple[Tensor, ...] = x, edge_index, edge_attr
    else:
        peer = pyg.GINConv(inner, eps=EPS, train_eps=train_eps).double()
        given = x, edge_index
    layer.load_state_dict(peer.state_dict())
    ours = layer(x, edge_index, None, edge_attr if edge_channels else None)
    inputs = [x, *([edge_attr] if edge_channels else [])]
    of_ours = [*inputs, *(p for _, p in sorted(layer.named_parameters()))]
    of_theirs = [*inputs, *(p for _, p in sorted(peer.named_parameters()))]
    assert_same(ours, peer(*given), of_ours, of_theirs)
    torch.testing.assert_close(layer.nn[1].running_mean, peer.nn[1].running_mean)


def test_edge_features_and_their_width_come_together() -> None:
    edge_index = torch.tensor([[0], [1]])
    with pytest.raises(ValueError, match="come together"):
        GINConv(3, 3)(torch.zeros(2, 3), edge_index, None, torch.zeros(1, 2))
    with pytest.raises(ValueError, match="come together"):
        GINConv(3, 3, edge_channels=2)(torch.zeros(2, 3), edge_index)
    with pytest.raises(ValueError, match="edge_channels must be at least 0"):
        GINConv(3, 3, edge_channels=-1)


def test_resetting_restores_eps_and_the_normalization() -> None:
    layer = GINConv(3, 4, eps=EPS, train_eps=True)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.fill_(5.0)
    layer.reset_parameters()
    assert float(layer.eps.detach()) == pytest.approx(EPS) and torch.equal(layer.nn[1].weight, torch.ones(4))
    assert not bool((layer.nn[0].weight == 5).any())
