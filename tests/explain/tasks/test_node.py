"""Nodes: a linear model's account against dense algebra, and the evidence of prototypes against the run's own numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from graphkit.data import load
from graphkit.errors import RunError
from graphkit.explain import explain
from graphkit.explain.decision import Decision
from graphkit.explain.explanation import Drawing, Explanation
from graphkit.run import run

KARATE = {"device": "cpu", "threads": 1}


def predictions(folder: Path, seed: int) -> dict[str, np.ndarray]:
    with np.load(folder / f"seed-{seed}" / "predictions.npz") as stored:
        return dict(stored)


@pytest.fixture(scope="module")
def linear(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One graph convolution: logits = D^-1/2 (A + I) D^-1/2 X W + b."""
    out = str(tmp_path_factory.mktemp("linear"))
    return run("node", "karate", {"name": "gcn", "num_layers": 1}, train={"epochs": 15}, out=out, **KARATE).folder


@pytest.fixture(scope="module")
def prototypes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = str(tmp_path_factory.mktemp("prototypes"))
    model = {"name": "prototype", "per_class": 2, "warm_epochs": 2, "head_epochs": 3}
    return run("node", "karate", model, seeds=2, train={"epochs": 15}, out=out, **KARATE).folder


def test_a_linear_model_against_dense_algebra(linear: Path):
    node = 2
    explained = explain(linear, node=node, top=40, **{"device": "cpu"})
    graph = load("karate", task="node", seed=0).graph
    a = np.eye(34)
    a[graph.edge_index[1].numpy(), graph.edge_index[0].numpy()] = 1.0
    scale = a.sum(axis=1) ** -0.5
    weights = load_file(linear / "seed-0" / "best.safetensors")
    bias = next(value for name, value in weights.items() if name.endswith("bias")).astype(float)
    matrix = next(value for name, value in weights.items() if name.endswith("weight")).astype(float)
    xw = graph.x.numpy().astype(float) @ (matrix.T if matrix.shape[0] == len(bias) else matrix)
    sent = (a * scale[:, None] * scale[None, :])[node][:, None] * xw
    logits = sent.sum(axis=0) + bias
    best = int(logits.argmax())
    account = explained.predicted
    assert account.name == f"class {best}" and account.score == pytest.approx(logits[best], abs=1e-5)
    assert account.bias == pytest.approx(bias[best], abs=1e-6) and abs(account.remainder) < 1e-5
    told = {term.name: term.contribution for term in account.terms}
    names = {number: "the node's own features" if number == node else f"node {number}" for number in range(34)}
    expected = {names[number]: value for number, value in enumerate(sent[:, best]) if value}
    assert told == pytest.approx(expected, abs=1e-5)
    others = sorted((number for number in range(34) if number != node), key=lambda number: -sent[number, best])[:3]
    check = explained.checks[0]
    assert check.done == f"All features of nodes {', '.join(map(str, others))} set to zero"
    assert check.result == pytest.approx(logits[best] - sent[others, best].sum(), abs=1e-5)
    assert check.is_better_than_chance
    second = explained.runner_up
    assert second is not None and second.score == pytest.approx(np.sort(logits)[-2], abs=1e-5)
    assert second.total() == pytest.approx(second.score, abs=1e-5)
    (features,) = explained.also
    assert features.score == account.score and features.terms[0].name.startswith("feature ")
    assert explained.probability == pytest.approx(
        np.exp(logits - logits.max())[best] / np.exp(logits - logits.max()).sum(), abs=1e-5
    )


def check_is_whole(explained: Explanation) -> None:
    account = explained.predicted
    assert account.rule == "" and account.total() == pytest.approx(account.score, abs=1e-9)
    for term in account.terms:
        assert term.value is not None and term.weight is not None
        assert term.contribution == pytest.approx(term.value * term.weight, abs=1e-9)


def test_the_evidence_of_prototypes(prototypes: Path):
    explained = explain(prototypes, node=8, seed=1, device="cpu")
    stored, data = predictions(prototypes, 1), load("karate", task="node", seed=1)
    check_is_whole(explained)
    assert explained.predicted.name == f"class {stored['predicted'][8]}"
    assert explained.predicted.score == pytest.approx(float(stored["logits"][8].max()), abs=1e-5)
    assert explained.runner_up is not None
    assert explained.runner_up.score == pytest.approx(float(stored["logits"][8].min()), abs=1e-5)
    train = {f"node {number}" for number in data.splits["train"].tolist()}
    assert len(explained.predicted.terms) == 4
    for term in explained.predicted.terms:
        assert term.source is not None and term.source.name in train and term.source.about.startswith("training node of class ")
    first = explained.predicted.for_it()[0]
    assert isinstance(first.source.shown, Drawing) and isinstance(first.query.shown, Drawing)
    assert first.source.shown.nodes[first.source.shown.target] == first.source.name.removeprefix("node ")
    assert [account.name for account in explained.also] == ["The same score by nodes", "The same score by features"]
    assert "node 8 looks like node" in explained.to_html().replace("Node", "node")


def test_a_neighborhood_names_the_neighbor_that_looks_like_a_prototype(tmp_path: Path):
    model = {"name": "prototype", "per_class": 2, "parts": "neighborhood", "warm_epochs": 1, "head_epochs": 2}
    folder = run("node", "karate", model, train={"epochs": 8}, out=str(tmp_path), **KARATE).folder
    explained = explain(folder, node=8, device="cpu")
    check_is_whole(explained)
    data = load("karate", task="node", seed=0)
    near = {8, *data.graph.edge_index[0][data.graph.edge_index[1] == 8].tolist()}
    queries = {int(term.query.name.removeprefix("node ")) for term in explained.predicted.terms}
    assert queries <= near
    if queries - {8}:
        assert any(check.done.startswith("All edges of node") for check in explained.checks)


def test_prototypes_that_were_not_projected_are_not_shown_as_training_nodes(tmp_path: Path):
    model = {"name": "prototype", "per_class": 2, "projects": False, "warm_epochs": 1, "head_epochs": 2}
    folder = run("node", "karate", model, train={"epochs": 3}, out=str(tmp_path), **KARATE).folder
    explained = explain(folder, node=8, device="cpu")
    check_is_whole(explained)
    assert all(term.source is None for term in explained.predicted.terms)
    assert explained.warnings[0].startswith("The prototypes were not projected")
    assert "looks like node" not in explained.to_html()


def test_the_contexts_of_x_node(tmp_path: Path):
    model = {"name": "x-node", "contexts": "degree+label-agreement"}
    folder = run("node", "karate", model, train={"epochs": 5}, out=str(tmp_path), **KARATE).folder
    explained = explain(folder, node=8, device="cpu")
    data = load("karate", task="node", seed=0)
    degree = explained.bars[0]
    assert [bar.name for bar in explained.bars] == ["degree", "label agreement"] and degree.effect is not None
    assert degree.value == int((data.graph.edge_index[1] == 8).sum()) and degree.percentile is not None
    assert explained.predicted.name in explained.context and "<h2>Context</h2>" in explained.to_html()


def test_scores_that_are_no_numbers():
    with pytest.raises(RunError, match="no finite numbers"):
        Decision.of(torch.tensor([1.0, float("nan")]), ())
