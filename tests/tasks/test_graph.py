"""Graph classification and regression: losses and metrics against plain loops, batches, protocols, whole runs."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from graphkit.conf.models.graph import DeepSetsModel, DSModel, GINModel
from graphkit.conf.schema import GraphTask, Train
from graphkit.data import load
from graphkit.data.graph_set import GraphSet
from graphkit.data.graphs import Graphs
from graphkit.errors import CheckpointError, DataError, RequestError, RunError
from graphkit.run import dry_run, run
from graphkit.tasks.build import model_maker
from graphkit.tasks.graph import Drawn, GraphPrediction
from graphkit.training.checkpoint import load_checkpoint

CPU = torch.device("cpu")
SMALL = GINModel(hidden_channels=6, num_layers=2)
EDGES = torch.tensor([[0, 1, 1, 2, 4, 5, 6, 7, 6, 8], [1, 0, 2, 1, 5, 4, 7, 6, 8, 6]])


def some(kind: str = "classes", **changes: Any) -> GraphSet:
    """Eight graphs of 3, 1, 2, 3, 1, 1, 1, 1 nodes; node 3 and the last four have no edge."""
    generator = torch.Generator().manual_seed(0)
    ptr = torch.tensor([0, 3, 4, 6, 9, 10, 11, 12, 13])
    y = {
        "classes": torch.tensor([0, 1, 0, 1, 1, 0, 1, 0]),
        "labels": torch.tensor([[1.0, 0], [0, math.nan], [1, 1], [math.nan, 0], [0, 1], [1, 0], [0, 1], [1, math.nan]]),
        "numbers": torch.randn(8, 2, generator=generator) * 5 + 3,
    }[kind]
    if kind == "numbers":
        y[2, 0] = y[5, 1] = math.nan
    graphs = Graphs(ptr, EDGES[:, EDGES[0].argsort(stable=True)], y, torch.randn(13, 3, generator=generator))
    fields: dict[str, Any] = {
        "name": "some",
        "graphs": graphs,
        "kind": kind,
        "splits": {"train": torch.tensor([0, 1, 2, 3]), "valid": torch.tensor([4, 5]), "test": torch.tensor([6, 7])},
        "fold": 0,
        "num_folds": 2,
        "shares": (0.7, 0.1, 0.2),
        "metric": "accuracy" if kind != "numbers" else "mae",
        "metrics": ("accuracy",) if kind != "numbers" else ("mae",),
        "protocol": "some graphs",
    }
    return GraphSet(**(fields | changes))


def make_task(dataset: GraphSet, model: Any = SMALL, settings: GraphTask | None = None, **train: Any) -> GraphPrediction:
    return GraphPrediction(dataset, settings or GraphTask(), model_maker("graph", model), Train(**train), CPU)


def built(task: GraphPrediction, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return task.build_model().double()


class Fixed(nn.Module):
    """Gives every graph scores that do not depend on anything."""

    sampled = False

    def __init__(self, scores: Tensor) -> None:
        super().__init__()
        self.scores = nn.Parameter(scores)

    def prepare(self, batch: Any, *, vote: int = 0, seed: int = 0) -> _Numbers:
        return _Numbers(torch.arange(batch.num_graphs))

    def forward(self, batch: Any) -> Tensor:
        return self.scores[batch.index.graphs]


class _Numbers:
    def __init__(self, graphs: Tensor) -> None:
        self.graphs = graphs

    def take(self, graphs: Tensor) -> _Numbers:
        return _Numbers(self.graphs[graphs])


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("kind", ["classes", "labels", "numbers"])
def test_losses_are_equal_to_plain_loops(kind: str, standardize: bool) -> None:
    if standardize and kind != "numbers":
        return
    dataset = some(kind)
    task = make_task(dataset, settings=GraphTask(standardize=standardize))
    model = Fixed(torch.randn(8, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64))
    train, y = [0, 1, 2, 3], dataset.graphs.y.tolist()
    (batch,) = task.batches(torch.Generator().manual_seed(0))
    loss = task.step(model, batch, lambda value: value.backward())
    terms = []
    for graph in train:
        scores = model.scores[graph].tolist()
        if kind == "classes":
            terms.append(math.log(sum(map(math.exp, scores))) - scores[y[graph]])
            continue
        for column in range(2):
            wanted = y[graph][column]
            if wanted != wanted:
                continue
            if kind == "labels":
                probability = 1 / (1 + math.exp(-scores[column]))
                terms.append(-math.log(probability if wanted else 1 - probability))
            else:
                known = [y[other][column] for other in train if y[other][column] == y[other][column]]
                mean = sum(known) / len(known) if standardize else 0.0
                std = (sum((value - mean) ** 2 for value in known) / len(known)) ** 0.5 if standardize else 1.0
                terms.append(abs(scores[column] - (wanted - mean) / std))
    assert loss.item() == pytest.approx(sum(terms) / len(terms), rel=1e-6)
    assert model.scores.grad is not None and not model.scores.grad[4:].any() and model.scores.grad[:4].any()


def test_metrics_of_numbers_keep_their_unit() -> None:
    dataset = some("numbers")
    task = make_task(dataset, settings=GraphTask(standardize=True))
    assert task.metric == "mae" and task.lower_is_better
    model = Fixed(torch.zeros(8, 2))
    found = task.evaluate(model).metrics["test"]["mae"]
    train = dataset.graphs.y[:4]
    centers = [train[:, 0][~train[:, 0].isnan()].mean(), train[:, 1].mean()]
    errors = [abs(dataset.graphs.y[graph, column] - centers[column]) for graph in (6, 7) for column in (0, 1)]
    assert found == pytest.approx(float(sum(errors) / 4), rel=1e-5)
    arrays = task.predictions(model)
    assert np.allclose(arrays["predicted"], np.array([[float(one) for one in centers]] * 8), rtol=1e-5)


@pytest.mark.parametrize("kind", ["classes", "labels", "numbers"])
@pytest.mark.parametrize("model", [SMALL, DeepSetsModel(hidden_channels=6), DSModel(hidden_channels=6, num_layers=2)])
def test_a_graph_is_scored_by_itself(kind: str, model: Any) -> None:
    """The same in any batch and order, and under any numbering of the graphs of the collection."""
    dataset = some(kind)
    task = make_task(dataset, model)
    trained = built(task)
    trained.eval()
    with torch.no_grad():
        whole = task.predictions(trained)["scores"]
        single = make_task(dataset, model, eval_batch_size=1)
        assert np.allclose(single.predictions(trained)["scores"], whole, atol=1e-12)
    graphs = dataset.graphs
    order = torch.tensor([5, 3, 7, 0, 1, 6, 2, 4])
    nodes = torch.cat([torch.arange(*graphs.ptr[graph : graph + 2].tolist()) for graph in order])
    place = nodes.argsort()
    edges = place[graphs.edge_index]
    edges = edges[:, (edges[0] * 13 + edges[1]).argsort()]
    ptr = torch.cat([torch.zeros(1, dtype=torch.long), graphs.sizes[order].cumsum(0)])
    splits = {name: order.argsort()[ids] for name, ids in dataset.splits.items()}
    turned = replace(dataset, graphs=Graphs(ptr, edges, graphs.y[order], graphs.x[nodes]), splits=splits)
    other = make_task(turned, model)
    with torch.no_grad():
        assert np.allclose(other.predictions(trained)["scores"], whole[order.numpy()], atol=1e-10)
        assert other.evaluate(trained).metrics == task.evaluate(trained).metrics


def test_batches_go_through_the_training_graphs_once() -> None:
    task = make_task(some(), batch_size=3)
    drawn = list(task.batches(torch.Generator().manual_seed(5)))
    assert task.num_batches == len(drawn) == 2 and [batch.graphs.numel() for batch in drawn] == [3, 1]
    assert sorted(torch.cat([batch.graphs for batch in drawn]).tolist()) == [0, 1, 2, 3]
    again = list(task.batches(torch.Generator().manual_seed(5)))
    assert all(torch.equal(a.graphs, b.graphs) and a.sample == b.sample for a, b in zip(drawn, again, strict=True))
    assert len({batch.sample for batch in drawn}) == 1


def test_the_loss_of_validation_is_that_of_its_scores() -> None:
    task = make_task(some())
    model = Fixed(torch.randn(8, 2, generator=torch.Generator().manual_seed(3)))
    evaluation = task.evaluate(model)
    expected = torch.nn.functional.cross_entropy(model.scores[4:6], task._y[4:6]).item()
    assert evaluation.valid_loss is not None and evaluation.valid_loss() == pytest.approx(expected, rel=1e-6)
    assert task.evaluate(model, ("test",)).valid_loss is None


def test_a_sampled_model_is_judged_by_its_mean_vote() -> None:
    dataset = some()
    settings = DSModel(hidden_channels=4, num_layers=1, sample=1, votes=3, policy="node-marking")
    task = make_task(dataset, settings)
    model = built(task)
    model.eval()
    with torch.no_grad():
        scores = task.predictions(model)["scores"]
        votes = [
            model(task._whole.with_index(model.prepare(task._whole, vote=vote, seed=0)).take(torch.arange(8)))
            for vote in range(3)
        ]
    assert np.allclose(scores, torch.stack(votes).mean(0).numpy(), atol=1e-12)
    assert not torch.equal(votes[0], votes[1])
    assert task.notes[-1].endswith("predictions are means over 3 samples (model.votes)") and not make_task(dataset).notes
    assert np.array_equal(task.predictions(model)["scores"], scores)  # nothing is drawn anew


def test_a_sampled_model_draws_again_for_every_epoch() -> None:
    task = make_task(some(), DSModel(hidden_channels=4, num_layers=1, sample=1, policy="node-marking"))
    model = built(task)
    graphs = torch.arange(4)
    losses = [task.step(model, Drawn(graphs, sample), lambda loss: None).item() for sample in (1, 2, 1, 3, 4)]
    assert losses[0] == losses[2] and len(set(losses)) > 2


def test_what_cannot_be_used_is_refused() -> None:
    with pytest.raises(RequestError, match="task.standardize=true: data set 'some' has classes to predict, leave it out"):
        make_task(some(), settings=GraphTask(standardize=True))
    with pytest.raises(RequestError, match="task.metric=mae cannot select an epoch: .*has classes to predict"):
        make_task(some(), settings=GraphTask(metric="mae"))
    with pytest.raises(RequestError, match="task.protocol=split: data set 'some' has splits of its own"):
        make_task(some(), settings=GraphTask(protocol="split"))
    with pytest.raises(RequestError, match="task.protocol=gin: data set 'some' has a fixed split and no folds"):
        make_task(some(num_folds=1), settings=GraphTask(protocol="gin"))
    with pytest.raises(RunError, match="the model scores graphs with NaN"):
        make_task(some()).evaluate(Fixed(torch.full((8, 2), torch.nan)))


def test_a_class_without_training_graphs_is_told() -> None:
    dataset = some(class_names=("a", "b", "c"))
    assert "no training graph is of class c: graphs of it count as errors" in make_task(dataset).notes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": torch.full((13, 3), torch.inf)}, "feature 0 of node 0 is inf"),
        ({"edge_index": torch.tensor([[0], [3]])}, "an edge joins nodes of two graphs"),
        ({"edge_index": torch.tensor([[0], [13]])}, "names node 13"),
        ({"y": torch.tensor([0, 1])}, "it has 2 labels for 8 graphs"),
        ({"y": torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])}, "all training labels are of one class; label graphs of at least two"),
        ({"ptr": torch.tensor([0, 3, 3, 6, 9, 10, 11, 12, 13])}, "one without a node"),
        ({"edge_attr": torch.ones(3, 1)}, "features of edges must be finite numbers"),
    ],
)
def test_data_that_no_model_could_use(change: dict, message: str) -> None:
    dataset = some()
    with pytest.raises(DataError, match=f"data set 'some' cannot be used: .*{message}"):
        replace(dataset, graphs=replace(dataset.graphs, **change)).check()


# ------------------------------------------------------------------------------------------------------------ whole runs

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
    assert "Spread over seeds" in page and "Test graphs of the first seed" in page and "seed 2:" in page
    assert 6 <= page.count("<figure") <= min(12, drawn) and "predicted apart" in page
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
