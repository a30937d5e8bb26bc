"""What may be changed about an image without moving its parts: hue, saturation, contrast, brightness, shape, texture.

Each change takes images in [0, 1], of one channel or of red, green and blue, and gives such images. Together with
`graphkit.prototypes.because` it tells how much of a similarity rests on it.

Source: "This Looks Like That, Because ...", 2021 (arXiv:2011.02863), whose strengths are those below. Sizes in pixels are of
images of 224 pixels there; here they shrink with the image.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from graphkit.errors import DataError

Images = Float[Tensor, "B C H W"]

_GRAY = (0.299, 0.587, 0.114)
_SIDE = 224.0


def contrast(images: Images, factor: float = 0.45) -> Images:
    """Toward the mean gray of each image: m + factor (x - m)."""
    mean = _gray(images).mean(dim=(2, 3), keepdim=True)
    return (mean + factor * (images - mean)).clamp(0, 1)


def brightness(images: Images, factor: float = 0.8) -> Images:
    """Darker: factor x."""
    return (factor * images).clamp(0, 1)


def saturation(images: Images, factor: float = 0.7) -> Images:
    """Toward the gray of each pixel: g + factor (x - g)."""
    gray = _gray(images)
    return (gray + factor * (images - gray)).clamp(0, 1)


def hue(images: Images, shift: float = 0.1) -> Images:
    """Every color turned by a share of the color circle, at equal value and saturation.

    A channel of a color of hue h, value v and saturation s is v - v s max(0, min(k, 4 - k, 1)) with k = (n + 6 h) mod 6, where
    n is 5, 3 and 1 of red, green and blue.
    """
    value, largest = images.max(dim=1, keepdim=True)
    chroma = value - images.min(dim=1, keepdim=True).values
    red, green, blue = images.split(1, dim=1)
    span = torch.where(chroma > 0, chroma, 1.0)
    sixth = torch.where(
        largest == 0, (green - blue) / span, torch.where(largest == 1, 2 + (blue - red) / span, 4 + (red - green) / span)
    )
    first = torch.tensor([5.0, 3.0, 1.0], dtype=images.dtype, device=images.device).view(1, 3, 1, 1)
    k = (first + sixth + 6 * shift) % 6
    return value - chroma * torch.minimum(k, 4 - k).clamp(0, 1)


def shape(images: Images, amplitude: float = 4.0, frequency: float = 0.05) -> Images:
    """Rows and columns pushed aside by a wave: pixel (y, x) becomes that at (y + a sin(2 pi f x), x + a sin(2 pi f y)).

    Amplitude in pixels and waves per pixel are those of an image of 224 pixels; between pixels it is interpolated.
    """
    height, width = images.shape[2:]
    scale = min(height, width) / _SIDE
    y, x = torch.meshgrid(
        torch.arange(height, dtype=images.dtype, device=images.device),
        torch.arange(width, dtype=images.dtype, device=images.device),
        indexing="ij",
    )
    turn = 2 * math.pi * frequency / scale
    from_y, from_x = y + amplitude * scale * (turn * x).sin(), x + amplitude * scale * (turn * y).sin()
    place = torch.stack([2 * from_x / max(width - 1, 1) - 1, 2 * from_y / max(height - 1, 1) - 1], dim=2)
    return F.grid_sample(images, place.expand(images.size(0), -1, -1, -1), align_corners=True, padding_mode="border")


def texture(images: Images, strength: float = 4.0, template: int = 7, search: int = 21) -> Images:
    """Non-local means: every pixel becomes the mean of those around it whose neighborhoods look alike.

    Pixel q of the search window has the weight exp(-d / h^2) with d the mean squared difference of the two
    neighborhoods of template x template pixels, and h = strength / 255. Windows are cut down to the image.

    Args:
        images: Images.
        strength: h in gray levels of 255.
        template: Side of the neighborhoods, odd.
        search: Side of the window, odd.

    Source: Buades, Coll, Morel, A Non-Local Algorithm for Image Denoising, CVPR 2005.
    """
    side = min(images.shape[2:])
    template, search = (min(size, 2 * ((side - 1) // 2) + 1) for size in (template, search))
    reach, radius = search // 2, template // 2
    padded = F.pad(images, (reach,) * 4, mode="replicate")
    height, width = images.shape[2:]
    total, weights = torch.zeros_like(images), torch.zeros_like(images[:, :1])
    for dy in range(search):
        for dx in range(search):
            other = padded[:, :, dy : dy + height, dx : dx + width]
            apart = (images - other).square().mean(dim=1, keepdim=True)
            apart = F.avg_pool2d(F.pad(apart, (radius,) * 4, mode="replicate"), template, stride=1)
            weight = torch.exp(-apart / (strength / 255) ** 2)
            total += weight * other
            weights += weight
    return total / weights


CHARACTERISTICS: dict[str, Callable[[Images], Images]] = {
    "hue": hue,
    "saturation": saturation,
    "contrast": contrast,
    "brightness": brightness,
    "shape": shape,
    "texture": texture,
}
_OF_COLOR = ("hue", "saturation")


def characteristics(channels: int) -> dict[str, Callable[[Images], Images]]:
    """The changes that mean something for images of a number of channels: gray ones have neither hue nor saturation.

    Raises:
        DataError: If images have neither 1 nor 3 channels.
    """
    if channels not in (1, 3):
        raise DataError(f"characteristics are those of gray or RGB images, of 1 or 3 channels; these have {channels}")
    return {name: change for name, change in CHARACTERISTICS.items() if channels == 3 or name not in _OF_COLOR}


def _gray(images: Tensor) -> Tensor:
    if images.size(1) == 1:
        return images
    share = torch.tensor(_GRAY, dtype=images.dtype, device=images.device).view(1, 3, 1, 1)
    return (images * share).sum(dim=1, keepdim=True)
