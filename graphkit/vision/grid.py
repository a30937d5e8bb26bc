"""Where the positions of a feature map look in the image: stride and receptive field."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from torch import nn

_PLACELESS = (
    nn.BatchNorm2d,
    nn.Dropout,
    nn.Dropout2d,
    nn.ELU,
    nn.GELU,
    nn.GroupNorm,
    nn.Hardswish,
    nn.Identity,
    nn.LeakyReLU,
    nn.ReLU,
    nn.ReLU6,
    nn.Sigmoid,
    nn.SiLU,
    nn.Tanh,
)
"""Modules that move nothing from one position to another, but for statistics over the whole map."""


class Box(NamedTuple):
    """A rectangle of pixels; right and bottom are excluded."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def center(self) -> tuple[float, float]:
        """Its middle, x and y, in pixels."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def holds(self, point: tuple[float, float]) -> bool:
        """Whether a point x, y lies in it."""
        return self.left <= point[0] < self.right and self.top <= point[1] < self.bottom


@dataclass(frozen=True)
class Grid:
    """Position (y, x) of a map sees the pixels from start + stride x, field of them, in either direction.

    Attributes:
        stride: Pixels from one position to the next, at least 1.
        field: Side of the receptive field in pixels, at least 1.
        start: First pixel that position 0 sees; negative where the network pads.
    """

    stride: int = 1
    field: int = 1
    start: int = 0

    def __post_init__(self) -> None:
        if self.stride < 1 or self.field < 1:
            raise ValueError(f"stride and field must be at least 1 pixel, got {self.stride} and {self.field}")

    def after(self, kernel: int, *, stride: int = 1, padding: int = 0, dilation: int = 1) -> Grid:
        """The grid after a convolution or a pool."""
        field = self.field + dilation * (kernel - 1) * self.stride
        return Grid(self.stride * stride, field, self.start - padding * self.stride)

    def box(self, item: int, map_width: int, size: tuple[int, int]) -> Box:
        """The pixels that a part sees.

        Args:
            item: Id of the part, y W + x on a map of width W.
            map_width: W.
            size: Height and width of the image.
        """
        y, x = divmod(item, map_width)
        top, left = (self.start + self.stride * place for place in (y, x))
        height, width = size
        return Box(max(left, 0), max(top, 0), min(left + self.field, width), min(top + self.field, height))


def grid_of(modules: Iterable[nn.Module], grid: Grid | None = None) -> Grid:
    """The grid of modules in a row: convolutions, pools, normalizations and activations, also inside `nn.Sequential`.

    Args:
        modules: In the order in which they are applied.
        grid: That of their input; default: an image.

    Raises:
        ValueError: If a module is of another kind or not square: then give the `Grid` of the network, whose stride and field
            its authors publish.
    """
    grid = grid or Grid()
    for module in modules:
        if isinstance(module, nn.Sequential):
            grid = grid_of(module, grid)
        elif isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
            kernel, stride, padding, dilation = (
                _square(module, name) for name in ("kernel_size", "stride", "padding", "dilation")
            )
            grid = grid.after(kernel, stride=stride, padding=padding, dilation=dilation)
        elif not isinstance(module, _PLACELESS):
            raise ValueError(
                f"the receptive field of {type(module).__name__} is not known here: give Grid(stride, field, start)"
            )
    return grid


def _square(module: nn.Module, name: str) -> int:
    value = getattr(module, name, 1)
    sides = set(value) if isinstance(value, tuple) else {value}
    if len(sides) > 1 or not isinstance(next(iter(sides)), int):
        raise ValueError(f"{type(module).__name__} with {name}={value} is not square: give Grid(stride, field, start)")
    side: int = sides.pop()
    return side
