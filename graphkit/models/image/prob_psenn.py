"""Prototypes that are Gaussians in the code of an autoencoder: a prediction knows how uncertain it is, and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Unpack

import torch
from torch import Tensor

from graphkit.layers.checks import check_at_least
from graphkit.models.image.prototype_autoencoder import AutoencoderOptions, PrototypeAutoencoder
from graphkit.prototypes import PartBatch, PrototypeBank
from graphkit.prototypes.gaussian import Uncertainty, kl_to_standard_normal, split_uncertainty


class ProbPSENN(PrototypeAutoencoder):
    """`PrototypeAutoencoder` with prototypes p_j ~ N(mu_j, diag(sigma_j^2)).

    The task's loss is the mean over drawn sets of prototypes, and beta sum_j KL(N(mu_j, sigma_j^2) || N(0, 1)) is added.
    Predictions are by the expected squared distance, which is exact.

    Inspired by Prob-PSENN (arXiv:2403.13740), no reproduction: its formulas were not available.

    Args:
        in_channels: Channels of the images.
        out_channels: Number of scores per image.
        size: Height and width of the images.
        samples: Sets of prototypes that are drawn per step.
        beta: Weight of the divergence from the standard normal distribution.
        **options: See `PrototypeAutoencoder`.

    Raises:
        ValueError: A number out of its range.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        size: tuple[int, int],
        *,
        samples: int = 5,
        beta: float = 1e-3,
        **options: Unpack[AutoencoderOptions],
    ) -> None:
        super().__init__(in_channels, out_channels, size, **options)
        check_at_least(1, samples=samples)
        check_at_least(0, beta=beta)
        self.samples, self.beta = samples, beta

    def make_bank(self, identity: Tensor) -> PrototypeBank:
        """The prototypes: Gaussians."""
        return PrototypeBank(identity, self.coder.channels, similarity="negative-l2", is_gaussian=True)

    def task_loss(self, parts: PartBatch, y: Tensor, loss: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """The mean loss over drawn sets of prototypes, and the divergence."""
        # Seeded by the global generator, whose state a checkpoint keeps.
        generator = torch.Generator().manual_seed(int(torch.randint(2**62, ())))
        drawn = self.bank.sampled(parts, self.samples, generator)
        mean = torch.stack([loss(self.head(similarity), y) for similarity in drawn]).mean()
        variance: Tensor = self.bank.log_variance  # type: ignore[assignment]
        return mean + self.beta * kl_to_standard_normal(self.bank.weight, variance)

    @torch.no_grad()
    def uncertainty(self, images: Tensor, count: int, generator: torch.Generator) -> Uncertainty:
        """How uncertain the classes of images are, in nats, and how much of it is due to the prototypes.

        Args:
            images: Images [B, C, H, W].
            count: Sets of prototypes that are drawn.
            generator: On the CPU.
        """
        drawn = self.bank.sampled(PartBatch.of_nodes(self.embed(images)), count, generator)
        return split_uncertainty(torch.stack([self.head(similarity).softmax(dim=1) for similarity in drawn]))
