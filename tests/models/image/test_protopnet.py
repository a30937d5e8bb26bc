from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from graphkit.models.image.protopnet import ProtoPNet
from tests.models.image.frame import (
    CLASS,
    DIMS,
    IMAGES,
    LABELS,
    assert_before_and_after,
    assert_projected,
    task_loss,
    trained,
    view,
)

SMALL = {"hidden_channels": 4, "channels": 4, "per_class": 2}


def test_a_score_is_the_best_match_of_any_patch() -> None:
    torch.manual_seed(0)
    model = ProtoPNet(**DIMS, **SMALL).eval()
    with torch.no_grad():
        scores, maps = model(IMAGES), model.add_ons[0](model.backbone(model.standardized(IMAGES)))
        for i in (0, 5):
            for c in range(3):
                total = 0.0
                for j, prototype in enumerate(model.prototypes[0].weight):
                    best = max(
                        F.cosine_similarity(maps[i, :, y, x], prototype, dim=0).item() for y in range(4) for x in range(4)
                    )
                    total += best * (1.0 if j // 2 == c else -0.5)
                assert scores[i, c].item() == pytest.approx(total, abs=1e-4)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"similarity": "log-l2", "activation": "sigmoid"},
        {"classifier": "own-class", "alignment": 0.5, "orthogonality": 0.1},
    ],
)
def test_it_becomes_patches_of_training_images(options: dict[str, object]) -> None:
    torch.manual_seed(0)
    assert_projected(trained(ProtoPNet(**DIMS, **SMALL, **options)))
    torch.manual_seed(0)
    assert_before_and_after(ProtoPNet(**DIMS, **SMALL, **options))


def test_every_term_of_the_loss_is_felt() -> None:
    torch.manual_seed(0)
    plain = {"cluster": 0.0, "separation": 0.0, "l1": 0.0}
    model = ProtoPNet(**DIMS, **SMALL, **plain)
    model.fit(view(LABELS))
    model.eval()
    base = model.training_loss(IMAGES, LABELS, task_loss)
    torch.testing.assert_close(base, task_loss(model(IMAGES), LABELS))
    for name in ("cluster", "separation", "orthogonality", "l1", "alignment", "contrast"):
        model.weights[name] = 1.0
        assert model.training_loss(IMAGES, LABELS, task_loss) != base, name
        model.weights[name] = 0.0


def test_unknown_labels_neither_draw_nor_repel() -> None:
    torch.manual_seed(0)
    model = ProtoPNet(**DIMS, **SMALL, cluster=1.0, separation=1.0)
    y = LABELS.clone()
    y[:, 0] = float("nan")
    model.fit(view(y))
    assert torch.equal(model.present(y)[:, 0], torch.zeros(18, dtype=torch.bool))
    assert bool(model.unknown(y)[:, 0].all()) and not bool(model.unknown(CLASS).any())
    model.training_loss(IMAGES, y, lambda scores, y: scores.sum() * 0).backward()
    grad = model.prototypes[0].weight.grad
    assert grad is not None and bool(grad[:2].eq(0).all()) and bool(grad[2:].ne(0).any())


def test_the_co_occurrence_is_that_of_training_labels() -> None:
    model = ProtoPNet(**DIMS, **SMALL)
    flipped = LABELS.clone()
    flipped[12:] = 1 - flipped[12:]
    model.fit(view(LABELS))
    kept = model.jaccard.clone()
    model.fit(view(flipped))
    assert torch.equal(model.jaccard, kept)


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="classifier must be one of linear, own-class"):
        ProtoPNet(**DIMS, classifier="cosine")
    with pytest.raises(ValueError, match="every class needs a prototype of its own"):
        ProtoPNet(**DIMS, class_counts=(1, 0, 1), classifier="own-class")
    with pytest.raises(ValueError, match="cluster must be at least 0"):
        ProtoPNet(**DIMS, cluster=-1.0)
