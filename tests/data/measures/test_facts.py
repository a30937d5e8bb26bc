import json

import pytest
import torch

from graphkit.data.dataset import NodeData
from graphkit.data.graph import Graph
from graphkit.data.measures.facts import class_warnings, node_facts
from graphkit.run import dry_run, main


def toy(directed: bool = True) -> NodeData:
    graph = Graph(
        x=torch.ones(6, 2),
        edge_index=torch.tensor([[0, 1, 3, 4], [1, 2, 3, 0]]),
        y=torch.tensor([0, 0, 1, 2, 2, -1]),
        num_nodes=6,
    )
    splits = {"train": torch.tensor([0, 2]), "valid": torch.tensor([1, 3]), "test": torch.tensor([4])}
    return NodeData(
        name="toy",
        protocol="",
        metric="accuracy",
        metrics=("accuracy",),
        graph=graph,
        splits=splits,
        class_names=("a", "b", "c"),
        directed=directed,
    )


def test_what_is_told_of_a_graph():
    facts = node_facts(toy())
    assert (facts["directed"], facts["features"], facts["classes"], facts["unlabeled_nodes"]) == (True, 2, 3, 1)
    assert (facts["isolated_nodes"], facts["self_loops"]) == (2, 1)  # node 3, whose only edge is a self-loop, and node 5
    assert facts["class_sizes"] == {
        "a": {"nodes": 2, "train": 1, "valid": 1, "test": 0},
        "b": {"nodes": 1, "train": 1, "valid": 0, "test": 0},
        "c": {"nodes": 2, "train": 0, "valid": 1, "test": 1},
    }
    assert facts["homophily"]["edge"] == 0.3333 and set(facts["homophily"]["two_step"]) == {"A At", "At A", "A A", "At At"}
    assert class_warnings(toy()) == (
        "no training node is of class c: no model can learn to predict it, and its nodes (1 in validation, 1 in test) count as "
        "errors",
    )


def test_two_steps_are_for_directed_graphs_and_undefined_is_none():
    dataset = toy(directed=False)
    dataset.graph.y = torch.tensor([0, -1, 1, 2, -1, -1])
    measures = node_facts(dataset)["homophily"]
    assert set(measures.values()) == {None} and "two_step" not in measures


def test_the_dry_run_tells_them(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = ["task=node", "dataset=karate", "model=mlp"]
    facts = dry_run("node", "karate", "mlp")
    assert facts["settings"]["dataset"] == "karate" and facts["parameters"] > 0
    assert (facts["directed"], facts["classes"], facts["notes"]) == (False, 2, [])
    sizes = facts["class_sizes"].values()
    assert [(size["nodes"], size["train"]) for size in sizes] == [(17, 4), (17, 4)]
    assert all(size["train"] + size["valid"] + size["test"] == 17 for size in sizes)
    assert 0.8 < facts["homophily"]["edge"] < 1 and facts["homophily"]["adjusted"] < facts["homophily"]["edge"]
    assert main([*asked, "progress=false", "format=json", "--dry-run"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed.pop("settings") == {**facts.pop("settings"), "format": "json"}
    assert printed.pop("folder") and facts.pop("folder") and printed == facts
    assert not any(tmp_path.iterdir())
    assert "homophily" not in dry_run("link", "karate", "cn")


@pytest.mark.data("heterophilous_npz")
def test_texas_lacks_a_class_in_training(data_root):
    facts = dry_run("node", "texas", "mlp", data={"root": str(data_root)})
    assert facts["class_sizes"]["1"]["nodes"] == 1 and facts["class_sizes"]["1"]["train"] == 0
    assert "no training node is of class 1" in facts["notes"][0]
    assert dry_run("node", "texas", "mlp", data={"root": str(data_root)}, seed=3)["notes"] == []
