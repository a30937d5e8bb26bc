"""The published conventions of ten folds against plain loops over what metrics.csv holds."""

import random

import pytest
import torch

from graphkit.conf.schema import GraphTask, Train
from graphkit.data import load
from graphkit.data.graph_set import GraphSet
from graphkit.data.splits.folds import stratified_folds
from graphkit.errors import RequestError
from graphkit.tasks.folds import best_common_epoch, choose_splits, last_epochs, over_seeds


def rows(metric: str, seeds: int = 4, epochs: int = 15, every: int = 1) -> dict[int, list[dict]]:
    draw = random.Random(0)
    return {
        seed: [
            {"seed": float(seed), "epoch": float(epoch), "loss": draw.random(), "seconds": 0.1, "eval_seconds": 0.1}
            | {f"{split}/{name}": draw.random() if epoch % every == 0 else None for split in ("valid", "test")
               for name in (metric, "roc-auc")}
            for epoch in range(1, epochs + 1)
        ]
        for seed in range(seeds)
    }  # fmt: skip


@pytest.mark.parametrize(("metric", "best"), [("accuracy", max), ("mae", min)])
def test_one_epoch_for_all_folds(metric: str, best) -> None:
    given = rows(metric, every=3)
    means = {}
    for epoch in (3, 6, 9, 12, 15):
        values = [row[f"valid/{metric}"] for own in given.values() for row in own if row["epoch"] == epoch]
        means[epoch] = sum(values) / len(values)
    chosen = best(means, key=means.get)
    pooled = best_common_epoch(metric, given)
    assert pooled.epochs == (chosen,) * 4 and f"epoch {chosen}," in pooled.note and "SELECTED ON TEST" in pooled.note
    for own, found in zip(given.values(), pooled.metrics, strict=True):
        row = own[chosen - 1]
        for split in ("valid", "test"):
            assert found[split] == {name: row[f"{split}/{name}"] for name in (metric, "roc-auc")}


def test_of_equal_epochs_the_first() -> None:
    given = rows("accuracy")
    for own in given.values():
        for row in own:
            row["valid/accuracy"] = 50.0 if row["epoch"] > 4 else 20.0
    assert best_common_epoch("accuracy", given).epochs == (5,) * 4


def test_epochs_that_a_fold_lacks_are_not_chosen() -> None:
    given = rows("accuracy")
    given[2] = given[2][:3]
    assert best_common_epoch("accuracy", given).epochs[0] <= 3


@pytest.mark.parametrize(("every", "count"), [(1, 10), (2, 7)])
def test_the_mean_of_the_last_epochs(every: int, count: int) -> None:
    given = rows("accuracy", every=every)
    pooled = last_epochs("accuracy", given, 10)
    assert f"last {count} evaluated epochs" in pooled.note and "SELECTED" not in pooled.note
    for own, found in zip(given.values(), pooled.metrics, strict=True):
        values = [row["test/accuracy"] for row in own if row["test/accuracy"] is not None][-10:]
        assert len(values) == count and found["test"]["accuracy"] == pytest.approx(sum(values) / count, abs=1e-12)


def test_which_protocol_pools() -> None:
    assert over_seeds(GraphTask(protocol="nested")) is None and over_seeds(GraphTask(protocol="split")) is None
    assert over_seeds(GraphTask(protocol="gin")) is best_common_epoch
    assert over_seeds(GraphTask(protocol="last10")) is not None


def planted(seed: int = 0, **options) -> GraphSet:
    dataset = load("planted-graphs", task="graph", seed=seed, **options)
    assert isinstance(dataset, GraphSet)
    return dataset


@pytest.mark.parametrize("protocol", ["nested", "split", "gin", "last10"])
def test_no_training_graph_is_judged(protocol: str) -> None:
    tested = []
    for seed in range(10):
        splits = choose_splits(planted(seed), GraphTask(protocol=protocol), Train()).splits
        train, valid, test = (set(splits[name].tolist()) for name in ("train", "valid", "test"))
        assert not train & (valid | test)
        if protocol in ("gin", "last10"):
            assert valid == test and train | test == set(range(300))
        else:
            assert not valid & test and train | valid | test == set(range(300))
        tested += sorted(test)
    if protocol != "split":
        assert sorted(tested) == list(range(300))


def test_what_a_protocol_says() -> None:
    chosen = choose_splits(planted(3), GraphTask(protocol="gin"), Train())
    assert "SELECTED ON TEST" in chosen.statement and not chosen.last
    assert chosen.splits["test"].tolist() == stratified_folds(planted().graphs.y)[3].tolist()
    assert choose_splits(planted(), GraphTask(protocol="last10"), Train()).last
    assert "shares of 60/20/20" in choose_splits(planted(split=[0.6, 0.2, 0.2]), GraphTask(protocol="split"), Train()).statement
    assert torch.equal(choose_splits(planted(4), GraphTask(), Train()).splits["test"], planted(4).splits["test"])


@pytest.mark.parametrize(
    ("options", "settings", "train", "message"),
    [
        ({"split": [0.6, 0.2, 0.2]}, {}, {}, "data.split=60/20/20: task.protocol=nested takes folds; for shares give"),
        ({}, {"protocol": "gin"}, {"patience": 5}, "task.protocol=gin: it needs all epochs .*, leave out train.patience"),
        ({}, {"protocol": "last10"}, {"patience": 5}, "task.protocol=last10: it needs all epochs"),
    ],
)
def test_what_does_not_go_together(options: dict, settings: dict, train: dict, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        choose_splits(planted(**options), GraphTask(**settings), Train(**train))
