"""Predictions that are kept: they are the scores that were judged, and what fits no data is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from graphkit.conf.models.image import CNNModel
from graphkit.data import load
from graphkit.sparse import CSR
from graphkit.tasks.stored import stored, stored_lists
from tests.tasks import test_graph as graphs
from tests.tasks import test_image as images
from tests.tasks.links import make_task, new_model, planted


def bound_to_blocks(model: nn.Module, size) -> nn.Module:
    """The model, its scores changed by how many samples are in a block, far more than rounding would."""
    model.register_forward_hook(lambda module, given, scores: scores + size(given[0]) * torch.arange(1, scores.size(1) + 1))
    return model


def judged(task, monkeypatch: pytest.MonkeyPatch) -> dict[str, Tensor]:
    """The scores of each split, filled as the task judges them."""
    found, plain = {}, task._judge

    def judge(split: str, scores: Tensor, *rest: Tensor) -> dict[str, float]:
        found[split] = scores
        return plain(split, scores, *rest)

    monkeypatch.setattr(task, "_judge", judge)
    return found


@pytest.mark.parametrize("kind", ["classes", "labels", "numbers"])
@pytest.mark.parametrize("train", [{}, {"batch_size": 1}, {"eval_batch_size": 3}], ids=str)
def test_graphs_are_kept_as_they_were_judged(kind: str, train: dict, monkeypatch: pytest.MonkeyPatch):
    dataset = graphs.some(kind)
    splits = {"train": torch.tensor([7, 1]), "valid": torch.tensor([5, 0, 4]), "test": torch.tensor([6, 2])}  # 3 is in none
    task = graphs.make_task(replace(dataset, splits=splits), **train)
    model = bound_to_blocks(graphs.built(task).eval(), lambda batch: batch.num_graphs)
    found = judged(task, monkeypatch)
    metrics = task.evaluate(model).metrics
    arrays = task.predictions(model)
    for split, scores in found.items():
        assert np.array_equal(arrays[task.judged_by[0]][splits[split]], scores.numpy())
    assert found.keys() == {"valid", "test"} and task.rescore(arrays) == metrics


def test_images_are_kept_as_they_were_judged(monkeypatch: pytest.MonkeyPatch):
    dataset = load("planted-patches", task="image")
    task = images.made(replace(dataset, splits={name: part[:-1] for name, part in dataset.splits.items()}), CNNModel())
    torch.manual_seed(0)
    model = bound_to_blocks(task.build_model().eval(), len)
    found = judged(task, monkeypatch)
    metrics = task.evaluate(model).metrics
    arrays = task.predictions(model)
    for split, scores in found.items():
        assert np.array_equal(arrays["scores"][dataset.splits[split][:-1]], scores.detach().numpy())
    assert found.keys() == {"valid", "test"} and task.rescore(arrays) == metrics


def test_a_split_is_told_by_its_parts():
    """Every held-out pair, negative and label is in the parts; neither model nor features are."""
    dataset = planted(features=3)
    parts = make_task(dataset).parts()
    assert parts.keys() == {"graph", "train", "valid", "test"}
    assert torch.equal(parts["test"][1], dataset.splits["test"].negative)
    task = make_task(dataset)
    assert task.rescore(task.predictions(model := new_model(task).eval())) == task.evaluate(model).metrics


@pytest.mark.parametrize(
    ("array", "kind", "told"),
    [
        (None, "f", "a is missing"),
        (np.zeros((2, 3)), "f", r"a has shape \[2, 3\], the data gives \[3, 2\]"),
        (np.zeros((3, 2), int), "f", "a holds something else than numbers"),
        (np.full((3, 2), np.nan), "f", "a holds something else than numbers"),
        (np.zeros((3, 2)), "i", "a holds something else than whole numbers"),
    ],
)
def test_arrays_that_fit_no_data(array, kind: str, told: str):
    with pytest.raises(ValueError, match=told):
        stored({} if array is None else {"a": array}, "a", 3, 2, kind=kind)


@pytest.mark.parametrize(
    ("lists", "told"),
    [
        ([[0, 1], [2, 2]], "an item twice in a list"),
        ([[0, 1], [2, 4]], "an item that there is not"),
        ([[0, 1], [2, -2]], "an item that there is not"),
        ([[0, 3], [2, 1]], "an item that the user has been seen with"),
    ],
)
def test_lists_that_no_ranking_gives(lists: list[list[int]], told: str):
    seen = CSR.from_edge_index(torch.tensor([[3, 0], [5, 1]]), (6, 4))  # user 5 has item 3
    users = torch.tensor([5, 2])
    good = np.array([[0, 1], [-1, -1]])
    assert stored_lists({"items": good}, "items", users, 2, seen).tolist() == good.tolist()
    with pytest.raises(ValueError, match=told):
        stored_lists({"items": np.array(lists)}, "items", users, 2, seen)
