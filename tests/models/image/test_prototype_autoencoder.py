from __future__ import annotations

import pytest
import torch

from graphkit.models.image.prototype_autoencoder import PrototypeAutoencoder
from graphkit.prototypes import explain_branches
from tests.models.image.frame import CLASS, DIMS, IMAGES, task_loss, trained

SMALL = {"num_prototypes": 5, "hidden_channels": 4, "code_channels": 3}


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (9, 14)])
def test_the_decoder_mirrors_the_encoder(size: tuple[int, int]) -> None:
    model = PrototypeAutoencoder(3, 2, size, **SMALL)
    images = torch.rand(2, 3, *size)
    assert model.coder.decode(model.embed(images)).shape == images.shape
    decoded = model.decoded_prototypes()
    assert decoded.shape == (5, 3, *size) and decoded.min().item() >= 0 and decoded.max().item() <= 1


def test_the_loss_is_that_of_the_paper() -> None:
    torch.manual_seed(0)
    model = PrototypeAutoencoder(**DIMS, **SMALL).eval()
    found = model.training_loss(IMAGES, CLASS, task_loss)
    with torch.no_grad():
        code, prototypes = model.embed(IMAGES), model.bank.weight
        distance = torch.stack([(code - prototype).square().sum(dim=1) for prototype in prototypes], dim=1)
        scores = distance @ model.head.weight.t()
        torch.testing.assert_close(model(IMAGES), scores, rtol=1e-4, atol=1e-5)
        error = torch.stack([(a - b).square().sum() for a, b in zip(model.coder.decode(code), IMAGES, strict=True)]).mean()
        near = distance.min(dim=0).values.mean() + distance.min(dim=1).values.mean()
        torch.testing.assert_close(found.detach(), 20 * task_loss(scores, CLASS) + error + near)


def test_it_learns_and_its_evidence_adds_up() -> None:
    torch.manual_seed(0)
    model = PrototypeAutoencoder(**DIMS, **SMALL)
    first = model.training_loss(IMAGES, CLASS, task_loss).item()
    trained(model, epochs=30)
    with torch.no_grad():
        assert model.training_loss(IMAGES[:12], CLASS[:12], task_loss).item() < first
        found = explain_branches(model.branches(IMAGES, torch.arange(18)), 2, head=model.head)
        assert found.predicted.logit == pytest.approx(float(model(IMAGES)[2].max()), rel=1e-4)
        assert not found.is_projected


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="num_prototypes must be at least 1"):
        PrototypeAutoencoder(**DIMS, num_prototypes=0)
