"""`torch.export` and ONNX: one program for graphs of any size, equal to the layer on other graphs, or a sentence."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from graphkit import testing
from graphkit.layers import GATConv, GCNConv, NormDropoutReLU, SAGEConv
from graphkit.models.node.classic import GCN
from tests.layers.cases import CASES
from tests.layers.oracle import messy_graph

pytestmark = pytest.mark.usefixtures("unchecked_shapes")

EXPORTED = (
    "Propagation-directed",
    "GCNConv-gcn",
    "SAGEConv",
    "GATConv-heads",
    "GATConv-mean",
    "GATConv-edges",
    "GINConv-learned",
    "DirectionalConv-learned",
    "LightGCNPropagation-learned",
    "DirectedPatternAggregation",
)
REFUSED = ("SheafDiffusion-diagonal", "GINConv-edges", "CommonNeighborScore")


class TwoLayers(nn.Module):
    """A network of its own, as somebody would compose it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.second = SAGEConv(4, 8), NormDropoutReLU(8, dropout=0.5), GATConv(8, 3, heads=2)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.second(self.norm(self.first(x, edge_index)), edge_index)


def sizes(weighted: bool = False) -> tuple[dict[int, Any], ...]:
    nodes, edges = torch.export.Dim("nodes", min=0), torch.export.Dim("edges", min=0)
    return ({0: nodes}, {1: edges}, {0: edges}) if weighted else ({0: nodes}, {1: edges})


def exported(layer: nn.Module, weighted: bool = False) -> nn.Module:
    """The program, made on one graph."""
    graph = testing.random_graph(4, weighted=weighted, dtype=torch.float32)
    given = (graph.x, graph.edge_index, *([graph.edge_weight] if weighted else []))
    return torch.export.export(layer, given, dynamic_shapes=sizes(weighted)).module()


def other_graphs(weighted: bool = False) -> list[tuple[Tensor, ...]]:
    """Larger and smaller ones, repeated edges and self-loops, no edges, no nodes."""
    edges, num_nodes = messy_graph()
    graphs = [testing.random_graph(4, n, weighted=weighted, dtype=torch.float32, seed=n) for n in (7, 40)]
    found = [(graph.x, graph.edge_index, *([graph.edge_weight] if weighted else [])) for graph in graphs]
    for count, listed in ((num_nodes, edges), (3, edges[:, :0]), (1, edges[:, :0]), (0, edges[:, :0])):
        weight = torch.linspace(0.0, 2.0, listed.size(1))  # a weight of 0 among them
        found.append((torch.randn(count, 4), listed, *([weight] if weighted else [])))
    return found


@pytest.mark.parametrize("name", EXPORTED)
def test_an_exported_layer_equals_itself_on_other_graphs(name: str) -> None:
    case, weighted = CASES[name], not name.endswith("-edges")  # features of repeated edges are refused without export
    layer = case.adapted().eval()
    program = exported(layer, weighted)
    for given in other_graphs(weighted):
        if weighted or given[1].unique(dim=1).size(1) == given[1].size(1):
            torch.testing.assert_close(program(*given), layer(*given), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("make", [TwoLayers, lambda: GCN(4, 3, hidden_channels=8, dropout=0.5)], ids=["own", "model=gcn"])
def test_an_exported_network_equals_itself_on_other_graphs(make: Any) -> None:
    network = make().eval()
    program = exported(network)
    for given in other_graphs():
        torch.testing.assert_close(program(*given), network(*given), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_exported_says_so(name: str) -> None:
    case = CASES[name]
    graph = testing.random_graph(case.in_channels, dtype=torch.float32)
    with pytest.raises(ValueError, match="torch.export takes a graph as a list of edges .* GATConv"):
        torch.export.export(case.adapted().eval(), (graph.x, graph.edge_index), dynamic_shapes=sizes())


def test_two_node_sets_are_exported() -> None:
    graph = testing.random_bipartite_graph(dtype=torch.float32)
    layer = GATConv((4, 3), 2, heads=2).eval()
    sources, targets, edges = (torch.export.Dim(name, min=0) for name in ("sources", "targets", "edges"))
    pair = (graph.x_src, graph.x_dst)
    program = torch.export.export(layer, (pair, graph.edge_index), dynamic_shapes=(({0: sources}, {0: targets}), {1: edges}))
    other = testing.random_bipartite_graph(size=(30, 20), dtype=torch.float32, seed=1)
    pair = (other.x_src, other.x_dst)
    torch.testing.assert_close(program.module()(pair, other.edge_index), layer(pair, other.edge_index))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the exporter's own parts
@pytest.mark.parametrize("make", [lambda: GCNConv(4, 3), TwoLayers], ids=["gcn", "own"])
def test_onnx_gives_the_same_on_other_graphs(make: Any) -> None:
    pytest.importorskip("onnxscript", reason="needs the extra `onnx`")
    runtime = pytest.importorskip("onnxruntime", reason="needs the extra `onnx`")
    network, graph = make().eval(), testing.random_graph(4, dtype=torch.float32)
    given = (graph.x, graph.edge_index)
    program = torch.onnx.export(network, given, dynamo=True, dynamic_shapes=sizes(), verbose=False)
    file = io.BytesIO()
    program.save(file)
    session = runtime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    for given in other_graphs()[:4]:
        (out,) = session.run(None, {name: part.numpy() for name, part in zip(names, given, strict=True)})
        torch.testing.assert_close(torch.from_numpy(out), network(*given).detach(), rtol=1e-4, atol=1e-5)
