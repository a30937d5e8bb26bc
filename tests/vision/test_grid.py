"""Stride and receptive field, beside what gradients say that a position sees."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from graphkit.vision import Box, Grid, SmallCNN, grid_of


def seen(network: nn.Module, size: tuple[int, int], channels: int, place: tuple[int, int]) -> Box:
    """The pixels that a position of the map depends on: those with a gradient, of a network whose weights are positive."""
    network = network.double().eval()
    for parameter in network.parameters():
        nn.init.uniform_(parameter, 0.1, 1.0)
    image = torch.rand(1, channels, *size, dtype=torch.float64).requires_grad_()
    # Pools pass a gradient to their maximum alone: the mean over many images finds all pixels.
    found = torch.zeros(size)
    for _ in range(60):
        with torch.no_grad():
            image.uniform_()
        (gradient,) = torch.autograd.grad(network(image)[0, :, place[0], place[1]].sum(), image)
        found += gradient[0].abs().sum(dim=0)
    rows, columns = found.sum(dim=1).nonzero().flatten(), found.sum(dim=0).nonzero().flatten()
    return Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


@pytest.mark.parametrize(("layers", "halvings"), [(2, 1), (3, 2)])
def test_a_box_is_what_a_position_sees(layers: int, halvings: int) -> None:
    torch.manual_seed(0)
    network = SmallCNN(1, 4, layers, halvings=halvings)
    size = (20, 28)
    width = 28 >> halvings
    for y, x in ((0, 0), (1, 2), ((20 >> halvings) - 1, width - 1)):
        assert network.grids[-1].box(y * width + x, width, size) == seen(network, size, 1, (y, x))


def test_grids_of_other_modules() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(2, 3, 5, stride=2, padding=1), nn.ReLU(), nn.Conv2d(3, 3, 3, dilation=2))
    grid = grid_of([network])
    assert grid == Grid(2, 13, -1)
    assert grid.box(1 * 4 + 1, 4, (20, 20)) == seen(network, (20, 20), 2, (1, 1))


def test_the_published_field_of_resnet_18() -> None:
    grid = Grid().after(7, stride=2, padding=3).after(3, stride=2, padding=1)
    for block in range(4):
        for layer in range(4):
            grid = grid.after(3, stride=2 if block and layer == 0 else 1, padding=1)
    assert grid == Grid(32, 435, -217)


@pytest.mark.parametrize(
    "module", [nn.Linear(2, 2), nn.Conv2d(1, 1, (3, 1)), nn.Conv2d(1, 1, 3, padding="same"), nn.Sequential(nn.LSTM(2, 2))]
)
def test_what_is_not_known_is_refused(module: nn.Module) -> None:
    with pytest.raises(ValueError, match=r"give Grid\(stride, field, start\)"):
        grid_of([module])


def test_a_box_holds_points() -> None:
    box = Box(2, 3, 6, 5)
    assert box.center == (4.0, 4.0)
    assert box.holds((2.0, 3.0)) and not box.holds((6.0, 4.0)) and not box.holds((3.0, 5.0))
    with pytest.raises(ValueError, match="at least 1 pixel"):
        Grid(0, 1)
