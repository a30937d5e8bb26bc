"""The part of each sample that is nearest to each prototype, exactly, by a matrix product and a few distances."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

MORE = 4
"""Candidates per sample and prototype, on average, beyond which comparing all pairs is as fast."""


def nearest_in_samples(
    z: Float[Tensor, "B P D"], mask: Bool[Tensor, "B P"], points: Float[Tensor, "M D"]
) -> Int[Tensor, "B M"] | None:
    """Positions of argmin over parts of |z - p|^2, of equal ones the first.

    A part is near where h = 2 <z, p> - |z|^2 = |p|^2 - |z - p|^2 is large, and h of all pairs is a matrix product. Its rounding
    error is at most (D + 4) eps (|z| + |p|)^2. So the nearest part is among those whose h is within twice that of the largest,
    which are few, and their distances are computed one by one.

    Args:
        z: Embeddings of parts.
        mask: Which parts exist; at least one of each sample.
        points: Prototypes.

    Returns:
        The positions; None where too many parts are about equally near, or a number is not finite.
    """
    samples, width, channels = z.shape
    rows, is_full = z.flatten(0, 1), bool(mask.all())
    squares = rows.square().sum(dim=1)
    h = torch.addmm(-squares.unsqueeze(1), rows, points.t(), alpha=2).view(samples, width, -1)
    if not is_full:
        h.masked_fill_(~mask.unsqueeze(2), -torch.inf)
    reach = squares.max().sqrt() + torch.linalg.vector_norm(points, dim=1)
    error = (channels + 4) * torch.finfo(h.dtype).eps * reach.square()
    least = h.amax(dim=1) - 2 * error
    if not bool(least.sum().isfinite()):
        return None
    sample, part, prototype = (h >= least.unsqueeze(1)).nonzero(as_tuple=True)
    pairs = least.numel()
    if sample.numel() > MORE * pairs:
        return None
    distance = (rows[sample * width + part] - points[prototype]).square().sum(dim=1)
    pair = sample * points.size(0) + prototype
    nearest = distance.new_full((pairs,), torch.inf).scatter_reduce(0, pair, distance, "amin")
    ties = (distance == nearest[pair]).nonzero().flatten()
    first: Tensor = part.new_full((pairs,), width).scatter_reduce(0, pair[ties], part[ties], "amin")
    return first.view(least.shape)
