from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch_geometric import nn as pyg

from graphkit.layers import DirectionalConv, SAGEConv
from graphkit.sparse import CSR
from tests.layers.conv.test_gat import assert_equal_with_gradients, attention_oracle
from tests.layers.oracle import messy_graph

N = 11


def adjacency(edge_index: Tensor, edge_weight: Tensor | None) -> Tensor:
    """A[source, target], the paper's orientation, one edge at a time."""
    a = torch.zeros(N, N, dtype=torch.float64)
    for e, (source, target) in enumerate(edge_index.t().tolist()):
        one = torch.zeros(N, N, dtype=torch.float64)
        one[source, target] = 1.0
        a = a + one * (1.0 if edge_weight is None else edge_weight[e])
    return a


def power(degree: Tensor, exponent: float) -> Tensor:
    """Degrees to a power as a diagonal matrix, infinities set to zero."""
    return torch.diag(torch.stack([d**exponent if d > 0 else torch.zeros((), dtype=torch.float64) for d in degree]))


def directional_oracle(layer: DirectionalConv, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None) -> Tensor:
    a = adjacency(edge_index, edge_weight)
    leaving, arriving = a.sum(1), a.sum(0)
    alpha = layer.alpha
    out = torch.zeros(N, layer.out_channels, dtype=torch.float64)
    if layer.conv == "gat":
        for branch, edges, share in (
            (layer.out_branch, edge_index.flip(0), alpha),
            (layer.in_branch, edge_index, 1 - alpha),
        ):
            out = out + share * attention_oracle(branch, x, edges, edge_weight)
    else:
        if layer.conv == "gcn":
            hears_out = power(leaving, -0.5) @ a @ power(arriving, -0.5)
            hears_in = power(arriving, -0.5) @ a.t() @ power(leaving, -0.5)
        else:
            hears_out, hears_in = power(leaving, -1.0) @ a, power(arriving, -1.0) @ a.t()
            out = x @ layer.lin_root.weight.t()
        out = out + alpha * hears_out @ x @ layer.out_branch.weight.t()
        out = out + (1 - alpha) * hears_in @ x @ layer.in_branch.weight.t()
    return out + layer.bias


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("widths", [(5, 3), (3, 5)])
@pytest.mark.parametrize("alpha", [{}, {"learn_alpha": True}, {"learn_alpha": True, "bound_alpha": True}])
@pytest.mark.parametrize("conv", ["gcn", "sage", "gat"])
def test_directional_conv_equals_dense_oracle(
    conv: str, alpha: dict[str, bool], widths: tuple[int, int], weighted: bool
) -> None:
    torch.manual_seed(0)
    layer = DirectionalConv(*widths, conv=conv, alpha=0.3, **alpha).double()
    nn.init.normal_(layer.bias)
    edge_index, n = messy_graph()
    assert n == N
    x = torch.randn(N, widths[0], dtype=torch.float64, requires_grad=True)
    weight = torch.rand(edge_index.size(1), dtype=torch.float64).add(0.5).requires_grad_() if weighted else None
    inputs = [x, *layer.parameters(), *([] if weight is None else [weight])]
    expected = directional_oracle(layer, x, edge_index, weight)
    assert_equal_with_gradients(layer(x, edge_index, weight), expected, inputs)


def test_gcn_divides_by_out_degree_and_in_degree() -> None:
    """D_out^-1/2 A D_in^-1/2: on 0 -> 1, 0 -> 2, 3 -> 2 each edge i -> j has (out-degree of i, in-degree of j)^-1/2.

    PyG's wrapper around its own GCNConv divides by the degree of the message's target at both ends, which is not that.
    """
    edges = torch.tensor([[0, 0, 3], [1, 2, 2]])
    s = torch.zeros(4, 4, dtype=torch.float64)
    s[0, 1], s[0, 2], s[3, 2] = (2 * 1) ** -0.5, (2 * 2) ** -0.5, (1 * 2) ** -0.5
    x, eye = torch.randn(4, 4, dtype=torch.float64), torch.eye(4, dtype=torch.float64)
    for alpha, expected in ((1.0, s @ x), (0.0, s.t() @ x), (0.25, 0.25 * s @ x + 0.75 * s.t() @ x)):
        layer = DirectionalConv(4, 4, alpha=alpha, bias=False).double()
        peer = pyg.DirGNNConv(pyg.GCNConv(4, 4, bias=False), alpha=alpha, root_weight=False).double()
        for branch in (layer.out_branch, layer.in_branch, peer.conv_out.lin, peer.conv_in.lin):
            if branch is not None:
                branch.weight.data.copy_(eye)
        torch.testing.assert_close(layer(x, edges), expected)
        assert not torch.allclose(peer(x, edges), expected)


