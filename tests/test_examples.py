"""Every example runs, on few epochs, and does what it says."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def example(name: str) -> dict[str, Any]:
    """The names that an example defines; its `__main__` part is not run."""
    return runpy.run_path(str(EXAMPLES / name), run_name="example")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Examples write into the current folder."""
    monkeypatch.chdir(tmp_path)


def test_every_example_has_a_test():
    tested = {name for name in globals() if name.startswith("test_")}
    assert {f"test_{path.stem}" for path in EXAMPLES.glob("*.py")} <= tested


def test_compose_layers():
    done = subprocess.run([sys.executable, EXAMPLES / "compose_layers.py"], capture_output=True, text=True, check=True)
    accuracy = float(done.stdout.removeprefix("test accuracy: ").removesuffix(" %\n"))
    assert accuracy > 80


def test_compose_link_model():
    auc = example("compose_link_model.py")["main"]
    assert auc(epochs=15) > 95


def test_suggest_links(tmp_path: Path):
    suggest = example("suggest_links.py")
    suggest["write_example"](tmp_path / "edges.csv")
    winner, links = suggest["main"](tmp_path / "edges.csv", "Cosette", k=3, seeds=1, trained=2)
    known = {pair for line in (tmp_path / "edges.csv").read_text().splitlines() for pair in [frozenset(line.split(","))]}
    assert winner in suggest["PREDICTORS"] and len({link.node for link in links}) == 3
    assert not any(frozenset({"Cosette", link.node}) in known for link in links)


def test_own_edges(tmp_path: Path):
    own = example("own_edges.py")
    edges = tmp_path / "edges.csv"
    own["write_example"](edges)
    assert len(edges.read_text(encoding="utf-8").splitlines()) == 1 + 254
    results = own["main"](edges, epochs=2)
    assert results["cn"].num_parameters == 0 < results["ncn"].num_parameters
    for result in results.values():
        assert result.seeds == (0, 1, 2)
        assert 0 < result.metrics["test"][result.metric]["mean"] <= 100
        assert (result.folder / "report.html").exists()


def test_own_graphs(tmp_path: Path):
    own = example("own_graphs.py")
    own["write_example"](tmp_path)
    results = own["main"](tmp_path, epochs=30, seeds=2)
    blind, gin = (results[name].metrics["test"]["accuracy"]["mean"] for name in ("deepsets", "gin"))
    assert gin > 90 and blind < 75


def test_scale_features(tmp_path: Path):
    scale = example("scale_features.py")
    scale["write_example"](tmp_path)
    results = scale["main"](tmp_path, epochs=40, seeds=2)
    raw, scaled = (results[name].metrics["test"]["accuracy"]["mean"] for name in ("none", "auto"))
    assert scaled > 80 and scaled > raw + 15
    assert any(note.startswith("features: 3 of 4 columns are standardized") for note in results["auto"].notes)


def test_recommend_from_csv(tmp_path: Path):
    recommend = example("recommend_from_csv.py")
    ratings = tmp_path / "ratings.csv"
    recommend["write_example"](ratings)
    assert len(ratings.read_text(encoding="utf-8").splitlines()) == 1 + 40 * 14
    films = [film for film, _ in recommend["main"](ratings, "Ada", k=4)]
    kinds = {title: kind for kind, titles in recommend["FILMS"].items() for title in titles.split(", ")}
    assert len(set(films)) == 4 and sum(kinds[film] == "space" for film in films) >= 3


def test_lightgcn_in_own_model():
    recall = example("lightgcn_in_own_model.py")["main"]
    assert recall(epochs=25) > 75 > 20 > recall(epochs=0)


def test_keep_direction():
    decision, directed, undirected = example("keep_direction.py")["main"](epochs=40)
    assert decision == "directed" and directed > 75 and directed > undirected + 15


def test_sheaf_layer_in_own_network():
    accuracy = example("sheaf_layer_in_own_network.py")["main"]
    assert accuracy(epochs=40) > 80 > 55 > accuracy(epochs=0)


