"""Planted images: what is where, and that nothing but the pattern tells the class."""

from __future__ import annotations

import torch

from graphkit.data import load
from graphkit.data.generated.images import NOISE, PATCH, SIDE, patterns


def test_the_pattern_lies_in_the_box_and_noise_elsewhere() -> None:
    found = load("planted-patches", task="image", seed=3)
    kinds = patterns()
    assert kinds.sum(dim=(1, 2)).tolist() == [13] * 4 and len({tuple(k.flatten().tolist()) for k in kinds}) == 4
    for image in range(40):
        left, top, right, bottom = found.boxes[image].tolist()
        assert (right - left, bottom - top) == (PATCH, PATCH) and left >= 0 and right <= SIDE and top >= 0 and bottom <= SIDE
        assert torch.equal(found.pixels[image, 0, top:bottom, left:right], kinds[found.y[image]])
        outside = found.pixels[image, 0].clone()
        outside[top:bottom, left:right] = 0.0
        assert float(outside.max()) <= NOISE
    mean = torch.stack([found.pixels[found.y == label].mean() for label in range(4)])
    assert float(mean.max() - mean.min()) < 0.01, "brightness does not tell the class"
    assert len(found.boxes.unique(dim=0)) > 100


def test_a_seed_draws_its_own_images() -> None:
    one, same, other = (load("planted-patches", task="image", seed=seed) for seed in (0, 0, 1))
    assert torch.equal(one.pixels, same.pixels) and not torch.equal(one.pixels, other.pixels)


def test_each_label_shows_and_the_second_comes_with_the_first() -> None:
    found = load("planted-labels", task="image", seed=0)
    windows = found.pixels.unfold(2, PATCH, 1).unfold(3, PATCH, 1).flatten(1, 3)
    for label, pattern in enumerate(patterns()):
        shows = (windows == pattern).flatten(2).all(dim=2).any(dim=1)
        assert torch.equal(shows, found.y[:, label] == 1)
    assert bool((found.y[:, 1] <= found.y[:, 0]).all()) and found.kind == "labels" and found.metric == "roc-auc"
