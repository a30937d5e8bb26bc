"""Prototypes of planted images look at the pattern: boxes, consistency and stability tell a good bank from a bad one."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from graphkit.conf.models.image import ProtoPNetModel
from graphkit.conf.schema import ImageTask, Train
from graphkit.data import load
from graphkit.data.image_set import ImageSet
from graphkit.metrics.prototypes import box_hits, consistency, labels_in_boxes, perturbed, stability, winning_labels
from graphkit.models.image.prototype_network import PrototypeNetwork
from graphkit.prototypes import contributions
from graphkit.tasks.build import model_maker
from graphkit.tasks.image import ImagePrediction


class Planted(NamedTuple):
    data: ImageSet
    model: PrototypeNetwork


@pytest.fixture(scope="module")
def planted() -> Planted:
    torch.manual_seed(0)
    data = load("planted-patches", task="image", seed=0)
    settings = ProtoPNetModel(hidden_channels=16, channels=16, warm_epochs=1, head_epochs=3)
    train = Train(batch_size=64, lr=0.005)
    task = ImagePrediction(data, ImageTask(), model_maker("image", settings), train, torch.device("cpu"))
    model = task.build_model()
    assert isinstance(model, PrototypeNetwork)
    generator = torch.Generator().manual_seed(0)
    for stage in task.stages(model):
        moving = {id(parameter) for group in stage.groups for parameter in group["params"]}
        for parameter in model.parameters():
            parameter.requires_grad_(id(parameter) in moving)
        optimizer = torch.optim.Adam(stage.groups, lr=train.lr) if stage.groups else None
        for epoch in range(stage.epochs or 12):
            model.train()
            for batch in task.batches(generator) if optimizer else ():
                optimizer.zero_grad()
                (stage.step or task.step)(model, batch, lambda loss: loss.backward())
                optimizer.step()
            if stage.after_epoch is not None:
                stage.after_epoch(epoch + 1)
    return Planted(data, model.requires_grad_(False).eval())


def hit_rate(planted: Planted) -> float:
    """How often the box of the strongest prototype of an image's class lies on the pattern, of test images."""
    data, model = planted
    test = data.splits["test"]
    seen = model.see(data.pixels[test])
    added, _ = contributions(model.head, seen.similarity, data.y[test])
    strongest = added.masked_fill(~model.identities[:, data.y[test]].t(), -torch.inf).argmax(dim=1)
    items = seen.pooled[0].part.gather(1, strongest[:, None])[:, 0]
    pairs = zip(strongest.tolist(), items.tolist(), strict=True)
    return box_hits(torch.tensor([model.box(*pair) for pair in pairs]), data.boxes[test])


def measured(planted: Planted) -> tuple[float, float]:
    """Consistency and stability: whether prototypes of a class point at its pattern, also under noise."""
    data, model = planted
    test = data.splits["test"]
    width = model.map_size(0)[1]
    boxes = torch.tensor([model.grid(0).box(item, width, model.size) for item in range(width * width)])
    middle = (data.boxes[test, :2] + data.boxes[test, 2:]).float().unsqueeze(1) / 2
    annotation = labels_in_boxes(boxes, middle)  # the label is visible in all images
    own = model.identities[:, data.y[test]].t()
    clean, noisy = (
        winning_labels(model.see(images).pooled[0].part, annotation)
        for images in (data.pixels[test], perturbed(data.pixels[test], torch.Generator().manual_seed(0), 0.05, 0.1))
    )
    return consistency(clean, torch.ones(len(test), 1, dtype=torch.bool), own), stability(clean, noisy, own)


def with_prototypes(planted: Planted, weight: Tensor) -> Planted:
    bank = planted.model.prototypes[0]
    kept = bank.weight.clone()
    bank.weight.copy_(weight)
    try:
        return hit_rate(planted), *measured(planted)
    finally:
        bank.weight.copy_(kept)


def test_the_box_of_the_strongest_prototype_hits_the_pattern(planted: Planted) -> None:
    data, model = planted
    test = data.splits["test"]
    assert float((model(data.pixels[test]).argmax(dim=1) == data.y[test]).float().mean()) > 0.95
    assert hit_rate(planted) >= 0.9


def test_shuffled_and_random_prototypes_do_worse(planted: Planted) -> None:
    weight = planted.model.prototypes[0].weight
    generator = torch.Generator().manual_seed(0)
    good = with_prototypes(planted, weight)
    shuffled = with_prototypes(planted, weight.roll(5, dims=0))  # each class gets the prototypes of another
    random = with_prototypes(planted, torch.randn(weight.shape, generator=generator))
    for bad in (shuffled, random):
        assert good[0] >= 0.9 and bad[0] <= good[0] - 0.2, "boxes"
        assert good[1] >= 0.8 and bad[1] <= good[1] - 0.2, "consistency"
        assert good[2] > bad[2], "stability"
