"""Graphs: occlusion against graphs that were really built without a node, and the evidence of prototypes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from graphkit.data import load
from graphkit.explain import explain
from graphkit.explain.explanation import Drawing
from graphkit.explain.tasks.graph_rerun import copies_without
from graphkit.run import run
from graphkit.serving.opened import open_seed
from graphkit.sparse import GraphBatch
from graphkit.tasks.experiment import stored_request

FAST = {"device": "cpu", "threads": 1}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = str(tmp_path_factory.mktemp("graphs"))
    model = {"name": "gin", "hidden_channels": 16, "num_layers": 2}
    return run("graph", "planted-graphs", model, train={"epochs": 30, "batch_size": 64}, out=out, **FAST).folder


def test_copies_without_nodes_against_a_loop():
    edge_index = torch.tensor([[0, 1, 1, 2, 2, 3, 3, 0, 0, 2], [1, 0, 2, 1, 3, 2, 0, 3, 2, 0]])
    x, ptr = torch.arange(8.0).view(4, 2), torch.tensor([0, 4])
    edge_attr = torch.arange(10.0).view(10, 1)
    batch = GraphBatch.of(edge_index, ptr, x, edge_attr)
    removed = torch.tensor([[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 1], [1, 1, 1, 0]], dtype=torch.bool)
    copies = copies_without(batch, removed)
    assert copies.num_graphs == 4 and copies.ptr.tolist() == [0, 4, 7, 9, 10]
    for number, gone in enumerate(removed.tolist()):
        kept = [node for node in range(4) if not gone[node]]
        one = copies.take(torch.tensor([number]))
        assert torch.equal(one.x, x[kept])
        expected = {
            (kept.index(u), kept.index(v), float(edge_attr[place]))
            for place, (u, v) in enumerate(edge_index.t().tolist())
            if u in kept and v in kept
        }
        source, target = one.adj.edge_index().tolist()
        assert set(zip(source, target, one.edge_attr.flatten().tolist(), strict=True)) == expected


def test_occlusion_finds_what_the_class_is_about(trained: Path):
    """The class says whether the four marked nodes lie on a path: they matter more than the others."""
    data = load("planted-graphs", task="graph", seed=0)
    graph = next(g for g in data.splits["test"].tolist() if int(data.graphs.y[g]) == 1)
    explained = explain(trained, graph=graph, top=30, device="cpu")
    assert explained.predicted.name == "path" and explained.predicted.rule.startswith("Occlusion")
    start, end = data.graphs.ptr[graph : graph + 2].tolist()
    marked = {f"node {node}" for node in data.graphs.x[start:end, 1].nonzero().flatten().tolist()}
    assert len(marked) == 4 and {term.name for term in explained.predicted.for_it()[:2]} <= marked
    (check,) = explained.checks
    assert check.is_better_than_chance and check.result < check.before
    assert isinstance(explained.looks, Drawing) and len(explained.looks.nodes) == end - start


def test_a_contribution_is_what_the_score_loses(trained: Path):
    explained = explain(trained, graph=5, top=30, device="cpu")
    opened = open_seed(trained, stored_request(trained, "run"), 0, "cpu")
    graphs = opened.dataset.graphs
    start, end = graphs.ptr[5:7].tolist()
    inside = graphs.edge_index[:, (graphs.edge_index[0] >= start) & (graphs.edge_index[0] < end)] - start
    label = ["apart", "path"].index(explained.predicted.name)

    def score(kept: list[int]) -> float:
        edges = [(kept.index(u), kept.index(v)) for u, v in inside.t().tolist() if u in kept and v in kept]
        batch = GraphBatch.of(torch.tensor(edges).t(), torch.tensor([0, len(kept)]), graphs.x[start:end][kept])
        with opened.evaluating():
            return float(opened.model(batch.with_index(opened.model.prepare(batch)))[0, label])

    nodes = list(range(end - start))
    whole = score(nodes)
    assert explained.predicted.score == pytest.approx(whole, abs=1e-5)
    for term in explained.predicted.terms[:3]:
        gone = int(term.name.removeprefix("node "))
        assert term.contribution == pytest.approx(whole - score([node for node in nodes if node != gone]), abs=1e-4)


@pytest.mark.parametrize("parts", ["balls", "graph"])
def test_prototypes_show_where_a_graph_looks_like_a_training_graph(tmp_path: Path, parts: str):
    model = {"name": "prototype", "backbone": "gin", "hidden_channels": 8, "num_layers": 2, "parts": parts, "per_class": 2}
    model |= {"warm_epochs": 1, "head_epochs": 1}
    train = {"epochs": 3, "batch_size": 64}
    folder = run("graph", "planted-graphs", model, train=train, out=str(tmp_path), **FAST).folder
    explained = explain(folder, graph=7, device="cpu")
    account = explained.predicted
    assert account.rule == "" and account.total() == pytest.approx(account.score, abs=1e-9)
    first = account.for_it()[0] if account.for_it() else account.terms[0]
    assert first.source is not None and first.source.about.startswith("training graph of ")
    if account.for_it():
        assert isinstance(first.source.shown, Drawing) and (first.source.shown.target is None) == (parts == "graph")
    assert ("of graph 7" in first.query.name) == (parts == "balls")
    assert [one.name for one in explained.also][0] == "The same score by nodes"
