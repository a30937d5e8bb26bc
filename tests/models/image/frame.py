"""What tests of image models share: a few small images, and one round of training."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from graphkit.models.image.base import ImageModel, ImageView
from graphkit.models.image.prototype_network import PrototypeNetwork
from graphkit.prototypes import contributions, explain_branches
from graphkit.training.stages import Backward

COUNT, CLASSES = 18, 3
IMAGES = torch.rand(COUNT, 1, 8, 8, generator=torch.Generator().manual_seed(0))
CLASS = torch.arange(COUNT) % CLASSES
LABELS = (torch.rand(COUNT, CLASSES, generator=torch.Generator().manual_seed(1)) < 0.5).float()
TRAIN = torch.arange(12)
DIMS = {"in_channels": 1, "out_channels": CLASSES, "size": (8, 8)}


def view(y: Tensor = CLASS) -> ImageView:
    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for ids in TRAIN.split(5):
            yield ids, IMAGES[ids]

    return ImageView("classes" if y.dim() == 1 else "labels", COUNT, TRAIN, y[TRAIN], batches)


def task_loss(scores: Tensor, y: Tensor) -> Tensor:
    if y.dim() == 1:
        return F.cross_entropy(scores, y)
    known = ~y.isnan()
    return F.binary_cross_entropy_with_logits(scores[known], y[known])


def step(model: ImageModel, batch: Tensor, backward: Backward) -> Tensor:
    loss = model.training_loss(IMAGES[batch], CLASS[batch], task_loss)
    backward(loss)
    return loss.detach()


def trained(model: ImageModel, epochs: int = 2) -> ImageModel:
    """The model after all its stages, as the loop goes through them, of a few steps each."""
    model.fit(view())
    for stage in model.stages(view(), step, lr=0.01, head_lr=None):
        moving = [parameter for group in stage.groups for parameter in group["params"]]
        for parameter in model.parameters():
            parameter.requires_grad_(any(parameter is one for one in moving))
        optimizer = torch.optim.Adam(stage.groups) if stage.groups else None
        for epoch in range(epochs if stage.groups else 1):
            if optimizer is not None:
                model.train()
                optimizer.zero_grad()
                (stage.step or step)(model, TRAIN, lambda loss: loss.backward())
                optimizer.step()
            if stage.after_epoch is not None:
                stage.after_epoch(epoch + 1)
    return model.eval()


def assert_projected(model: PrototypeNetwork) -> None:
    """Prototypes are patches of training images of their classes, and an explanation adds up."""
    sources, identities = model.sources, model.identities
    assert set(sources[:, 0].tolist()) <= set(TRAIN.tolist())
    start = 0
    with torch.no_grad():
        for branch, bank in zip(model.branches(IMAGES, torch.arange(COUNT)), model.prototypes, strict=True):
            assert bank.is_projected(branch.encoder)
            for j, (image, item) in enumerate(bank.source.tolist()):
                torch.testing.assert_close(bank.weight[j], branch.parts.z[image, item])
                assert bool(identities[start + j, CLASS[image]])
            start += bank.num_prototypes
        found = explain_branches(model.branches(IMAGES, torch.arange(COUNT)), 3, head=model.head)
        scores = model(IMAGES)
    assert found.is_projected and found.sample == 3
    assert abs(found.predicted.logit - float(scores[3].max())) < 1e-4
    assert {line.prototype for line in found.predicted.lines} == set(range(len(sources)))
    told = model.provenance(view())
    assert bool(told["prototype_projected"].all()) and told["prototype_box"].shape == (len(sources), 4)
    own = identities.unsqueeze(1) & torch.eye(CLASSES, dtype=torch.bool)[CLASS[told["prototype_nearest"]]]
    assert bool(own[:, 0].any(dim=1).all()), "the nearest patch is the source itself"
    with torch.no_grad():
        account = model.account(IMAGES)
        predicted = model(IMAGES).argmax(dim=1)
        _, bias = contributions(model.head, model.see(IMAGES).similarity, predicted)
        scores = account["prototype_contributions"].sum(dim=1) + bias
        torch.testing.assert_close(scores.float(), model(IMAGES).max(dim=1).values, rtol=1e-4, atol=1e-4)


def assert_before_and_after(model: PrototypeNetwork) -> None:
    """`learned_scores` are those of just before the projection, whatever the head learned since."""
    model.fit(view())
    model.eval()
    with torch.no_grad():
        for bank in model.prototypes:
            bank.weight.add_(0.1 * torch.randn(bank.weight.shape))  # they may start as patches
        before = model(IMAGES)
        assert torch.equal(model.learned_scores(IMAGES), before)
        model.project(view())
        after = model(IMAGES)
        torch.testing.assert_close(model.learned_scores(IMAGES), before)
        assert not torch.allclose(after, before)
        for parameter in model.head.parameters():
            parameter.add_(torch.randn_like(parameter))
        torch.testing.assert_close(model.learned_scores(IMAGES), before)
        assert not torch.allclose(model(IMAGES), after)
