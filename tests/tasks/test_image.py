"""Whole runs of image classification: files, before and after projection, labels, resume, and data that cannot be used."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from graphkit.conf.models.image import CBCModel, CNNModel, ProtoPNetModel
from graphkit.conf.schema import ImageTask, Train
from graphkit.data import load
from graphkit.data.image_set import ImageSet
from graphkit.errors import RequestError
from graphkit.run import dry_run, run
from graphkit.tasks.build import model_maker
from graphkit.tasks.image import ImagePrediction, _moved

SMALL = {"name": "protopnet", "warm_epochs": 1, "head_epochs": 2, "hidden_channels": 8, "channels": 8}
FAST = {"device": "cpu", "threads": 1, "train": {"epochs": 4, "batch_size": 64, "lr": 0.01}}


def made(dataset: ImageSet, model: object, **settings: object) -> ImagePrediction:
    return ImagePrediction(
        dataset, ImageTask(**settings), model_maker("image", model), Train(batch_size=64), torch.device("cpu")
    )


def test_a_run_leaves_its_prototypes_and_what_projection_cost(tmp_path: Path) -> None:
    result = run("image", model=SMALL, out=str(tmp_path), **FAST)
    before = result.metrics["test"]["accuracy-before-projection"]["mean"]
    assert result.best_epochs[0] >= 6, "an epoch after the projection"
    folder = result.folder / "seed-0"
    with (folder / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:4] == ["image", "split", "label", "predicted"] and len(rows) == 600
    test = [row for row in rows if row["split"] == "test"]
    right = 100 * sum(row["label"] == row["predicted"] for row in test) / len(test)
    assert right == pytest.approx(result.metrics["test"]["accuracy"]["mean"])
    arrays = np.load(folder / "predictions.npz")
    learned = arrays["scores_before_projection"].argmax(axis=1)
    labels = np.array([int(row["label"]) for row in rows])
    assert 100 * (learned == labels)[arrays["test_images"]].mean() == pytest.approx(before)
    assert set(arrays["prototype_source"][:, 0].tolist()) <= set(arrays["train_images"].tolist())
    assert bool(arrays["prototype_projected"].all())
    page = (result.folder / "report.html").read_text()
    assert "accuracy before projection" in page and "Gallery of prototypes" in page and page.count("<figure") > 20
    assert json.loads((result.folder / "data.json").read_text())["sizes"]["images"] == 600


def test_resume_ends_where_the_unbroken_run_does(tmp_path: Path) -> None:
    options = {**FAST, "task": {"name": "image", "shift": 1}, "model": SMALL}
    whole = run(**options, out=str(tmp_path / "a"))
    short = run(**{**options, "train": {**FAST["train"], "epochs": 2}}, out=str(tmp_path / "b"))
    assert whole.metrics != short.metrics or whole.best_epochs != short.best_epochs
    again = run(**options, out=str(tmp_path / "c"))
    assert again.metrics == whole.metrics


def test_labels_are_ranked(tmp_path: Path) -> None:
    model = {**SMALL, "contrast": 0.1}
    result = run("image", "planted-labels", model=model, out=str(tmp_path), **FAST)
    assert result.metrics["test"]["roc-auc"]["mean"] > 60.0
    assert {"ap", "accuracy", "accuracy-before-projection"} <= result.metrics["test"].keys()


def test_a_shift_moves_images_and_repeats_their_border() -> None:
    images = torch.arange(2 * 12.0).view(2, 1, 3, 4)
    moved = _moved(images, torch.tensor([[0, 2], [1, 1]]), 1)
    for y in range(3):
        for x in range(4):
            from_y, from_x = min(max(y - 1, 0), 2), min(max(x + 1, 0), 3)
            assert moved[0, 0, y, x] == images[0, 0, from_y, from_x]
    assert torch.equal(moved[1], images[1])


def test_what_does_not_go_together() -> None:
    planted, labels = (load(name, task="image", seed=0) for name in ("planted-patches", "planted-labels"))
    with pytest.raises(RequestError, match="model=cbc predicts one class, and data set 'planted-labels' has several labels"):
        made(labels, CBCModel())
    with pytest.raises(RequestError, match="model=cnn projects no prototypes, take accuracy"):
        made(planted, CNNModel(), metric="accuracy-before-projection")
    with pytest.raises(RequestError, match="model=cnn: num_layers must be at least 1 and at least the 2 pools"):
        made(dataclasses.replace(planted, pixels=torch.rand(600, 1, 28, 28)), CNNModel(num_layers=1)).build_model()
    assert made(planted, CNNModel()).metrics == ("accuracy",)


def test_a_class_without_training_images_is_told_and_gets_no_prototype() -> None:
    planted = load("planted-patches", task="image", seed=0)
    train = planted.splits["train"]
    kept = {**planted.splits, "train": train[planted.y[train] != 2]}
    task = made(dataclasses.replace(planted, splits=kept), ProtoPNetModel(hidden_channels=4))
    assert task.notes == ("no training image is of class 2: images of it count as errors, and have no prototype",)
    assert task.build_model().identities.sum(dim=0).tolist() == [5, 5, 0, 5]


def test_constant_images_train_to_something_finite() -> None:
    planted = load("planted-patches", task="image", seed=0)
    task = made(dataclasses.replace(planted, pixels=torch.full((600, 3, 8, 8), 0.5)), ProtoPNetModel(hidden_channels=4))
    model = task.build_model()
    loss = task.step(model, next(task.batches(torch.Generator())), lambda loss: loss.backward())
    assert bool(loss.isfinite()) and all(bool(p.grad.isfinite().all()) for p in model.parameters() if p.grad is not None)


def test_a_dry_run_tells_the_size_of_images() -> None:
    facts = dry_run("image", "digits")
    assert facts["pixels"] == "8x8 gray" and facts["splits"] == {"train": 200, "valid": 500, "test": 1097}
