"""Baselines: against loops, and against runs of the models that they stand for."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphkit.conf.catalog import MODELS
from graphkit.conf.schema import LinkTask, RecommendTask, Train
from graphkit.data import load
from graphkit.data.dataset import Pairs
from graphkit.sparse import CSR
from graphkit.tasks import baselines
from graphkit.tasks.build import build_task
from tests.tasks.links import planted

CPU = torch.device("cpu")


def test_the_majority_class_equals_a_loop():
    y = torch.tensor([0, 1, 1, 2, 1, 0, 2, 2, 2, 1])
    splits = {"train": torch.tensor([0, 1, 2, 3]), "valid": torch.tensor([4, 5, 6]), "test": torch.tensor([7, 8, 9])}
    reported = {"valid": ["accuracy", "r-squared"], "test": ["accuracy"]}
    found = baselines.constant("node", "classes", y, splits, reported=reported, num_targets=3)
    assert found.name == "majority class"
    assert found.metrics == {"valid": {"accuracy": pytest.approx(100 / 3)}, "test": {"accuracy": pytest.approx(100 / 3)}}
    splits["test"] = torch.tensor([0, 1])
    two = baselines.constant("node", "classes", y.clamp(max=1), splits, reported={"test": ["roc-auc"]}, num_targets=2)
    assert two.metrics["test"]["roc-auc"] == 50.0


def test_majority_labels_and_training_means_equal_loops():
    nan = float("nan")
    y = torch.tensor([[1.0, 0.0], [1.0, nan], [0.0, 1.0], [nan, 1.0], [1.0, 0.0], [0.0, 1.0]])
    splits = {"train": torch.arange(3), "test": torch.arange(3, 6)}
    labels = baselines.constant("graph", "labels", y, splits, reported={"test": ["accuracy"]}, num_targets=2)
    # The majority is yes and no: of the five known labels of the test graphs 1, -; 1, 0; 0, 1 ...
    known = [(1, 0), (1, 1), (0, 0), (0, 1), (1, 0)]  # (is it a yes of the first or a no of the second: right, else not)
    right = sum([y[4, 0] == 1, y[5, 0] == 1, y[3, 1] == 0, y[4, 1] == 0, y[5, 1] == 0])
    assert labels.metrics["test"]["accuracy"] == pytest.approx(100 * float(right) / len(known))
    reported = {"test": ["mae", "mae:b"]}
    numbers = baselines.constant("graph", "numbers", y, splits, reported=reported, num_targets=2, target_names=("a", "b"))
    means = (2 / 3, 1 / 2)
    errors = [[abs(means[t] - float(y[g, t])) for g in (3, 4, 5) if y[g, t] == y[g, t]] for t in (0, 1)]
    assert numbers.metrics["test"]["mae"] == pytest.approx(sum(map(sum, errors)) / 5, rel=1e-6)
    assert numbers.metrics["test"]["mae:b"] == pytest.approx(sum(errors[1]) / 3, rel=1e-6)


@pytest.mark.parametrize("own", [False, True])
def test_common_neighbors_are_what_a_run_of_cn_finds(own: bool):
    data = planted()
    if own:
        splits = {name: replace(part, own_negatives=name != "train") for name, part in data.splits.items()}
        counts = {"valid": 36, "test": 60}
        for name, count in counts.items():
            splits[name] = Pairs(splits[name].positive, splits[name].negative[:, :count], own_negatives=True)
        data = replace(data, splits=splits, test_graph=data.graph)
    task = build_task("link", data, LinkTask(), MODELS["link"]["cn"].settings(), Train(), CPU)
    expected = task.evaluate(task.build_model()).metrics
    reported = {split: list(metrics) for split, metrics in expected.items()}
    scores, why_not = baselines.common_neighbors(data, list(reported))
    found = baselines.of_links(scores, why_not, reported)
    assert found.metrics == expected and found.value("test", task.metric) == expected["test"][task.metric]


def test_too_many_common_neighbors_are_left_out_with_a_sentence():
    scores, why_not = baselines.common_neighbors(planted(), ["valid", "test"], most=10)
    found = baselines.of_links(scores, why_not, {"test": ["mrr"]})
    assert found.metrics == {} and found.value("test", "mrr") is None and "take longer than a few seconds" in found.note


@pytest.mark.parametrize("protocol", ["auto", "lightgcn"])
def test_the_most_popular_items_are_what_a_run_of_mostpop_lists(protocol: str):
    data = load("planted-interactions", task="recommend")
    chosen = RecommendTask(protocol=protocol)
    task = build_task("recommend", data, chosen, MODELS["recommend"]["mostpop"].settings(), Train(), CPU)
    model = task.build_model()
    arrays, expected = task.predictions(model), task.evaluate(model).metrics
    splits = [split for split in ("valid", "test") if f"{split}_users" in arrays]
    trained = ("train",) if "valid" in splits else ("train", "valid")
    judged = {split: baselines.Judged.of(data, split, torch.from_numpy(arrays[f"{split}_users"]), trained) for split in splits}
    lists = {split: baselines.most_popular(part, arrays[f"{split}_items"].shape[1]) for split, part in judged.items()}
    for split in splits:
        assert lists[split].tolist() == arrays[f"{split}_items"].tolist()
    found = baselines.of_popularity(judged, lists, {split: list(expected[split]) for split in splits})
    assert found.metrics == {split: expected[split] for split in splits}


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 8), st.floats(0, 1))
def test_the_most_popular_items_equal_a_loop(seed: int, users: int, items: int, density: float):
    generator = torch.Generator().manual_seed(seed)
    seen = torch.rand(users, items, generator=generator) < density
    popularity = torch.randint(4, (items,), generator=generator)
    matrix = CSR.from_edge_index(seen.nonzero().t().flip(0), (users, items))
    asked = torch.randperm(users, generator=generator)[: max(1, users // 2)]
    found = baselines.most_popular(baselines.Judged(asked, matrix, matrix, popularity), items)
    for user, row in zip(asked.tolist(), found.tolist(), strict=True):
        free = [item for item in range(items) if not seen[user, item]]
        free.sort(key=lambda item: (-int(popularity[item]), item))
        assert row == free + [-1] * (items - len(free))