def test_sage_equals_pyg() -> None:
    edge_index = messy_graph(seed=3)[0].unique(dim=1)
    x = torch.randn(N, 4, dtype=torch.float64)
    peer = pyg.DirGNNConv(pyg.SAGEConv(4, 3, bias=False), alpha=0.3).double()
    layer = DirectionalConv(4, 3, conv="sage", alpha=0.3).double()
    layer.out_branch.weight.data.copy_(peer.conv_out.lin_l.weight)
    layer.in_branch.weight.data.copy_(peer.conv_in.lin_l.weight)
    layer.lin_root.weight.data.copy_(peer.lin.weight)
    layer.bias.data.copy_(peer.lin.bias)
    torch.testing.assert_close(layer(x, edge_index), peer(x, edge_index))


@pytest.mark.parametrize("conv", ["gcn", "sage", "gat"])
def test_turning_all_edges_exchanges_the_branches(conv: str) -> None:
    edge_index, _ = messy_graph()
    x = torch.randn(N, 4, dtype=torch.float64)
    layer = DirectionalConv(4, 3, conv=conv, alpha=0.3).double()
    other = copy.deepcopy(layer)
    other.initial_alpha = 0.7
    other.out_branch, other.in_branch = other.in_branch, other.out_branch
    torch.testing.assert_close(layer(x, edge_index), other(x, edge_index.flip(0)))


def test_a_single_edge_is_heard_in_the_right_direction() -> None:
    x, edge = torch.randn(2, 4), torch.tensor([[0], [1]])
    for conv in ("gcn", "sage"):
        out = DirectionalConv(4, 3, conv=conv, alpha=1.0, bias=False)
        silent = out(x, edge) - (out.lin_root(x) if conv == "sage" else 0.0)
        torch.testing.assert_close(silent, torch.stack([out.out_branch(x[1]), torch.zeros(3)]))


def test_on_an_undirected_graph_one_sage_branch_is_sage_conv() -> None:
    edge_index, _ = messy_graph()
    both = torch.cat([edge_index, edge_index.flip(0)], dim=1)
    layer, plain = DirectionalConv(4, 3, conv="sage", alpha=0.0), SAGEConv(4, 3)
    plain.lin_l.weight, plain.lin_r.weight, plain.lin_l.bias = layer.in_branch.weight, layer.lin_root.weight, layer.bias
    x = torch.randn(N, 4)
    torch.testing.assert_close(layer(x, both), plain(x, both))


@pytest.mark.parametrize(("alpha", "kept", "left_out"), [(1.0, "out_branch", "in_branch"), (0.0, "in_branch", "out_branch")])
def test_a_branch_that_never_counts_does_not_exist(alpha: float, kept: str, left_out: str) -> None:
    layer = DirectionalConv(4, 3, alpha=alpha)
    assert getattr(layer, left_out) is None and getattr(layer, kept) is not None
    learned = DirectionalConv(4, 3, alpha=alpha, learn_alpha=True)
    assert learned.out_branch is not None and learned.in_branch is not None


def test_a_learned_alpha_starts_where_it_is_told_and_stays_in_its_bounds() -> None:
    free = DirectionalConv(4, 3, alpha=0.2, learn_alpha=True)
    bound = DirectionalConv(4, 3, alpha=0.2, learn_alpha=True, bound_alpha=True)
    for layer in (free, bound):
        assert layer.alpha.item() == pytest.approx(0.2)
        nn.init.constant_(layer.learned_alpha, 3.0)
    assert free.alpha.item() == 3.0 and 0.9 < bound.alpha.item() < 1.0
    for layer in (free, bound):
        layer.reset_parameters()
        assert layer.alpha.item() == pytest.approx(0.2)


def test_normalized_operators_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[CSR] = []
    original = CSR.matmul
    monkeypatch.setattr(CSR, "matmul", lambda self, x: used.append(self) or original(self, x))
    edge_index, _ = messy_graph()
    layers = [DirectionalConv(4, 4), DirectionalConv(4, 4)]
    for layer in layers * 2:
        layer(torch.randn(N, 4), edge_index)
    assert len(used) == 8 and len({id(one) for one in used}) == 2
    assert used[0].t() is used[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"conv": "gin"}, "conv must be one of gcn, sage, gat, got 'gin'"),
        ({"alpha": 1.5}, r"alpha must lie in \[0, 1\], got 1.5"),
        ({"alpha": 1.0, "learn_alpha": True, "bound_alpha": True}, r"alpha must lie in \(0, 1\), got 1.0"),
        ({"bound_alpha": True}, "bound_alpha=True needs learn_alpha=True"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DirectionalConv(4, 3, **arguments)
    with pytest.raises(ValueError, match="out_channels must be at least 1, got 0"):
        DirectionalConv(4, 0)


def test_repr() -> None:
    assert repr(DirectionalConv(3, 5)) == "DirectionalConv(3, 5, conv='gcn', alpha=0.5)"
    learned = DirectionalConv(3, 5, conv="gat", learn_alpha=True, bound_alpha=True)
    assert repr(learned) == "DirectionalConv(3, 5, conv='gat', alpha=0.5, learn_alpha=True, bound_alpha=True)"
