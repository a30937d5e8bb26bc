"""Graph classification and regression: losses and metrics against plain loops, batches, votes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from graphkit.conf.models.graph import DeepSetsModel, DSModel, GINModel
from graphkit.conf.schema import GraphTask, Train
from graphkit.data.graph_set import GraphSet
from graphkit.data.graphs import Graphs
from graphkit.errors import DataError, RequestError, RunError
from graphkit.models.graph.base import GraphModel
from graphkit.tasks.build import model_maker
from graphkit.tasks.graph import Drawn, GraphPrediction

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


NAMED = {"target_names": ("size", "weight"), "metrics": ("mae", "mae:size", "mae:weight")}


def test_one_of_several_numbers_is_judged_alone():
    dataset = some("numbers", **NAMED)
    task = make_task(dataset, settings=GraphTask(metric="mae:weight"))
    assert (task.metric, task.lower_is_better) == ("mae:weight", True)
    model = built(task).eval()
    found, scores = task.evaluate(model).metrics, torch.from_numpy(task.predictions(model)["predicted"])
    for split in ("valid", "test"):
        errors = {
            name: [abs(float(scores[g, t] - dataset.graphs.y[g, t])) for g in dataset.splits[split].tolist()]
            for t, name in enumerate(dataset.target_names)
        }
        known = {name: [error for error in of if not math.isnan(error)] for name, of in errors.items()}
        whole = [error for of in known.values() for error in of]
        assert found[split] == {
            "mae": pytest.approx(sum(whole) / len(whole)),
            **{f"mae:{name}": pytest.approx(sum(of) / len(of)) for name, of in known.items()},
        }


def test_one_of_several_numbers_is_learned_alone():
    dataset = some("numbers", **NAMED)
    task, alone = make_task(dataset, settings=GraphTask(target="weight")), dataset.graphs.y[:, 1:]
    assert task.metrics == ("mae",)
    model = built(task).eval()
    predicted = torch.from_numpy(task.predictions(model)["predicted"])
    assert predicted.shape == (8, 1)
    test = dataset.splits["test"]
    assert task.evaluate(model).metrics["test"]["mae"] == pytest.approx(float((predicted - alone)[test].abs().mean()))
    assert list(task.table(task.predictions(model)))[-1].endswith("weight")


@pytest.mark.parametrize(
    ("kind", "names", "settings", "says"),
    [
        (
            "numbers",
            NAMED,
            {"target": "wieght"},
            "task.target=wieght: data set 'some' has no such target: did you mean weight?",
        ),
        ("numbers", NAMED, {"target": "x"}, "task.target=x: .* choose all or one of size, weight"),
        ("classes", {}, {"target": "x"}, "task.target=x: data set 'some' has no targets with names, leave it out"),
        ("numbers", NAMED, {"metric": "mae:x"}, "task.metric=mae:x cannot select an epoch: validation has no number named x"),
        ("classes", {}, {"metric": "mae:x"}, "task.metric=mae:x cannot select .* mae needs numbers"),
    ],
)
def test_targets_that_are_not_there(kind: str, names: dict[str, Any], settings: dict[str, str], says: str):
    with pytest.raises(RequestError, match=says):
        make_task(some(kind, **names), settings=GraphTask(**settings))


class Fixed(GraphModel):
    """Gives every graph scores that do not depend on anything."""

    def __init__(self, scores: Tensor) -> None:
        super().__init__()
        self.scores, self.head = nn.Parameter(scores), nn.Identity()

    @property
    def width(self) -> int:
        return self.scores.size(1)

    def prepare(self, batch: Any, *, vote: int = 0, seed: int = 0) -> _Numbers:
        return _Numbers(torch.arange(batch.num_graphs))

    def embed(self, batch: Any) -> Tensor:
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


@pytest.mark.parametrize(("free", "drawn"), [(None, 3), (10**9, 3), (0, 9)])
def test_votes_are_drawn_once_where_they_fit(monkeypatch: pytest.MonkeyPatch, free: int | None, drawn: int) -> None:
    monkeypatch.setattr("graphkit.tasks.graph.available_memory", lambda: free)
    task = make_task(some(), DSModel(hidden_channels=4, num_layers=1, sample=1, votes=3, policy="node-marking"))
    model, asked = built(task).eval(), []
    prepare = model.prepare
    monkeypatch.setattr(model, "prepare", lambda *given, **how: asked.append(how) or prepare(*given, **how))
    with torch.no_grad():
        scores = [task.predictions(model)["scores"] for _ in range(3)]
    assert [how["vote"] for how in asked] == [0, 1, 2] * (drawn // 3)
    assert all(np.array_equal(scores[0], other) for other in scores)
    other = built(task, seed=1).eval()
    with torch.no_grad():
        assert not np.array_equal(task.predictions(other)["scores"], scores[0])  # another model has votes of its own


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


def test_targets_that_are_not_known_are_empty_in_the_table() -> None:
    for kind, names in (("labels", ("toxic", "soluble")), ("numbers", ())):
        dataset = some(kind, target_names=names)
        task = make_task(dataset)
        table = task.table(task.predictions(Fixed(torch.zeros(8, 2))))
        first, second = names or ("0", "1")
        given = "probability of" if kind == "labels" else "predicted"
        assert list(table) == ["graph", "split", first, f"{given} {first}", second, f"{given} {second}"]
        for column, name in enumerate((first, second)):
            known = ["" if value != value else value for value in dataset.graphs.y[:, column].tolist()]
            assert [cell and pytest.approx(float(cell), rel=1e-6) for cell in table[name].tolist()] == known


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
