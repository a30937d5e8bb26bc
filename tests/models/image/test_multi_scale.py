from __future__ import annotations

import pytest
import torch

from graphkit.models.image.multi_scale import MultiScale
from tests.models.image.frame import DIMS, IMAGES, assert_before_and_after, assert_projected, trained

SMALL = {"hidden_channels": 4, "channels": 4, "per_class": 2}


def test_each_scale_has_its_map_and_box() -> None:
    model = MultiScale(1, 3, (28, 28), **SMALL, scales=3)
    seen = model.see(torch.rand(1, 1, 28, 28))
    assert [part.z.size(1) for part in seen.parts] == [14 * 14, 7 * 7, 7 * 7]
    assert [model.map_size(branch) for branch in range(3)] == [(14, 14), (7, 7), (7, 7)]
    sides = [model.box(number, 3 * width + 3) for number, width in ((0, 14), (6, 7), (12, 7))]
    assert [box.right - box.left for box in sides] == [4, 10, 18]
    assert all(part.z.size(1) == len(maps.flatten(2)[0, 0]) for part, maps in zip(seen.parts, seen.maps, strict=True))


def test_groups_put_scales_together_and_explanations_add_up() -> None:
    torch.manual_seed(0)
    model = trained(MultiScale(**DIMS, **SMALL))
    assert_projected(model)
    assert model.head.powers().shape == (3, 3, 12)
    assert_before_and_after(MultiScale(**DIMS, **SMALL))


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="scales must be at most the number of blocks, 2, got 3"):
        MultiScale(**DIMS, scales=3)
    with pytest.raises(ValueError, match="similarity must be log-l2 or rbf"):
        MultiScale(**DIMS, similarity="cosine")
    assert MultiScale(**DIMS, similarity="rbf")(IMAGES).isfinite().all()
