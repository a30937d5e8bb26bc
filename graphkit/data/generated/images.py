"""Images that need no file: scikit-learn's digits, and patterns planted into noise."""

from __future__ import annotations

import torch
from torch import Tensor

from graphkit.data.generated.embedded import digits, digits_split
from graphkit.data.graph import required
from graphkit.data.sources import DataRequest, ImagesSource

IMAGES, SIDE, PATCH, CLASSES = 600, 16, 5, 4
"""Of planted images: how many, pixels of a side, pixels of a pattern's side, patterns."""
NOISE = 0.35
"""Brightness of the background is uniform from 0 to this."""
_SEED = 0  # the patterns are the same for every seed of a run


def read_digits(request: DataRequest) -> ImagesSource:
    """The 1,797 handwritten digits of 8x8 pixels, with the fixed split of the digits graph.

    Args:
        request: What was asked for.
    """
    graph = digits()
    y = required(graph.y)
    return ImagesSource(required(graph.x).view(-1, 1, 8, 8), y, splits=digits_split(y))


def read_patches(request: DataRequest) -> ImagesSource:
    """Images of noise with one of four patterns, which is the class.

    Args:
        request: What was asked for.
    """
    y = torch.arange(IMAGES) % CLASSES
    pixels, boxes = _background(request.generator), _places(request.generator)
    _plant(pixels, boxes, patterns()[y], torch.ones(IMAGES, dtype=torch.bool))
    return ImagesSource(pixels, y, boxes=boxes)


def read_labels(request: DataRequest) -> ImagesSource:
    """Images of noise with none, one or several of the patterns, each of which is a label; pattern 1 comes with pattern 0.

    Args:
        request: What was asked for.
    """
    generator = request.generator
    y = torch.rand(IMAGES, CLASSES, generator=generator) < 0.4
    y[:, 1] &= y[:, 0]
    pixels = _background(generator)
    for label, pattern in enumerate(patterns()):
        # A quarter of the image for each, so that no pattern covers another.
        boxes = _places(generator, label)
        _plant(pixels, boxes, pattern.expand(IMAGES, -1, -1), y[:, label])
    return ImagesSource(pixels, y.float(), kind="labels")


def patterns() -> Tensor:
    """The patterns [4, 5, 5]: random pixels of 0 and 1, 13 of each pattern bright, so that brightness tells nothing."""
    generator = torch.Generator().manual_seed(_SEED)
    order = torch.rand(CLASSES, PATCH * PATCH, generator=generator).argsort(dim=1)
    return (order < 13).float().view(CLASSES, PATCH, PATCH)


def _background(generator: torch.Generator) -> Tensor:
    return NOISE * torch.rand(IMAGES, 1, SIDE, SIDE, generator=generator)


def _places(generator: torch.Generator, quarter: int | None = None) -> Tensor:
    """Boxes [N, 4] of a pattern at random places, or within a quarter of the image."""
    room = (SIDE if quarter is None else SIDE // 2) - PATCH + 1
    corner = torch.randint(room, (IMAGES, 2), generator=generator)
    if quarter is not None:
        corner = corner + torch.tensor([quarter % 2, quarter // 2]) * (SIDE // 2)
    return torch.cat([corner, corner + PATCH], dim=1)


def _plant(pixels: Tensor, boxes: Tensor, pattern: Tensor, chosen: Tensor) -> None:
    """Overwrite the boxes of chosen images by a pattern each [N, 5, 5], in place."""
    step = torch.arange(PATCH)
    image = chosen.nonzero().view(-1, 1, 1)
    rows, columns = (boxes[chosen, side].view(-1, 1, 1) for side in (1, 0))
    pixels[image, 0, rows + step.view(1, -1, 1), columns + step.view(1, 1, -1)] = pattern[chosen]
