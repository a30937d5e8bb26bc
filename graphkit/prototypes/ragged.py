"""The pools of `pooling` over parts that are stored one sample after the other, without padding."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from graphkit.errors import DataError
from graphkit.prototypes.pooling import Pooled


def pool_ragged(
    similarity: Float[Tensor, "T M"], ptr: Int[Tensor, " boundaries"], pool: str, *, top_k: int, sharpness: float
) -> Pooled:
    """From the similarities of all parts to one per sample and prototype; equal to pooling the padded parts.

    Memory is that of the parts that exist, where padding takes as many as the largest sample has for every sample.

    Args:
        similarity: One row per part.
        ptr: Where each sample begins, and the end: B + 1 numbers from 0 to T.
        pool: `max`, `top-k` or `log-sum-exp`.
        top_k: As of `top_k_pool`.
        sharpness: As of `log_sum_exp_pool`.

    Returns:
        The pooled similarity, and the position of the most similar part inside its sample.

    Raises:
        DataError: A sample has no part.
    """
    sizes = ptr.diff()
    if bool((sizes < 1).any()):
        raise DataError(f"sample {int((sizes < 1).nonzero()[0])} of the batch has no part: leave out samples without parts")
    owner = torch.repeat_interleave(torch.arange(sizes.numel(), device=ptr.device), sizes, output_size=similarity.size(0))
    row, best = _first_best(similarity.detach(), sizes, owner)
    part = row - ptr[:-1].unsqueeze(1)
    if pool == "top-k":
        return Pooled(_top_k(similarity, ptr, owner, top_k), part)
    if pool == "log-sum-exp":
        powers = torch.exp(sharpness * (similarity - best.index_select(0, owner)))
        total = torch.segment_reduce(powers, "sum", lengths=sizes, axis=0)
        return Pooled(best + (total / sizes.unsqueeze(1)).log() / sharpness, part)
    return Pooled(similarity.gather(0, row), part)  # every row and column is read once at most, so gradients need no sums


def _first_best(similarity: Tensor, sizes: Tensor, owner: Tensor) -> tuple[Tensor, Tensor]:
    """The row of the largest similarity of each sample, of equal ones the first [B, M], and its value."""
    count = similarity.size(0)
    best = torch.segment_reduce(similarity, "max", lengths=sizes, axis=0)
    rows = torch.arange(count, device=owner.device).unsqueeze(1)
    # A NaN must come out as one, and equals nothing.
    found = torch.where((similarity == best.index_select(0, owner)) | similarity.isnan(), rows, count)
    first = rows.new_full(best.shape, count).scatter_reduce(0, owner.unsqueeze(1).expand_as(found), found, "amin")
    return first, best


def _top_k(similarity: Tensor, ptr: Tensor, owner: Tensor, k: int) -> Tensor:
    """The mean of the k largest of each sample, of all where it has fewer."""
    falling = similarity.detach().sort(dim=0, descending=True, stable=True).indices
    by_sample = owner[falling].sort(dim=0, stable=True).indices
    order = falling.gather(0, by_sample)  # sample after sample, in each the largest first
    taken = torch.arange(owner.numel(), device=ptr.device) - ptr[owner] < k
    values = similarity.gather(0, order)[taken]
    sizes = ptr.diff().clamp(max=k)
    return torch.segment_reduce(values, "sum", lengths=sizes, axis=0) / sizes.unsqueeze(1)
