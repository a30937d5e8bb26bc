"""Whole runs of graph classification and regression: protocols, files, pictures, resume."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from graphkit.data import load
from graphkit.errors import CheckpointError, RequestError
from graphkit.run import dry_run, run
from graphkit.training.checkpoint import load_checkpoint

FAST = {"model": {"name": "gin", "hidden_channels": 4, "num_layers": 2}, "device": "cpu", "threads": 1}


def test_the_planted_classes_show_in_the_edges_alone(tmp_path: Path) -> None:
    train = {"epochs": 40, "batch_size": 64}
    gin = run("graph", out=str(tmp_path), train=train, **{**FAST, "model": {"name": "gin", "hidden_channels": 16}})
    blind = run("graph", out=str(tmp_path), train=train, **{**FAST, "model": "deepsets"})
    assert gin.metrics["test"]["accuracy"]["mean"] == 100.0
    assert blind.metrics["test"]["accuracy"]["mean"] <= 75.0


def test_a_run_leaves_its_predictions_and_pictures(tmp_path: Path) -> None:
    result = run("graph", seeds=3, out=str(tmp_path), train={"epochs": 2}, **FAST)
    folder = result.folder
    with (folder / "seed-1" / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["graph", "split", "label", "predicted", "probability of apart", "probability of path"]
    dataset = load("planted-graphs", task="graph", seed=1)
    assert len(rows) == 300 and [row["graph"] for row in rows if row["split"] == "test"] == [
        str(graph) for graph in dataset.splits["test"].tolist()
    ]
    test = [row for row in rows if row["split"] == "test"]
    right = sum(row["label"] == row["predicted"] for row in test) / len(test)
    assert 100 * right == pytest.approx(result.metrics["test"]["accuracy"]["per_seed"][1])
    page = (folder / "report.html").read_text()
    drawn = sum(row["split"] == "test" for row in rows)
    assert "Spread over seeds" in page and "Test graphs of the first seed" in page and "seed 2, test:" in page
    assert 6 <= page.count("<figure style") <= min(12, drawn) and "predicted apart" in page
    assert json.loads((folder / "data.json").read_text())["sizes"] == {
        "graphs": 300, "nodes": 6000, "edges": 18000, "features": 2, "classes": 2,
    }  # fmt: skip
    assert json.loads((folder / "names" / "classes.json").read_text()) == ["apart", "path"]


def history(folder: Path, column: str) -> dict[int, list[float]]:
    with (folder / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {seed: [float(row[column]) for row in rows if int(row["seed"]) == seed and row[column]] for seed in (0, 1, 2)}


def test_one_epoch_for_all_folds_in_the_result(tmp_path: Path) -> None:
    result = run({"name": "graph", "protocol": "gin"}, seeds=3, out=str(tmp_path), train={"epochs": 6}, **FAST)
    values = history(result.folder, "test/accuracy")
    means = [sum(values[seed][epoch] for seed in values) / 3 for epoch in range(6)]
    best = means.index(max(means))
    assert result.best_epochs == (best + 1,) * 3
    assert result.metrics["test"]["accuracy"]["per_seed"] == [values[seed][best] for seed in values]
    assert result.selection == f"epoch {best + 1} of all seeds, SELECTED ON TEST by mean accuracy"
    assert "SELECTED ON TEST" in (result.folder / "report.html").read_text()


def test_the_last_epochs_in_the_result(tmp_path: Path) -> None:
    result = run({"name": "graph", "protocol": "last10"}, seeds=3, out=str(tmp_path), train={"epochs": 12}, **FAST)
    values = history(result.folder, "test/accuracy")
    assert result.best_epochs == (12,) * 3
    for own, found in zip(values.values(), result.metrics["test"]["accuracy"]["per_seed"], strict=True):
        assert found == pytest.approx(sum(own[-10:]) / 10, abs=1e-12)
    assert json.loads((result.folder / "result.json").read_text())["selection"].startswith("mean of the last 10")
    state = load_checkpoint(result.folder / "seed-1" / "last.ckpt")
    kept = load_file(result.folder / "seed-1" / "best.safetensors")
    assert all(torch.equal(kept[name], tensor) for name, tensor in state["model"].items())


@pytest.mark.parametrize("protocol", ["gin", "last10"])
def test_resume_ends_bit_for_bit(protocol: str, tmp_path: Path) -> None:
    settings = {"seeds": 3, **FAST, "model": {"name": "ds", "hidden_channels": 4, "num_layers": 1, "sample": 1, "votes": 2}}
    task = {"name": "graph", "protocol": protocol}
    whole = run(task, "planted-graphs", train={"epochs": 4, "batch_size": 100}, out=str(tmp_path / "whole"), **settings)
    short = run(task, "planted-graphs", train={"epochs": 2, "batch_size": 100}, out=str(tmp_path / "short"), **settings)
    longer = run(resume=str(short.folder), train={"epochs": 4})
    assert longer.metrics == whole.metrics and longer.best_epochs == whole.best_epochs
    for name in ("predictions.csv", "best.safetensors"):
        one, other = ((result.folder / "seed-2" / name).read_bytes() for result in (whole, longer))
        assert one == other or name == "best.safetensors"
    for name in ("scores", "test_graphs"):
        arrays = [np.load(result.folder / "seed-2" / "predictions.npz")[name] for result in (whole, longer)]
        assert np.array_equal(*arrays)
    # a seed that is lost is made again, and the folds give the same result
    for path in (longer.folder / "seed-1").iterdir():
        path.unlink()
    (longer.folder / "result.json").unlink()
    assert run(resume=str(longer.folder)).metrics == whole.metrics


def own_files(folder: Path, targets: list[str]) -> dict[str, str]:
    draw = torch.Generator().manual_seed(0)
    graphs, edges = ["graph,target"], ["graph,source,target"]
    for number, target in enumerate(targets):
        graphs.append(f"g{number},{target}")
        size = 4 + number % 3
        edges += [f"g{number},{node},{(node + 1) % size}" for node in range(size)]
        edges += [f"g{number},0,{int(torch.randint(2, size - 1, (), generator=draw))}"]
    (folder / "graphs.csv").write_text("\n".join(graphs))
    (folder / "edges.csv").write_text("\n".join(edges))
    return {"graphs": str(folder / "graphs.csv"), "edges": str(folder / "edges.csv")}


def test_own_numbers_are_selected_by_the_lowest_error(tmp_path: Path) -> None:
    data = own_files(tmp_path, [f"{number % 7 + 0.5}" for number in range(40)])
    result = run("graph", "custom", data=data, out=str(tmp_path), train={"epochs": 8, "lr": 0.05}, **FAST)
    assert result.metric == "mae"
    with (result.folder / "metrics.csv").open(newline="") as file:
        values = [float(row["valid/mae"]) for row in csv.DictReader(file)]
    assert result.metrics["valid"]["mae"]["mean"] == min(values) < max(values)
    assert result.best_epochs == (values.index(min(values)) + 1,)
    with (result.folder / "seed-0" / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["graph", "split", "target", "predicted target"]
    test = [abs(float(row["target"]) - float(row["predicted target"])) for row in rows if row["split"] == "test"]
    assert sum(test) / len(test) == pytest.approx(result.metrics["test"]["mae"]["mean"], rel=1e-5)
    assert "Smallest errors" in (result.folder / "report.html").read_text()


def test_own_files_go_with_the_run(tmp_path: Path) -> None:
    data = own_files(tmp_path, ["yes" if number % 2 else "no" for number in range(30)])
    result = run("graph", "custom", data=data, out=str(tmp_path), train={"epochs": 1}, **FAST)
    record = json.loads((result.folder / "data.json").read_text())
    assert set(record["files"]) == {"graphs", "edges"} and record["sizes"]["graphs"] == 30
    assert json.loads((result.folder / "names" / "graphs.json").read_text())[0] == "g0"
    assert run(resume=str(result.folder), train={"epochs": 2}).best_epochs
    (tmp_path / "edges.csv").write_text((tmp_path / "edges.csv").read_text() + "\ng0,0,2")
    with pytest.raises(CheckpointError, match="data.edges=.* is not the file that the run read"):
        run(resume=str(result.folder), train={"epochs": 3})


def test_a_folder_of_graphs_goes_with_the_run(tmp_path: Path) -> None:
    import networkx

    place = tmp_path / "graphs"
    place.mkdir()
    for number in range(20):
        networkx.write_graphml(networkx.cycle_graph(4 + number % 4), place / f"{number}.graphml")
    (tmp_path / "labels.csv").write_text("".join(f"{number},{number % 2}\n" for number in range(20)))
    data = {"graphs": str(place), "labels": str(tmp_path / "labels.csv")}
    result = run("graph", "custom", data=data, out=str(tmp_path), train={"epochs": 1}, **FAST)
    assert run(resume=str(result.folder), train={"epochs": 2}).folder == result.folder
    (place / "3.graphml").unlink()
    networkx.write_graphml(networkx.cycle_graph(9), place / "3.graphml")
    with pytest.raises(CheckpointError, match="data.graphs=.* is not the file that the run read"):
        run(resume=str(result.folder), train={"epochs": 3})


def test_what_a_dry_run_tells() -> None:
    facts = dry_run({"name": "graph", "protocol": "gin"}, "planted-graphs")
    assert facts["graphs"] == 300 and facts["splits"] == {"train": 270, "valid": 30, "test": 30}
    assert facts["graphs_per_class"] == {"apart": 150, "path": 150} and facts["isolated_nodes"] == 0
    with pytest.raises(RequestError, match=r"dataset=custom: give data\.graphs=FILE"):
        dry_run("graph", "custom")
    with pytest.raises(RequestError, match=r"data\.interactions: task=graph does not read it, leave it out"):
        dry_run("graph", "custom", data={"graphs": "a", "interactions": "b"})
