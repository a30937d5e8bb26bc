"""From a feature map to the parts that prototypes are compared with."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from graphkit.prototypes import PartBatch
from graphkit.vision.grid import Box, Grid

ACTIVATIONS: dict[str, type[nn.Module]] = {"none": nn.Identity, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}


class PatchEncoder(nn.Module):
    """Any network that gives maps [B, D, h, w] becomes one that gives parts, of which it is known where they lie.

    Networks of timm or torchvision fit, e.g. `nn.Sequential(*list(resnet18().children())[:-2])` with `Grid(32, 435, -217)`.

    Args:
        backbone: From images to maps.
        grid: Stride and receptive field of the maps; `grid_of` knows them of modules in a row.
        add_on: Applied to the maps, position by position; default: nothing.
    """

    def __init__(self, backbone: nn.Module, grid: Grid, add_on: nn.Module | None = None) -> None:
        super().__init__()
        self.backbone, self.grid = backbone, grid
        self.add_on = add_on or nn.Identity()

    def forward(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
        """The maps.

        Raises:
            ValueError: If the backbone gives no maps.
        """
        maps: Tensor = self.add_on(self.backbone(images))
        if maps.dim() != 4:
            raise ValueError(f"the backbone must give maps [B, D, h, w], got {list(maps.shape)}: leave out its pool and head")
        return maps

    def parts(self, images: Float[Tensor, "B C H W"], samples: Int[Tensor, " B"]) -> PartBatch:
        """The parts of images; position (y, x) of a map of width w has the id y w + x.

        Args:
            images: Images.
            samples: Their global ids.
        """
        return PartBatch.of_maps(self(images), samples)

    def box(self, item: int, map_width: int, size: tuple[int, int]) -> Box:
        """The pixels that a part sees, see `Grid.box`."""
        return self.grid.box(item, map_width, size)


def add_on(in_channels: int, out_channels: int, activation: str = "none") -> nn.Sequential:
    """Two 1x1 convolutions with ReLU between them, and an activation: `none`, `sigmoid` (ProtoPNet) or `tanh` (ST-ProtoPNet).

    Raises:
        ValueError: If there is no such activation.
    """
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}")
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1), nn.ReLU(), nn.Conv2d(out_channels, out_channels, 1), ACTIVATIONS[activation]()
    )


def space_to_depth(maps: Float[Tensor, "B D H W"], height: int, width: int) -> Float[Tensor, "B E h w"]:
    """A finer map at the places of a coarser one: the positions of each place become channels; what is left over is cut off.

    Args:
        maps: A map with H >= h and W >= w.
        height: h.
        width: w.

    Raises:
        ValueError: If the map is coarser, or its sides shrink by different factors.
    """
    factor = maps.size(2) // height
    if factor < 1 or maps.size(3) // width != factor:
        raise ValueError(f"a map of {maps.size(2)}x{maps.size(3)} does not fit {height}x{width} places")
    return F.pixel_unshuffle(maps[:, :, : factor * height, : factor * width], factor)
