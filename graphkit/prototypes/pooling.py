"""From the similarities of all parts of a sample to one per prototype, and the part that it is from."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

POOLS = ("max", "top-k", "log-sum-exp")


class Pooled(NamedTuple):
    """The similarity of samples to prototypes.

    Attributes:
        similarity: One number per sample and prototype.
        part: Position of the most similar part; of equal ones the first.
    """

    similarity: Float[Tensor, "B M"]
    part: Int[Tensor, "B M"]


def max_pool(similarity: Float[Tensor, "B P M"], mask: Bool[Tensor, "B P"]) -> Pooled:
    """The most similar part decides: s_j = max over parts p of s_pj. Every sample needs a part."""
    best = _filled(similarity, mask).max(dim=1)
    return Pooled(best.values, best.indices)


def top_k_pool(similarity: Float[Tensor, "B P M"], mask: Bool[Tensor, "B P"], k: int) -> Pooled:
    """The mean of the k most similar parts; of all parts where a sample has fewer than k."""
    filled = _filled(similarity, mask)
    values = filled.topk(min(k, similarity.size(1)), dim=1).values
    exists = values > -math.inf
    mean = torch.where(exists, values, 0.0).sum(dim=1) / exists.sum(dim=1)
    return Pooled(mean, filled.max(dim=1).indices)


def log_sum_exp_pool(similarity: Float[Tensor, "B P M"], mask: Bool[Tensor, "B P"], sharpness: float) -> Pooled:
    """A smooth maximum: s_j = log(mean over parts p of exp(g s_pj)) / g.

    The mean rather than the sum keeps samples of many and of few parts comparable. It lies between the mean and the maximum,
    and tends to the maximum as g grows.
    """
    filled = _filled(similarity, mask)
    count = mask.sum(dim=1, keepdim=True).to(similarity.dtype)
    return Pooled((torch.logsumexp(sharpness * filled, dim=1) - count.log()) / sharpness, filled.max(dim=1).indices)


def _filled(similarity: Tensor, mask: Tensor) -> Tensor:
    # Multiplying by the mask instead would let padding win where all similarities are negative.
    return similarity.masked_fill(~mask.unsqueeze(2), -math.inf)
