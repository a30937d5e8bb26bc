from __future__ import annotations

import pytest
import torch
from torch import nn

from graphkit.prototypes import PartBatch, PrototypeBank, class_identity
from graphkit.vision import Grid, PatchEncoder, Pixels, SmallCNN, add_on, halvings_for, space_to_depth


def test_parts_of_any_backbone_lie_where_the_grid_says() -> None:
    torch.manual_seed(0)
    backbone = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU())
    encoder = PatchEncoder(backbone, Grid(2, 3), add_on(4, 5, "tanh"))
    images = torch.rand(2, 3, 9, 11)
    parts = encoder.parts(images, torch.tensor([7, 3]))
    maps = encoder(images)
    assert maps.shape == (2, 5, 4, 5) and parts.z.shape == (2, 20, 5)
    for y in range(4):
        for x in range(5):
            assert torch.equal(parts.z[1, y * 5 + x], maps[1, :, y, x])
            assert parts.ref[1, y * 5 + x].tolist() == [3, y * 5 + x]
            # The pixels of the box alone decide the part.
            left, top, right, bottom = encoder.box(y * 5 + x, 5, (9, 11))
            assert (right - left, bottom - top) == (3, 3)
            alone = encoder(images[1:, :, top:bottom, left:right])
            torch.testing.assert_close(alone[0, :, 0, 0], maps[1, :, y, x])


def test_a_map_of_one_position_is_a_node() -> None:
    z = torch.randn(4, 5)
    bank = PrototypeBank(class_identity([2, 2]), 5)
    as_map, as_node = PartBatch.of_maps(z[:, :, None, None], torch.arange(4)), PartBatch.of_nodes(z)
    assert torch.equal(as_map.z, as_node.z) and torch.equal(as_map.mask, as_node.mask)
    for one, other in zip(bank(as_map), bank(as_node), strict=True):
        assert torch.equal(one, other)


def test_pixels_are_a_part() -> None:
    images = torch.rand(2, 3, 4, 6)
    backbone = Pixels(3, (4, 6))
    assert torch.equal(backbone(images)[:, :, 0, 0], images.flatten(1))
    assert backbone.grids[0].box(0, 1, (4, 6)) == (0, 0, 6, 4)


def test_a_backbone_without_maps_is_refused(unchecked_shapes: None) -> None:
    with pytest.raises(ValueError, match="leave out its pool and head"):
        PatchEncoder(nn.Flatten(), Grid())(torch.rand(1, 1, 4, 4))
    with pytest.raises(ValueError, match="activation must be one of none, sigmoid, tanh, got 'relu'"):
        add_on(1, 1, "relu")


def test_space_to_depth_puts_each_pixel_at_its_place() -> None:
    maps = torch.randn(2, 3, 7, 10)
    found = space_to_depth(maps, 3, 5)
    assert found.shape == (2, 12, 3, 5)
    for y in range(3):
        for x in range(5):
            expected = maps[1, :, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2].flatten()
            assert torch.equal(found[1, :, y, x], expected)
    with pytest.raises(ValueError, match="does not fit 8x10"):
        space_to_depth(maps, 8, 10)


@pytest.mark.parametrize(("size", "expected"), [((8, 8), 1), ((16, 40), 1), ((28, 28), 2), ((64, 64), 3), ((2, 9), 1)])
def test_halvings(size: tuple[int, int], expected: int) -> None:
    assert halvings_for(*size) == expected


def test_what_a_backbone_refuses() -> None:
    with pytest.raises(ValueError, match="both sides need at least 2"):
        halvings_for(1, 9)
    with pytest.raises(ValueError, match="at least the 2 pools, got 1"):
        SmallCNN(1, 4, 1, halvings=2)
