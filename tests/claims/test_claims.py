"""Claims of every task: what they hold, and that honest ones hold wherever the data lies."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from graphkit.claim import claim
from graphkit.data import load
from graphkit.run import run
from graphkit.verify import main, verify
from tests.claims.conftest import RUNS, SEEDS
from tests.claims.forging import array, findings, unpacked


def result_of(folder: Path) -> dict:
    return json.loads((folder / "result.json").read_text())


@pytest.mark.parametrize("task", RUNS)
def test_an_honest_claim_holds(task: str, runs, claims, tmp_path: Path):
    found = verify(claims[task])
    assert found.holds and not found.notes, found.findings
    metrics = result_of(runs[task])["metrics"]
    expected = {
        (split, name, of): value
        for split, part in metrics.items()
        for name, figure in part.items()
        for of, value in (("mean", figure["mean"]), ("std", figure["std"]), *enumerate(figure["per_seed"]))
    }
    assert {(one.split, one.metric, one.of): one.scored for one in found.scores} == expected  # the same bits
    assert all(one.difference == 0.0 for one in found.scores)
    assert claim(runs[task], tmp_path / "again.zip").read_bytes() == claims[task].read_bytes()


@pytest.mark.parametrize("task", RUNS)
def test_what_a_claim_holds(task: str, runs, claims, place: Path):
    files = unpacked(claims[task])
    assert not any(str(path).encode() in data for data in files.values() for path in (place, Path.home(), Path.cwd()))
    raw = json.loads(files["result.json"])
    assert raw["settings"]["train"]["epochs"] == RUNS[task]["train"]["epochs"] and raw["environment"]["versions"]["torch"]
    assert "folder" not in raw and "root" not in raw["settings"]["data"]
    measured = json.loads(files["metric.json"])
    assert measured["selects"] == raw["metric"] and measured["metrics"].keys() == raw["metrics"]["test"].keys()
    assert all(one["meaning"] and one["ties"] and one["direction"] for one in measured["metrics"].values())
    arrays = {name for name in files if name.endswith(".npy")}
    assert arrays == {f"seed-{seed}/{name}.npy" for seed in range(SEEDS) for name in measured["computed_from"]}
    assert sum(map(len, files.values())) < (runs[task] / "seed-0/predictions.npz").stat().st_size * SEEDS + 20_000


def test_the_arrays_give_the_figures_by_plain_loops(claims):
    """By hand: shares of nodes and graphs, pairs above the K-th negative, items of lists that were held out."""
    files = {task: unpacked(path) for task, path in claims.items()}
    claimed = {task: json.loads(one["result.json"])["metrics"]["test"] for task, one in files.items()}

    def of(task: str, name: str) -> np.ndarray:
        return array(files[task][f"seed-1/{name}.npy"])

    for task, name in (("node", "logits"), ("graph", "scores"), ("image", "scores")):
        data = load(RUNS[task]["dataset"], task=task, seed=1)
        y = {"node": lambda d: d.graph.y, "graph": lambda d: d.graphs.y, "image": lambda d: d.y}[task](data).tolist()
        right = [int(of(task, name)[one].argmax() == y[one]) for one in data.splits["test"].tolist()]
        assert claimed[task]["accuracy"]["per_seed"][1] == pytest.approx(100 * sum(right) / len(right))
    k = next(name for name in claimed["link"] if name.startswith("hits@"))
    negatives = sorted(of("link", "test_negative_scores").tolist(), reverse=True)
    hits = [score > negatives[int(k[5:]) - 1] for score in of("link", "test_positive_scores").tolist()]
    assert claimed["link"][k]["per_seed"][1] == pytest.approx(100 * sum(hits) / len(hits))
    wanted: dict[int, set[int]] = {}
    for user, item in load("planted-interactions", task="recommend", seed=1).splits["test"].T.tolist():
        wanted.setdefault(user, set()).add(item)
    shares = [
        len(wanted[u] & set(row[:20])) / len(wanted[u])
        for u, row in zip(sorted(wanted), of("recommend", "test_items").tolist(), strict=True)
    ]
    assert claimed["recommend"]["recall@20"]["per_seed"][1] == pytest.approx(100 * sum(shares) / len(shares))


def test_own_data_may_lie_anywhere(own: Path, own_edges: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    moved = Path(shutil.copy(own_edges, tmp_path / "elsewhere.csv"))
    assert verify(own, data={"edges": moved}).holds
    assert not any(b"secret folder" in data for data in unpacked(own).values())
    assert main([f"claim={own}"]) == 2
    told = capsys.readouterr().err
    assert "data.edges: the run read a file (edges.csv, " in told and told.count("\n") == 1
    assert main([f"claim={own}", f"data.edges={tmp_path / 'no.csv'}"]) == 2
    assert "cannot be read (No such file or directory)" in capsys.readouterr().err
    assert main([f"claim={own}", f"data.edges={moved}", f"data.labels={moved}"]) == 2
    assert "was run without it, leave it out" in capsys.readouterr().err


def test_data_in_memory(tmp_path: Path):
    frame = nx.to_pandas_edgelist(nx.karate_club_graph())[["source", "target"]]
    folder = run("link", model="aa", data=frame, device="cpu", out=str(tmp_path)).folder
    path = claim(folder, tmp_path / "claim.zip", data={"edges": frame})
    assert verify(path, data={"edges": frame}).holds
    assert "data.edges: the file is not the one" in findings(path, data={"edges": frame[:-1]})


@pytest.mark.data("Planetoid")
def test_a_published_data_set_may_lie_anywhere(data_root: Path, tmp_path: Path):
    here = {"root": str(data_root)}
    folder = run("node", "cora", "mlp", data=here, train={"epochs": 2}, device="cpu", out=str(tmp_path)).folder
    shutil.copytree(data_root / "Planetoid", tmp_path / "data" / "Planetoid")
    path = claim(folder, tmp_path / "claim.zip")
    assert verify(path, root=str(tmp_path / "data")).holds
    assert str(data_root).encode() not in b"".join(unpacked(path).values())


def test_a_changed_graph_changes_no_split(tmp_path: Path):
    folder = run("node", "karate", "gcn", transform="teddy", train={"epochs": 2}, device="cpu", out=str(tmp_path)).folder
    assert verify(claim(folder, tmp_path / "claim.zip")).holds


def test_the_model_s_own_figure_is_named(tmp_path: Path):
    model = {"name": "x-node", "first_epochs": 2}
    folder = run("node", "karate", model, train={"epochs": 2}, device="cpu", out=str(tmp_path)).folder
    found = verify(claim(folder, tmp_path / "claim.zip"))
    assert found.holds and found.notes == ("r-squared is the model's own figure: predictions do not give it, retrain=1 does",)
