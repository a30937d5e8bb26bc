"""Prototypes in the code of an autoencoder, which are shown by decoding them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypedDict

import torch
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least
from graphkit.models.image.base import ImageModel, ImageView
from graphkit.prototypes import Branch, DistanceHead, PartBatch, PrototypeBank, losses

_KERNEL = 3


class AutoencoderOptions(TypedDict, total=False):
    """Arguments of `PrototypeAutoencoder` that other models pass on."""

    num_prototypes: int
    hidden_channels: int
    code_channels: int
    fidelity: float
    reconstruction: float
    near_sample: float
    near_prototype: float


class _Coder(nn.Module):
    """A convolutional autoencoder: 3x3 convolutions of stride 2, and their mirror; its code is the last map, flattened.

    Args:
        in_channels: Channels of the images.
        size: Height and width.
        widths: Channels after every convolution.
    """

    def __init__(self, in_channels: int, size: tuple[int, int], widths: Sequence[int]) -> None:
        super().__init__()
        sizes, channels = [size], [in_channels, *widths]
        for _ in widths:
            sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
        down: list[nn.Module] = []
        for one, other in zip(channels, channels[1:], strict=False):
            down += [nn.Conv2d(one, other, _KERNEL, stride=2, padding=1), nn.ReLU()]
        up: list[nn.Module] = []
        for layer in reversed(range(len(widths))):
            (height, width), (small_height, small_width) = sizes[layer], sizes[layer + 1]
            rest = (height - 2 * small_height + 1, width - 2 * small_width + 1)
            up += [
                nn.ConvTranspose2d(channels[layer + 1], channels[layer], _KERNEL, stride=2, padding=1, output_padding=rest),
                nn.ReLU() if layer else nn.Sigmoid(),
            ]
        self.encoder, self.decoder = nn.Sequential(*down), nn.Sequential(*up)
        self.shape = (channels[-1], *sizes[-1])
        self.channels = channels[-1] * sizes[-1][0] * sizes[-1][1]

    def encode(self, images: Tensor) -> Tensor:
        """Codes [B, channels]."""
        code: Tensor = self.encoder(images)
        return code.flatten(1)

    def decode(self, code: Tensor) -> Tensor:
        """Images [B, C, H, W] in [0, 1]."""
        images: Tensor = self.decoder(code.view(-1, *self.shape))
        return images


class PrototypeAutoencoder(ImageModel):
    """Scores from the squared distances of an image's code to prototypes, which a decoder can show.

    L = fidelity L_task + reconstruction |decode(f(x)) - x|^2 + near_sample R1 + near_prototype R2: prototypes near codes, and
    codes near prototypes, see `graphkit.prototypes.losses`. Prototypes have no class and are not projected; a large negative
    weight of the head on a distance marks the class.

    Args:
        in_channels: Channels of the images.
        out_channels: Number of scores per image.
        size: Height and width of the images.
        num_prototypes: Prototypes of the model.
        hidden_channels: Channels of the first three maps.
        code_channels: Channels of the last map.
        fidelity: Weight of the task's loss.
        reconstruction: Weight of the decoder's squared error, a sum over pixels.
        near_sample: Weight of R1.
        near_prototype: Weight of R2.

    Raises:
        ValueError: A number out of its range.

    Source: Li et al., Deep Learning for Case-Based Reasoning through Prototypes, AAAI 2018.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        size: tuple[int, int],
        *,
        num_prototypes: int = 15,
        hidden_channels: int = 32,
        code_channels: int = 10,
        fidelity: float = 20.0,
        reconstruction: float = 1.0,
        near_sample: float = 1.0,
        near_prototype: float = 1.0,
    ) -> None:
        super().__init__(in_channels)
        check_at_least(1, num_prototypes=num_prototypes, hidden_channels=hidden_channels, code_channels=code_channels)
        check_at_least(0, fidelity=fidelity, reconstruction=reconstruction)
        check_at_least(0, near_sample=near_sample, near_prototype=near_prototype)
        self.coder = _Coder(in_channels, size, [hidden_channels] * 3 + [code_channels])
        self.bank = self.make_bank(torch.ones(num_prototypes, out_channels, dtype=torch.bool, device="cpu"))
        self.head: DistanceHead = DistanceHead(num_prototypes, out_channels)
        self.size = size
        self.fidelity, self.reconstruction = fidelity, reconstruction
        self.near_sample, self.near_prototype = near_sample, near_prototype

    def make_bank(self, identity: Tensor) -> PrototypeBank:
        """The prototypes: points."""
        return PrototypeBank(identity, self.coder.channels, similarity="negative-l2")

    def embed(self, images: Tensor) -> Tensor:
        """Codes of the images [B, D]."""
        return self.coder.encode(self.standardized(images))

    def forward(self, images: Tensor) -> Tensor:
        """Scores of the images [B, out_channels]."""
        scores: Tensor = self.head(self.bank(PartBatch.of_nodes(self.embed(images))).similarity)
        return scores

    def decoded_prototypes(self) -> Tensor:
        """The prototypes as images [M, C, H, W]."""
        return self.coder.decode(self.bank.weight)

    def provenance(self, view: ImageView) -> dict[str, Tensor]:
        """The prototypes as images, `decoded_prototypes`."""
        return {"decoded_prototypes": self.decoded_prototypes()}

    def branches(self, images: Tensor, samples: Tensor) -> list[Branch]:
        """What `graphkit.prototypes.explain_branches` asks for: an image is its only part."""
        return [Branch(PartBatch.of_nodes(self.embed(images), samples), self.bank, self.coder)]

    def training_loss(self, images: Tensor, y: Tensor, loss: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """See the class."""
        code = self.embed(images)
        parts = PartBatch.of_nodes(code)
        total = self.fidelity * self.task_loss(parts, y, loss)
        total = total + self.reconstruction * losses.reconstruction(self.coder.decode(code), images)
        distance = -self.bank(parts).similarity
        total = total + self.near_sample * losses.nearest_sample(distance)
        return total + self.near_prototype * losses.nearest_prototype(distance)

    def task_loss(self, parts: PartBatch, y: Tensor, loss: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """The task's loss of the parts of images."""
        return loss(self.head(self.bank(parts).similarity), y)
