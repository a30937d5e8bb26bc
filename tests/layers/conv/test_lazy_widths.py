from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch_geometric import nn as pyg

from graphkit.layers import GATConv, GCNConv, SAGEConv
from graphkit.layers.conv.lazy_widths import LazyWidths
from graphkit.sparse import sparse_features
from graphkit.testing import random_bipartite_graph

EDGES = torch.tensor([[0, 1, 2], [1, 2, 2]])

every_layer = pytest.mark.parametrize(
    ("make", "peer", "arguments"),
    [(GCNConv, pyg.GCNConv, {}), (SAGEConv, pyg.SAGEConv, {}), (GATConv, pyg.GATConv, {"heads": 2})],
    ids=["gcn", "sage", "gat"],
)
of_two_sets = pytest.mark.parametrize("make", [SAGEConv, GATConv])


@every_layer
def test_the_first_input_tells_the_width(make: Callable[..., LazyWidths], peer: Any, arguments: dict[str, Any]) -> None:
    """The layer is then one that was made with this width from the same seed."""
    layer = make(-1, 3, **arguments)
    layer.reset_parameters()
    parameters = list(layer.parameters())
    torch.manual_seed(0)
    actual = layer(x=torch.ones(4, 5), edge_index=EDGES)
    known = make(5, 3, **arguments)
    torch.manual_seed(0)
    known.reset_parameters()
    torch.testing.assert_close(actual, known(torch.ones(4, 5), EDGES), rtol=0, atol=0)
    assert repr(layer) == repr(known) and layer.in_channels == 5
    assert all(one is other for one, other in zip(parameters, layer.parameters(), strict=True))  # an optimizer holds them


@every_layer
def test_a_state_dict_tells_the_width(make: Callable[..., LazyWidths], peer: Any, arguments: dict[str, Any]) -> None:
    theirs = peer(5, 3, **arguments)
    layer = make(-1, 3, **arguments)
    layer.load_state_dict(theirs.state_dict())
    x = torch.randn(4, 5)
    torch.testing.assert_close(layer(x, EDGES), theirs(x, EDGES))
    layer.load_state_dict(theirs.state_dict())
    lazy = peer(-1, 3, **arguments)
    lazy.load_state_dict(layer.state_dict())
    torch.testing.assert_close(lazy(x, EDGES), layer(x, EDGES))


@of_two_sets
@pytest.mark.parametrize("widths", [(-1, -1), (4, -1), (-1, 3)])
def test_two_widths_come_from_a_pair(make: Callable[..., LazyWidths], widths: tuple[int, int]) -> None:
    graph = random_bipartite_graph((4, 3), dtype=torch.float32)
    layer = make(widths, 2)
    assert layer((graph.x_src, graph.x_dst), graph.edge_index).shape == (7, 2)
    assert layer.in_channels == (4, 3)
    other = make(widths, 2)
    other.load_state_dict(layer.state_dict())
    assert other.in_channels == (4, 3)
    with pytest.raises(ValueError, match="in_channels=-1 needs features of sources and targets"):
        make((-1, -1), 2)((graph.x_src, None), graph.edge_index, size=graph.size)


def test_one_unknown_width_takes_what_a_pair_has() -> None:
    graph = random_bipartite_graph((4, 3), dtype=torch.float32)
    layer = SAGEConv(-1, 2)
    layer((graph.x_src, graph.x_dst), graph.edge_index)
    assert layer.in_channels == (4, 3)
    shared = GATConv(-1, 2)
    shared((graph.x_src, None), graph.edge_index, size=graph.size)
    assert shared.in_channels == 4


@every_layer
def test_copies_wait_by_themselves(make: Callable[..., LazyWidths], peer: Any, arguments: dict[str, Any]) -> None:
    first = make(-1, 3, **arguments)
    second = copy.deepcopy(first)
    first(torch.ones(4, 5), EDGES)
    second(torch.ones(4, 6), EDGES)
    assert (first.in_channels, second.in_channels) == (5, 6)


def test_sparse_features_and_inference_mode_tell_the_width_too() -> None:
    x = torch.eye(4, 20)
    layer = GCNConv(-1, 3)
    with torch.inference_mode():
        layer(sparse_features(x), EDGES)
    layer(x, EDGES).sum().backward()
    assert layer.in_channels == 20 and layer.lin.weight.grad is not None


def test_pyg_hetero_conv_takes_layers_that_wait() -> None:
    graph = random_bipartite_graph((4, 3), dtype=torch.float32)
    x = {"user": graph.x_src, "item": graph.x_dst}
    edges = {("user", "buys", "item"): graph.edge_index, ("item", "bought_by", "user"): graph.edge_index.flip(0)}
    makes: list[nn.Module] = [SAGEConv((-1, -1), 2), GATConv((-1, -1), 2, add_self_loops=False)]
    out = pyg.HeteroConv(dict(zip(edges, makes, strict=True)))(x, edges)
    assert out["item"].shape == (7, 2) and out["user"].shape == (10, 2)


@of_two_sets
def test_wrong_widths_are_refused(make: Callable[..., LazyWidths]) -> None:
    for widths in (0, -2, (4, 0), (-2, 3)):
        with pytest.raises(ValueError, match="in_channels must be at least 1, got"):
            make(widths, 2)