def test_tune_with_optuna(tmp_path: Path):
    pytest.importorskip("optuna", reason="needs the extra hpo")
    found = example("tune_with_optuna.py")["main"](trials=3, epochs=2)
    assert set(found.winner.values) == {"model.dropout", "train.lr"}
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in found.folder.glob("trials/*/*/result.json")]
    valid = [one["metrics"]["valid"][found.metric]["mean"] for one in runs]
    assert len(valid) == 3 and found.folder.parent == Path("runs/tuning")
    assert found.result.metrics["valid"][found.metric]["mean"] == max(valid)


def test_naive_test_misleads():
    rates = example("naive_test_misleads.py")["main"]
    (few, corrected), (many, still) = rates(5), rates(30)
    assert corrected <= 0.07 and still <= 0.07 and 0.1 < few < many > 0.4


def test_tell_molecules_apart():
    verdicts = example("tell_molecules_apart.py")["main"]()
    assert verdicts == {"gcn": (False, False), "gin": (False, False), "ds": (True, True), "sswl+": (True, True)}


def test_count_cycles():
    errors = example("count_cycles.py")["main"](num_graphs=400, epochs=15)
    assert errors["sswl"] < 0.6 * errors["gin"]


def test_draw_bag_of_subgraphs(tmp_path: Path):
    pytest.importorskip("matplotlib")
    bags = example("draw_bag_of_subgraphs.py")["main"](tmp_path / "bags.png")
    assert bags.num_bags == 10 and (tmp_path / "bags.png").stat().st_size > 10_000


def test_why_this_node(tmp_path: Path):
    explained = example("why_this_node.py")["main"](epochs=15)
    assert explained.predicted.terms and explained.predicted.rule == ""
    assert "looks like node" in (tmp_path / "why-this-node.html").read_text(encoding="utf-8")


def test_why_recommended(tmp_path: Path):
    why = example("why_recommended.py")
    why["write_example"](tmp_path / "ratings.csv")
    explained = why["main"](tmp_path / "ratings.csv")
    strongest = {term.name.removeprefix("item ") for term in explained.predicted.for_it()[:3]}
    assert strongest <= set(why["FILMS"]["space"]) and "for user Ada has rank 1" in explained.sentence
    assert (tmp_path / "why-recommended.html").stat().st_size > 5_000


def test_same_head_on_nodes_and_images(tmp_path: Path):
    node, image = example("same_head_on_nodes_and_images.py")["main"](epochs=3)
    assert node.subject == "node 900" and image.subject == "image 900"
    assert all(term.value is not None and term.source is not None for one in (node, image) for term in one.predicted.terms)
    page = (tmp_path / "nodes-and-images.html").read_text(encoding="utf-8")
    assert "patch" in page and 'class="heat"' in page and "looks like node" in page


def test_prototype_head_on_own_network():
    command = [sys.executable, EXAMPLES / "prototype_head_on_own_network.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    first, *lines = done.stdout.splitlines()
    assert float(first.split()[2].rstrip("%;")) > 90 and first.endswith("the prototypes are 30 training images")
    *terms, last = lines[1:]
    total = sum(float(line.rsplit("=", 1)[1]) for line in terms) + float(last.split()[2].rstrip(";"))
    assert len(terms) == 3 and abs(total - float(last.split()[-1])) < 0.03


def test_explain_own_pyg_model(tmp_path: Path):
    found = example("explain_own_pyg_model.py")["main"](page=str(tmp_path / "node.html"))
    assert found["ours"] > found["random"]
    assert "<svg" in (tmp_path / "node.html").read_text(encoding="utf-8")


def test_two_kinds_of_nodes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "example", ModuleType("example"))  # PyG looks up where a MessagePassing is defined
    found = example("two_kinds_of_nodes.py")["main"](epochs=30)
    assert found["HeteroConv"] > 60 and found["to_hetero"] > 60  # of four tastes
    assert found["largest difference of the block"] < 1e-5
