"""Two node sets: convolutions on pairs (x_src, x_dst) against dense operators and PyG, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch_geometric import nn as pyg

from graphkit import testing
from graphkit.layers import GATConv, GCNConv, Propagation, SAGEConv
from graphkit.sparse import CSR, sparse_features
from graphkit.testing import BipartiteGraph, random_bipartite_graph
from tests.layers.conv.compare import assert_same
from tests.layers.conv.test_gat import attention_oracle
from tests.layers.oracle import dense_operator

LAYERS: dict[str, Callable[[], nn.Module]] = {
    "Propagation-mean": lambda: Propagation("mean"),
    "Propagation-sum": lambda: Propagation("sum"),
    "Propagation-directed": lambda: Propagation("directed"),
    "GCNConv-mean": lambda: GCNConv(4, 3, norm="mean"),
    "GCNConv-sum-wider": lambda: GCNConv(4, 6, norm="sum"),
    "SAGEConv": lambda: SAGEConv((4, 3), 2),
    "SAGEConv-wider": lambda: SAGEConv((4, 3), 6, bias=False),
    "GATConv": lambda: GATConv((4, 3), 2, heads=2),
    "GATConv-mean": lambda: GATConv((4, 3), 2, heads=2, concat=False),
}


def graphs() -> dict[str, BipartiteGraph]:
    """With isolated sources and targets, without edges, and without nodes on one side or both."""
    graph = random_bipartite_graph()
    empty = graph.without_edges()
    no_sources, no_targets = replace(empty, x_src=graph.x_src[:0]), replace(empty, x_dst=graph.x_dst[:0])
    return {
        "rectangular": graph,
        "no-edges": empty,
        "no-sources": no_sources,
        "no-targets": no_targets,
        "no-nodes": replace(no_sources, x_dst=graph.x_dst[:0]),
    }


every_graph = pytest.mark.parametrize("graph", graphs().values(), ids=graphs().keys())


def pair_of(graph: BipartiteGraph) -> tuple[Tensor, Tensor]:
    return graph.x_src.clone().requires_grad_(), graph.x_dst.clone().requires_grad_()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS.keys())
def test_every_layer_reads_two_node_sets(make: Callable[[], nn.Module], weighted: bool) -> None:
    testing.assert_two_node_sets(make, weighted=weighted)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("norm", ["mean", "sum", "directed"])
def test_propagation_and_gcn_conv_equal_dense_oracle(norm: str, weighted: bool) -> None:
    graph = random_bipartite_graph(weighted=weighted)
    x_src, x_dst = pair_of(graph)
    weight = None if graph.edge_weight is None else graph.edge_weight.requires_grad_()
    inputs = [x_src] if weight is None else [x_src, weight]
    dense = dense_operator(graph.edge_index, graph.size, weight, norm)
    assert_same(Propagation(norm)((x_src, x_dst), graph.edge_index, weight), dense @ x_src, inputs)
    for out_channels in (2, 6):
        layer = GCNConv(4, out_channels, norm=norm).double()
        dense = dense_operator(graph.edge_index, graph.size, weight, norm)
        expected = dense @ x_src @ layer.lin.weight.t() + layer.bias
        assert_same(layer((x_src, x_dst), graph.edge_index, weight), expected, [*inputs, *layer.parameters()])


@pytest.mark.parametrize("weighted", [False, True])
def test_sage_conv_equals_dense_oracle(weighted: bool) -> None:
    graph = random_bipartite_graph(weighted=weighted)
    x_src, x_dst = pair_of(graph)
    layer = SAGEConv((4, 3), 5).double()
    mean = dense_operator(graph.edge_index, graph.size, graph.edge_weight, "mean")
    expected = mean @ x_src @ layer.lin_l.weight.t() + layer.lin_l.bias + x_dst @ layer.lin_r.weight.t()
    actual = layer((x_src, x_dst), graph.edge_index, graph.edge_weight)
    assert_same(actual, expected, [x_src, x_dst, *layer.parameters()])
    alone = layer((x_src, None), graph.edge_index, graph.edge_weight, graph.size)
    expected = mean @ x_src @ layer.lin_l.weight.t() + layer.lin_l.bias
    assert_same(alone, expected, [x_src, *layer.lin_l.parameters()])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("edge_dim", [None, 2])
def test_gat_conv_equals_dense_oracle(edge_dim: int | None, weighted: bool) -> None:
    graph = random_bipartite_graph(weighted=weighted)
    x_src, x_dst = pair_of(graph)
    attr = torch.randn(graph.edge_index.size(1), 2, dtype=torch.float64, requires_grad=True) if edge_dim else None
    layer = GATConv((4, 3), 2, heads=2, edge_dim=edge_dim).double()
    expected = attention_oracle(layer, (x_src, x_dst), graph.edge_index, graph.edge_weight, attr)
    inputs = [x_src, x_dst, *layer.parameters(), *([] if attr is None else [attr])]
    assert_same(layer((x_src, x_dst), graph.edge_index, graph.edge_weight, attr), expected, inputs)
    alone = layer((x_src, None), graph.edge_index, graph.edge_weight, attr, graph.size)
    expected = attention_oracle(layer, (x_src, None), graph.edge_index, graph.edge_weight, attr, graph.size[1])
    assert_same(alone, expected, [x_src, layer.lin_src.weight, layer.att_src])


@every_graph
@pytest.mark.parametrize("targets", [True, False])
@pytest.mark.parametrize("norm", ["mean", "sum"])
def test_propagation_equals_pyg(norm: str, targets: bool, graph: BipartiteGraph) -> None:
    x_src, x_dst = pair_of(graph)
    pair, peer = (x_src, x_dst if targets else None), pyg.SimpleConv(aggr=norm)
    theirs = peer(pair, graph.edge_index, size=graph.size)
    assert_same(Propagation(norm)(pair, graph.edge_index, size=graph.size), theirs, [x_src])


@every_graph
@pytest.mark.parametrize("targets", [True, False])
@pytest.mark.parametrize(
    ("ours", "theirs", "arguments"),
    [
        (SAGEConv, pyg.SAGEConv, {}),
        (SAGEConv, pyg.SAGEConv, {"bias": False}),
        (GATConv, pyg.GATConv, {"add_self_loops": False}),
        (GATConv, pyg.GATConv, {"add_self_loops": False, "heads": 3, "concat": False}),
        (GATConv, pyg.GATConv, {"add_self_loops": False, "heads": 2, "edge_dim": 2}),
    ],
    ids=["sage", "sage-no-bias", "gat", "gat-mean", "gat-edges"],
)
def test_layers_equal_pyg(
    ours: Callable[..., nn.Module],
    theirs: Callable[..., nn.Module],
    arguments: dict[str, Any],
    targets: bool,
    graph: BipartiteGraph,
) -> None:
    """State dicts load both ways."""
    x_src, x_dst = pair_of(graph)
    pair = (x_src, x_dst if targets else None)
    attr = (
        torch.randn(graph.edge_index.size(1), 2, dtype=torch.float64, requires_grad=True) if "edge_dim" in arguments else None
    )
    layer, peer = ours((4, 3), 5, **arguments).double(), theirs((4, 3), 5, **arguments).double()
    layer.load_state_dict(peer.state_dict())
    peer.load_state_dict(layer.state_dict())
    keywords = {} if attr is None else {"edge_attr": attr}
    actual = layer(pair, graph.edge_index, size=graph.size, **keywords)
    expected = peer(pair, graph.edge_index, size=graph.size, **keywords)
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-11)
    inputs = {"x_src": x_src, "x_dst": x_dst} | ({} if attr is None else {"edge_attr": attr})
    for one, other in zip(gradients(actual, layer, inputs), gradients(expected, peer, inputs), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-11)


def gradients(output: Tensor, layer: nn.Module, inputs: dict[str, Tensor]) -> list[Tensor]:
    """Of a fixed functional, zeros where an input is not read, in the order of the names."""
    every = dict(sorted((inputs | dict(layer.named_parameters())).items()))
    probe = torch.linspace(-1.0, 1.0, output.numel(), dtype=output.dtype).sin().view_as(output)
    return list(torch.autograd.grad((output * probe).sum(), list(every.values()), materialize_grads=True))


def test_one_width_shares_the_map_of_gat() -> None:
    graph = random_bipartite_graph((4, 4))
    layer, peer = GATConv(4, 2, heads=2).double(), pyg.GATConv(4, 2, heads=2, add_self_loops=False).double()
    peer.load_state_dict(layer.state_dict())
    pair = (graph.x_src, graph.x_dst)
    torch.testing.assert_close(layer(pair, graph.edge_index), peer(pair, graph.edge_index))


@pytest.mark.parametrize("make", [SAGEConv, GATConv])
def test_two_widths_take_one_node_set_too(make: Callable[..., nn.Module]) -> None:
    x, edge_index = torch.randn(5, 4), torch.tensor([[0, 1, 2], [3, 3, 4]])
    layer, peer = make((4, 4), 3), {SAGEConv: pyg.SAGEConv, GATConv: pyg.GATConv}[make]((4, 4), 3)
    peer.load_state_dict(layer.state_dict())
    torch.testing.assert_close(layer(x, edge_index), peer(x, edge_index))


def test_a_pair_gets_no_self_loops_and_one_node_set_does() -> None:
    edge_index, x = torch.tensor([[0, 1], [1, 2]]), torch.randn(3, 4)
    layer = GATConv(4, 2)
    _, (of_pair, _) = layer((x, x), edge_index, return_attention_weights=True)
    _, (of_one, _) = layer(x, edge_index, return_attention_weights=True)
    assert of_pair.size(1) == 2 and of_one.size(1) == 5


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS.keys())
def test_targets_are_counted_without_their_features(make: Callable[[], nn.Module]) -> None:
    """By `size`, by a matrix, or by an `EdgeIndex` that knows its size; a plain list of edges does not know."""
    graph, layer = random_bipartite_graph(dtype=torch.float32), make().eval()
    alone = (graph.x_src, None)
    expected = layer(alone, graph.edge_index, size=graph.size)
    assert expected.size(0) == graph.size[1]
    for layout in testing.LAYOUTS:
        adjacency, _ = testing.graphs.adjacency_and_order(graph.edge_index, None, graph.size, layout, torch.float32)
        if layout in ("edge_index", "shuffled"):
            with pytest.raises(ValueError, match="x has no features of the targets: pass size="):
                layer(alone, adjacency)
        else:
            torch.testing.assert_close(layer(alone, adjacency), expected)


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS.keys())
def test_sizes_that_contradict_each_other_are_refused(make: Callable[[], nn.Module]) -> None:
    graph, layer = random_bipartite_graph(dtype=torch.float32), make()
    pair = (graph.x_src, graph.x_dst)
    with pytest.raises(ValueError, match=r"size must be \(10, 7\), the number of sources and of targets in x, got \(7, 10\)"):
        layer(pair, graph.edge_index, size=(7, 10))
    with pytest.raises(ValueError, match=r"size must be \(10, 8\)"):
        layer((graph.x_src, None), graph.edge_index, size=(9, 8))
    with pytest.raises(ValueError, match="sparse matrix is 10 x 7 where 7 x 10 is needed"):
        layer(pair, CSR.from_edge_index(graph.edge_index, (7, 10)).t())


@pytest.mark.parametrize(
    "make", [lambda: Propagation("gcn"), lambda: GCNConv(4, 3), lambda: GCNConv(4, 3, add_self_loops=False)]
)
def test_the_norm_of_one_node_set_refuses_a_pair(make: Callable[[], nn.Module]) -> None:
    graph = random_bipartite_graph(dtype=torch.float32)
    with pytest.raises(ValueError, match=r"one node set: for a pair \(x_src, x_dst\) take norm='mean', 'sum' or 'directed'"):
        make()((graph.x_src, graph.x_dst), graph.edge_index)


@pytest.mark.parametrize("name", ["GCNConv-mean", "SAGEConv", "GATConv"])
def test_sparse_features_of_both_sets(name: str) -> None:
    graph, layer = random_bipartite_graph(), LAYERS[name]().double()
    rare = [torch.where(x > 1.6, x, 0.0) for x in (graph.x_src, graph.x_dst)]
    pair = tuple(sparse_features(x, density=0.5) for x in rare)
    assert all(isinstance(x, CSR) and x.nnz for x in pair)
    torch.testing.assert_close(layer(pair, graph.edge_index), layer((rare[0], rare[1]), graph.edge_index))


@pytest.mark.parametrize("name", ["SAGEConv", "GATConv"])
def test_a_sampled_block_gives_the_rows_of_the_whole_graph(name: str) -> None:
    """Targets are the first of the sources; their edges all are in the block."""
    graph = testing.random_graph(4, dtype=torch.float64)
    layer = {"SAGEConv": SAGEConv(4, 3), "GATConv": GATConv(4, 3, add_self_loops=False)}[name].double()
    block = graph.edge_index[:, graph.edge_index[1] < 5]
    torch.testing.assert_close(layer((graph.x, graph.x[:5]), block), layer(graph.x, graph.edge_index)[:5])


def hetero_inputs() -> tuple[dict[str, Tensor], dict[tuple[str, str, str], Tensor]]:
    graph = random_bipartite_graph((4, 4), dtype=torch.float32)
    x = {"user": graph.x_src, "item": graph.x_dst}
    follows = torch.randint(0, graph.size[0], (2, 20))
    return x, {
        ("user", "buys", "item"): graph.edge_index,
        ("item", "bought_by", "user"): graph.edge_index.flip(0),
        ("user", "follows", "user"): follows,
    }


@pytest.mark.parametrize("name", ["Propagation", "GCNConv", "SAGEConv", "GATConv"])
def test_pyg_hetero_conv_takes_the_layers(name: str) -> None:
    """Its sum over edge types is the sum of the layers' outputs."""
    makes: dict[str, Callable[[], nn.Module]] = {
        "Propagation": lambda: Propagation("mean"),
        "GCNConv": lambda: GCNConv(4, 3, norm="mean"),
        "SAGEConv": lambda: SAGEConv(4, 3),
        "GATConv": lambda: GATConv(4, 3, add_self_loops=False),
    }
    x, edges = hetero_inputs()
    convs = {edge_type: makes[name]() for edge_type in edges}
    out = pyg.HeteroConv(convs)(x, edges)
    buys, bought, follows = convs.values()
    torch.testing.assert_close(out["item"], buys((x["user"], x["item"]), edges["user", "buys", "item"]))
    from_items = bought((x["item"], x["user"]), edges["item", "bought_by", "user"])
    torch.testing.assert_close(out["user"], from_items + follows(x["user"], edges["user", "follows", "user"]))


class AsMessagePassing(pyg.MessagePassing):
    """`to_hetero` copies a module to every edge type only if it is one of PyG's `MessagePassing`."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def reset_parameters(self) -> None:
        self.layer.reset_parameters()

    def forward(self, x: Any, edge_index: Tensor) -> Tensor:
        return self.layer(x, edge_index)


class TwoLayers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = AsMessagePassing(SAGEConv((4, 4), 6))
        self.second = AsMessagePassing(GATConv((6, 6), 2, add_self_loops=False))

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.second(self.first(x, edge_index).relu(), edge_index)


def test_pyg_to_hetero_takes_the_layers() -> None:
    x, edges = hetero_inputs()
    network = pyg.to_hetero(TwoLayers(), (list(x), list(edges)))
    out = network(x, edges)
    assert {name: tuple(rows.shape) for name, rows in out.items()} == {"user": (10, 2), "item": (7, 2)}
    sum(rows.sum() for rows in out.values()).backward()
    assert all(bool(torch.isfinite(parameter.grad).all()) for parameter in network.parameters())
