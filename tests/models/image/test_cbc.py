from __future__ import annotations

import pytest
import torch

from graphkit.models.image.cbc import CBC
from tests.models.image.frame import CLASS, DIMS, IMAGES, TRAIN, assert_before_and_after, assert_projected, trained, view

SMALL = {"hidden_channels": 4, "channels": 4, "per_class": 2}


@pytest.mark.parametrize("encoder", ["cnn", "pixels"])
def test_components_become_training_parts(encoder: str) -> None:
    torch.manual_seed(0)
    options = {"encoder": encoder, "scale": 3.0, "robust": 0.5}
    assert_projected(trained(CBC(**DIMS, **SMALL, **options)))
    assert_before_and_after(CBC(**DIMS, **SMALL, **options))


def test_scores_are_probabilities_of_each_class() -> None:
    model = CBC(**DIMS, **SMALL).eval()
    scores = model(IMAGES)
    assert scores.min().item() >= 0 and scores.max().item() <= 1
    torch.testing.assert_close(model.probabilities(scores).sum(dim=1), torch.ones(len(IMAGES)))


@pytest.mark.parametrize("encoder", ["cnn", "pixels"])
def test_no_move_within_the_margin_changes_the_class(encoder: str) -> None:
    torch.manual_seed(0)
    model = trained(CBC(**DIMS, **SMALL, encoder=encoder, scale=3.0), epochs=20)
    with torch.no_grad():
        predicted = model(IMAGES).argmax(dim=1)
        margin = model.certified(IMAGES, predicted)
        assert bool((margin >= 0).all()) and float(margin.max()) > 1e-4
        wrong = model.certified(IMAGES, (predicted + 1) % 3)
        assert bool((wrong <= 0).all())
    # The strongest steps there are: along the gradient of the difference of two classes, as far as the margin allows.
    images = IMAGES.clone().requires_grad_()
    for other in (1, 2):
        scores = model(images)
        gap = (scores.gather(1, ((predicted + other) % 3)[:, None]) - scores.gather(1, predicted[:, None])).sum()
        (gradient,) = torch.autograd.grad(gap, images)
        unit = gradient / gradient.flatten(1).norm(dim=1).clamp(min=1e-12).view(-1, 1, 1, 1)
        moved = IMAGES + 0.999 * margin.float().view(-1, 1, 1, 1) * unit
        with torch.no_grad():
            assert torch.equal(model(moved).argmax(dim=1), predicted)


def test_the_margin_of_pixels_is_in_the_unit_of_pixels() -> None:
    torch.manual_seed(0)
    model = CBC(**DIMS, **SMALL, encoder="pixels", scale=3.0).eval()
    with torch.no_grad():
        plain = model.certified(IMAGES, CLASS)
        model.spread.fill_(0.5)  # standardization stretches pixels by 2
        doubled = CBC(**DIMS, **SMALL, encoder="pixels", scale=3.0).eval()
        doubled.load_state_dict(model.state_dict())
        doubled.spread.fill_(1.0)
        torch.testing.assert_close(model.certified(IMAGES / 2, CLASS), doubled.certified(IMAGES, CLASS) / 2)
        torch.testing.assert_close(doubled.certified(IMAGES, CLASS), plain)


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="encoder must be one of cnn, pixels"):
        CBC(**DIMS, encoder="resnet")
    with pytest.raises(ValueError, match="scale must be at least 0"):
        CBC(**DIMS, scale=-1.0)
    assert not CBC.takes_labels


@pytest.mark.parametrize("scale", [0.0, 2.0])
def test_components_start_as_patches_of_their_classes(scale: float) -> None:
    torch.manual_seed(0)
    model = CBC(**DIMS, **SMALL, scale=scale)
    model.fit(view())
    bank = model.prototypes[0]
    with torch.no_grad():
        z = model.eval().see(IMAGES[TRAIN]).parts[0].z
        for prototype, classes in zip(bank.weight, bank.identity, strict=True):
            own = z[classes[CLASS[TRAIN]]].flatten(0, 1)
            assert float((own - prototype).norm(dim=1).min()) < 1e-6
        pairs = [(a - b).norm().item() for i, a in enumerate(bank.weight) for b in bank.weight[:i]]
        assert bank.log_scale.exp().unique().item() == pytest.approx(scale or sum(pairs) / len(pairs), rel=1e-5)
    assert not bool(bank.projected) and bank.source.eq(-1).all()
