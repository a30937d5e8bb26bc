"""Trees on graph features: the features against dense algebra, classes, regression, determinism."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import torch

from graphkit import explain
from graphkit.explain.opened import open_seed
from graphkit.models.node.base import NodeView
from graphkit.models.node.trees import Trees, TreesRegressor, tree_features
from graphkit.run import run
from graphkit.sparse import as_csr, sparse_features
from graphkit.sparse.graph_measures import fast_random_projection, random_projection
from graphkit.tasks.experiment import stored_request
from tests.layers.oracle import messy_graph


def view_of(num_nodes=60, seed=0):
    """Two communities; the class is which of them, features are noise but for a number that grows with the node's id."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(num_nodes) % 2
    linked = (torch.rand(num_nodes, num_nodes, generator=generator) < torch.where(y[:, None] == y, 0.3, 0.02)).triu(1)
    edges = linked.nonzero().t()
    x = torch.randn(num_nodes, 3, generator=generator)
    adj = as_csr(torch.cat([edges, edges.flip(0)], 1), num_nodes)
    return NodeView(x, adj, torch.where(torch.arange(num_nodes) % 3 == 0, -1, 2 * y))  # class 1 has no node


def test_features_equal_dense_algebra():
    edge_index, n = messy_graph()
    adj = as_csr(edge_index, n)
    x = torch.rand(n, 30, generator=torch.Generator().manual_seed(0))
    x = torch.where(x < 0.95, 0.0, x)
    a = adj.to_dense(torch.float64)
    m = torch.stack([row / row.sum() if row.sum() else row for row in a])
    graph = nx.DiGraph()
    graph.add_nodes_from(range(n))
    graph.add_weighted_edges_from((j, i, float(a[i, j])) for i, j in a.nonzero().tolist())
    ranks = nx.pagerank(graph, tol=1e-12)
    rank = n * torch.tensor([ranks[v] for v in range(n)], dtype=torch.float64).unsqueeze(1)
    rp = fast_random_projection(adj, random_projection(n, 4, seed=3)).double()
    x64 = x.double()
    expected = torch.cat([x64, m @ x64, m @ m @ x64, a.sum(1, keepdim=True), rank, rp], 1)
    for given in (x, sparse_features(x)):
        found = tree_features(given, adj, projection_channels=4, seed=3)
        torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-5)


def test_classes_and_the_same_trees_again():
    view = view_of()
    torch.manual_seed(0)
    model = Trees(3, 3, iterations=20)
    with pytest.raises(RuntimeError, match="must be called first"):
        model(view.x, view.adj)
    model.fit(view)
    logits = model(view.x, view.adj)
    held = (view.y < 0).nonzero().view(-1)
    assert float((logits[held].argmax(1) == 2 * (held % 2)).double().mean()) > 0.8
    torch.testing.assert_close(logits.exp().sum(1), torch.ones(60)), "probabilities"
    assert float(logits.softmax(1)[:, 1].max()) < 1e-9
    torch.manual_seed(0)
    again = Trees(3, 3, iterations=20)
    again.fit(view)
    assert torch.equal(again(view.x, view.adj), logits) and model.embedding_channels == model.embed(view.x, view.adj).size(1)


def test_numbers():
    view = view_of()
    target = view.adj.degree().double()
    nodes = torch.arange(0, 60, 2)
    found = TreesRegressor(max_iter=30, min_samples_leaf=2).fit(view.x, view.adj, target, nodes).predict(view.x, view.adj)
    held = torch.arange(1, 60, 2)
    assert float((found[held] - target[held]).abs().mean()) < 0.7 * float((target[held] - target.mean()).abs().mean())


def test_a_finished_run_is_opened_with_the_same_trees(tmp_path, monkeypatch):
    """Trees are in no file: they grow again, the same ones, and have no gradient that an explanation could use."""
    monkeypatch.chdir(tmp_path)
    result = run("node", "karate", model={"name": "trees", "iterations": 5, "least_leaf": 1}, device="cpu", threads=1)
    stored = np.load(result.folder / "seed-0" / "predictions.npz")["logits"]
    opened = open_seed(result.folder, stored_request(result.folder, "run"), 0, "cpu")
    view = opened.task.view(opened.model)
    with opened.evaluating():
        np.testing.assert_array_equal(opened.model(view.x, view.adj).numpy(), stored)
    assert explain.main([f"run={result.folder}", "node=5", "format=json"]) == 0
