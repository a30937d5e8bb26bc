"""Weights of own edges reach the layers of both tasks."""

from pathlib import Path

import pytest
import torch

from graphkit.conf.models.node import GCNModel
from graphkit.conf.schema import NodeTask, Train
from graphkit.data import load
from graphkit.data.graph import Graph
from graphkit.tasks.build import build_task
from graphkit.tasks.operators import weighted_operator

NODES = 24


@pytest.fixture
def paths(tmp_path: Path) -> dict[str, Path]:
    texts = {
        "edges": "".join(f"{v},{(v + step) % NODES},{0.25 + v * step % 5}\n" for v in range(NODES) for step in (1, 3)),
        "features": "".join(f"{v},{v % 3},{v % 5 / 2}\n" for v in range(NODES)),
        "labels": "".join(f"{v},{v % 2}\n" for v in range(NODES)),
    }
    heads = {"edges": "from,to,weight\n", "features": "node,a,b\n", "labels": "node,label\n"}
    for name, text in texts.items():
        (tmp_path / name).write_text(heads[name] + text)
    return {name: tmp_path / name for name in texts}


def dense(graph: Graph) -> torch.Tensor:
    assert graph.edge_weight is not None
    matrix = torch.zeros(graph.num_nodes, graph.num_nodes, dtype=torch.float64)
    for (source, target), weight in zip(graph.edge_index.T.tolist(), graph.edge_weight.tolist(), strict=True):
        matrix[target, source] = weight
    return matrix


def test_a_gcn_of_one_layer_is_the_weighted_matrix(paths: dict[str, Path]) -> None:
    dataset = load("custom", task="node", split=(0.5, 0.25, 0.25), **paths)
    task = build_task("node", dataset, NodeTask(), GCNModel(num_layers=1), Train(), torch.device("cpu"))
    model = task.build_model().eval()
    adjacency = dense(dataset.graph) + torch.eye(NODES, dtype=torch.float64)
    scale = adjacency.sum(dim=1).rsqrt()
    state = {name.rpartition(".")[2]: tensor.double() for name, tensor in model.state_dict().items()}
    assert dataset.graph.x is not None
    expected = scale[:, None] * adjacency * scale @ dataset.graph.x.double() @ state["weight"].T + state["bias"]
    torch.testing.assert_close(torch.from_numpy(task.predictions(model)["logits"]).double(), expected, rtol=1e-5, atol=1e-5)


def test_the_operator_of_a_link_graph_has_the_weights_of_its_training_edges(paths: dict[str, Path]) -> None:
    graph = load("custom", task="link", edges=paths["edges"]).graph
    operator = weighted_operator(graph, torch.device("cpu"))
    torch.testing.assert_close(operator.to_dense(torch.float64), dense(graph))
    assert operator.symmetric and weighted_operator(Graph(graph.edge_index, NODES), torch.device("cpu")).value is None
