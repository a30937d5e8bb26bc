"""Sets of images by name and what `load` refuses."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from graphkit.data import load
from graphkit.data.image_set import ImageSet
from graphkit.errors import DataError


def test_digits_are_those_of_the_graph() -> None:
    images, graph = load("digits", task="image"), load("digits", task="node")
    assert torch.equal(images.pixels.flatten(1), graph.graph.x) and torch.equal(images.y, graph.graph.y)
    assert all(torch.equal(images.splits[split], graph.splits[split]) for split in ("train", "valid", "test"))
    assert images.sizes() == {"images": 1797, "channels": 1, "height": 8, "width": 8, "classes": 10}


@pytest.mark.data("MNIST")
def test_mnist_10k_has_a_fixed_split_of_its_own(data_root) -> None:
    one, other = (load("mnist-10k", task="image", root=data_root, seed=seed) for seed in (0, 1))
    assert one.pixels.shape == (10_000, 1, 28, 28) and one.size == (28, 28) and float(one.pixels.max()) == 1.0
    assert one.y.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert [one.splits[split].numel() for split in ("train", "valid", "test")] == [8000, 1000, 1000]
    assert torch.cat(list(one.splits.values())).unique().numel() == 10_000
    assert all(torch.equal(one.splits[split], other.splits[split]) for split in one.splits)


@pytest.mark.data("MedMNIST")
def test_breastmnist_has_its_published_split(data_root) -> None:
    found = load("breastmnist", task="image", root=data_root)
    assert [found.splits[split].numel() for split in ("train", "valid", "test")] == [546, 78, 156]
    assert found.y[found.splits["test"]].bincount().tolist() == [42, 114]
    assert found.class_names == ("malignant", "normal or benign") and found.pixels.shape == (780, 1, 28, 28)


def changed(**parts: object) -> ImageSet:
    return dataclasses.replace(load("digits", task="image"), **parts)


PIXELS = torch.rand(1797, 1, 4, 4)


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        (
            {"pixels": PIXELS.where(torch.arange(1797).view(-1, 1, 1, 1) != 7, torch.nan)},
            "pixels of image 7 are NaN; they must",
        ),
        ({"pixels": PIXELS * 255}, "pixels of image 0 are .* to .*; they must be numbers from 0 to 1"),
        ({"pixels": PIXELS.where(PIXELS < 2, torch.inf) + torch.inf}, "pixels of image 0 are inf to inf"),
        ({"pixels": torch.rand(1797, 2, 4, 4)}, "of 1 or 3 channels and at least 2x2 pixels are needed, found 1797x2x4x4"),
        ({"pixels": torch.rand(1797, 1, 1, 9)}, "at least 2x2 pixels are needed"),
        ({"pixels": PIXELS[:0]}, "are needed, found 0x1x4x4"),
        ({"y": torch.zeros(1797, dtype=torch.long)}, "all training labels are of one class; label images of at least two"),
        ({"y": torch.zeros(5, dtype=torch.long)}, "it has 5 labels for 1797 images"),
        ({"splits": {"train": torch.tensor([1797])}}, "the train split names image 1797, but image ids go from 0 to 1796"),
    ],
)
def test_what_no_model_could_use(parts: dict[str, object], says: str) -> None:
    with pytest.raises(DataError, match=says):
        changed(**parts).check()


def test_constant_images_can_be_used() -> None:
    changed(pixels=torch.zeros(1797, 3, 4, 4)).check()
