from __future__ import annotations

import pytest
import torch

from graphkit.models.image.cnn import CNN
from tests.models.image.frame import DIMS, IMAGES, LABELS, TRAIN, task_loss, trained, view


def test_channels_are_standardized_by_the_training_images() -> None:
    model = CNN(**DIMS)
    model.fit(view())
    values = IMAGES[TRAIN].double()
    assert model.center.item() == pytest.approx(values.mean().item(), abs=1e-6)
    assert model.spread.item() == pytest.approx(values.std(correction=0).item(), abs=1e-6)


def test_a_constant_channel_stays_finite() -> None:
    model = CNN(**DIMS)
    model.center.fill_(0.5)
    assert model(torch.full((2, 1, 8, 8), 0.5)).isfinite().all()


def test_it_learns_and_has_no_prototypes() -> None:
    torch.manual_seed(0)
    model = CNN(**DIMS, hidden_channels=8)
    first = task_loss(model.eval()(IMAGES), torch.arange(18) % 3)
    last = task_loss(trained(model, epochs=30)(IMAGES[TRAIN]), torch.arange(12) % 3)
    assert last < 0.5 * first and model.provenance(view()) == {} and not model.projects
    assert torch.equal(model.learned_scores(IMAGES), model(IMAGES))


def test_labels_and_sizes() -> None:
    model = CNN(3, 3, (9, 20), hidden_channels=4, num_layers=3, dropout=0.5)
    assert model(torch.rand(2, 3, 9, 20)).shape == (2, 3) and model.embed(torch.rand(2, 3, 9, 20)).shape == (2, 4)
    assert task_loss(CNN(**DIMS)(IMAGES), LABELS).isfinite()
    with pytest.raises(ValueError, match="at least the 2 pools"):
        CNN(1, 3, (28, 28), num_layers=1)
