"""Prototypes as Gaussians: an exact expected distance, samples, and how uncertain a prediction is and why.

Inspired by Prob-PSENN (arXiv 2403.13740), which replaces point prototypes by distributions. This is no reproduction: its
formulas were not available, and those below are ours.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from graphkit.prototypes.similarity import squared_distance


class Uncertainty(NamedTuple):
    """Entropies in nats; total = aleatoric + epistemic.

    Attributes:
        total: Entropy of the mean prediction.
        aleatoric: Mean entropy of the predictions: what stays if the prototypes were known.
        epistemic: The difference, the mutual information of class and prototypes; at least 0.
    """

    total: Float[Tensor, " B"]
    aleatoric: Float[Tensor, " B"]
    epistemic: Float[Tensor, " B"]


def expected_squared_distance(
    z: Float[Tensor, "*batch D"], mean: Float[Tensor, "M D"], log_variance: Float[Tensor, "M D"]
) -> Float[Tensor, "*batch M"]:
    """E |z - p|^2 = |z - mean|^2 + sum of the variances, for p ~ N(mean, diag(variance)); exact."""
    return squared_distance(z, mean) + log_variance.exp().sum(dim=1)


def draw(
    mean: Float[Tensor, "M D"], log_variance: Float[Tensor, "M D"], count: int, generator: torch.Generator
) -> Float[Tensor, "S M D"]:
    """Samples of all prototypes, mean + sigma * noise, through which gradients reach both parameters.

    Args:
        mean: Means.
        log_variance: Logarithms of the variances.
        count: S.
        generator: On the CPU, so that every device draws the same numbers.
    """
    noise = torch.randn(count, *mean.shape, generator=generator, dtype=mean.dtype).to(mean.device)
    return mean + (0.5 * log_variance).exp() * noise


def kl_to_standard_normal(mean: Float[Tensor, "M D"], log_variance: Float[Tensor, "M D"]) -> Float[Tensor, ""]:
    """Sum over prototypes of KL(N(mean, variance) || N(0, 1)) = 1/2 sum (mean^2 + variance - 1 - log variance); at least 0."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum()


def split_uncertainty(probabilities: Float[Tensor, "S B C"]) -> Uncertainty:
    """How uncertain predictions under S sampled sets of prototypes are.

    Args:
        probabilities: Class probabilities per set; rows sum to 1.
    """
    total = torch.special.entr(probabilities.mean(dim=0)).sum(dim=1)
    aleatoric = torch.special.entr(probabilities).sum(dim=2).mean(dim=0)
    return Uncertainty(total, aleatoric, (total - aleatoric).clamp(min=0.0))
