"""A small convolutional network for images of 8x8 to 64x64 pixels, whose maps become parts."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from graphkit.vision.grid import Grid, grid_of

LARGEST_MAP = 8
"""Side of the map that is halved no further."""


class Backbone(nn.Sequential):
    """Blocks in a row, each of which gives a map.

    Args:
        blocks: The blocks.
        grids: Where the positions of every map look.
    """

    def __init__(self, *blocks: nn.Module, grids: tuple[Grid, ...]) -> None:
        super().__init__(*blocks)
        self.grids = grids

    def maps(self, images: Float[Tensor, "B C H W"]) -> list[Tensor]:
        """The map after every block."""
        found = []
        for block in self:
            images = block(images)
            found.append(images)
        return found


class Pixels(Backbone):
    """The image itself as a single part of C H W numbers.

    Args:
        in_channels: C.
        size: H and W.
    """

    def __init__(self, in_channels: int, size: tuple[int, int]) -> None:
        whole = Grid(max(size), max(size))
        super().__init__(nn.Sequential(nn.Flatten(), nn.Unflatten(1, (in_channels * size[0] * size[1], 1, 1))), grids=(whole,))


class SmallCNN(Backbone):
    """Blocks of a 3x3 convolution, batch normalization and ReLU; the first ones end in a 2x2 max pool.

    Position (y, x) of a map sees a field of pixels around 2^h (y, x) after h pools. With one block more than pools the field is
    8 pixels after one pool, 18 after two.

    Args:
        in_channels: Channels of the images.
        hidden_channels: Channels of every map.
        num_layers: Blocks; at least as many as pools.
        halvings: Blocks that end in a pool.

    Raises:
        ValueError: If there are more pools than blocks, or no block.
    """

    def __init__(self, in_channels: int, hidden_channels: int, num_layers: int, *, halvings: int) -> None:
        if num_layers < 1 or not 0 <= halvings <= num_layers:
            raise ValueError(f"num_layers must be at least 1 and at least the {halvings} pools, got {num_layers}")
        blocks = []
        for layer in range(num_layers):
            convolution = nn.Conv2d(in_channels if layer == 0 else hidden_channels, hidden_channels, 3, padding=1, bias=False)
            pool = [nn.MaxPool2d(2)] if layer < halvings else []
            blocks.append(nn.Sequential(convolution, nn.BatchNorm2d(hidden_channels), nn.ReLU(), *pool))
        super().__init__(*blocks, grids=tuple(grid_of(blocks[: layer + 1]) for layer in range(num_layers)))


def halvings_for(height: int, width: int) -> int:
    """How often the shorter side is halved: at least once, until it is no longer than 8.

    Raises:
        ValueError: If a side is shorter than 2 pixels.
    """
    side = min(height, width)
    if side < 2:
        raise ValueError(f"images of {height}x{width} pixels are too small: both sides need at least 2")
    count = 1
    while side >> count > LARGEST_MAP:
        count += 1
    return count
