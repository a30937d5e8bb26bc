"""Links: common neighbors counted by hand, and the receipt of a trained model."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphkit.data import load
from graphkit.errors import RequestError
from graphkit.explain import explain, explain_all
from graphkit.explain.explanation import Drawing
from graphkit.run import run


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run("link", "karate", "cn", out=str(tmp_path_factory.mktemp("cn")), device="cpu").folder


def test_common_neighbors_counted_by_hand(counted: Path):
    graph = load("karate", task="link", seed=0).graph
    neighbors = [set(graph.edge_index[0][graph.edge_index[1] == node].tolist()) for node in range(34)]
    pairs = [(u, v) for u in range(34) for v in range(u + 1, 34) if v not in neighbors[u]]
    u, v = max(pairs, key=lambda pair: len(neighbors[pair[0]] & neighbors[pair[1]]))
    common = neighbors[u] & neighbors[v]
    explained = explain(counted, pair=f"{u},{v}", device="cpu")
    assert explained.predicted.score == len(common) > 1 and explained.predicted.rule == ""
    assert {term.name: term.contribution for term in explained.predicted.terms} == {f"node {node}": 1.0 for node in common}
    (check,) = explained.checks
    assert check.result == max(0, len(common) - 3) and check.is_better_than_chance
    assert explained.probability is None and explained.verdict == "a link"
    assert isinstance(explained.looks, Drawing)
    kinds = dict(zip(explained.looks.nodes, explained.looks.colors, strict=True))
    assert {name for name, kind in kinds.items() if kind == 0} == {str(u), str(v)}
    assert {name for name, kind in kinds.items() if kind == 1} == {str(node) for node in common}
    assert f"node {min(common)}" in explained.to_html()


def test_a_pair_that_is_seen_and_pairs_that_are_none(counted: Path):
    u, v = load("karate", task="link", seed=0).splits["train"].positive[:, 0].tolist()
    explained, other = explain_all(counted, pair=[u, v, 0, 9], device="cpu")
    assert any("is no prediction" in warning for warning in explained.warnings)
    assert explained.facts["the pair"] == "an edge of the train split" and other.subject == "the pair 0 and 9"
    for pair in ("3", "3,3", "1,2,3"):
        with pytest.raises(RequestError, match="give two different nodes for each pair"):
            explain(counted, pair=pair, device="cpu")


def test_a_trained_model(tmp_path: Path):
    model = {"name": "ncn", "hidden_channels": 8}
    folder = run("link", "karate", model, train={"epochs": 3}, out=str(tmp_path), device="cpu").folder
    explained = explain(folder, pair="0,33", device="cpu")
    account = explained.predicted
    assert account.rule and account.total() == pytest.approx(account.score, abs=1e-6)
    assert explained.probability is not None and 0 < explained.probability < 1
