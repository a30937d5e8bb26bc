"""`data.embed=fastrp`: which graph the features are made of, where they stand, and which tasks have none."""

from __future__ import annotations

import pytest
import torch

from graphkit.conf.arguments import split
from graphkit.conf.request import check
from graphkit.data import load
from graphkit.data.catalog import DATASETS
from graphkit.errors import RequestError
from graphkit.run import dry_run
from graphkit.sparse import CSR
from graphkit.sparse.graph_measures import fast_random_projection, random_projection


def expected(graph, seed, channels=6):
    r = random_projection(graph.num_nodes, channels, seed=seed)
    return fast_random_projection(CSR.from_edge_index(graph.edge_index, graph.num_nodes, graph.edge_weight), r)


@pytest.mark.parametrize(("name", "task"), [("karate", "node"), ("karate", "link"), ("digits", "node")])
def test_they_follow_the_given_features_and_are_of_the_training_graph(name, task):
    plain = load(name, task=task, seed=3, scale="standard")
    found = load(name, task=task, seed=3, scale="standard", embed="fastrp", embed_channels=6)
    width = plain.graph.x.size(1)
    assert torch.equal(found.graph.x[:, :width], plain.graph.x)
    torch.testing.assert_close(found.graph.x[:, width:], expected(found.graph, 3))
    assert torch.equal(found.graph.edge_index, plain.graph.edge_index)
    assert found.scaling.mean.numel() == width + 6 and float(found.scaling.std[width:].mean()) == 1.0
    assert "6 columns of FastRP" in found.notes[-1]


def test_a_graph_without_features_gets_some():
    edges = torch.tensor([[0, 1, 2, 3, 4, 0, 2, 4], [1, 2, 3, 4, 0, 5, 6, 7]])
    found = load("custom", task="link", edges=edges.t().numpy(), split=[0.6, 0.2, 0.2], embed="fastrp", embed_channels=4)
    torch.testing.assert_close(found.graph.x, expected(found.graph, 0, 4))


def test_graphs_of_a_collection():
    plain, found = (load("planted-graphs", task="graph", **more) for more in ({}, {"embed": "fastrp", "embed_channels": 5}))
    width = 0 if plain.graphs.x is None else plain.graphs.x.size(1)
    assert found.graphs.x.shape == (plain.graphs.num_nodes, width + 5)
    assert found.sizes()["features"] == width + 5


def test_a_run_takes_them_and_others_refuse():
    assert dry_run("node", "karate", data={"embed": "fastrp", "embed_channels": 9})["settings"]["data"]["embed_channels"] == 9
    for task, why in (("recommend", "reads no features"), ("image", "no graph")):
        with pytest.raises(RequestError, match=why):
            check(split([f"task={task}", "data.embed=fastrp"]).assignments, DATASETS)
    with pytest.raises(RequestError, match="expected none, fastrp"):
        load("karate", task="node", embed="node2vec")
