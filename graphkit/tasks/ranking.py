"""Full ranking of items for users, block by block."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from graphkit.errors import RunError
from graphkit.sparse import CSR, UnrankedScore, top_columns

_SCORES = 1 << 23
"""Scores that a block of users may have: 32 MiB in float32. Larger blocks are not faster, they leave the processor's cache."""
_LEAST = 16
"""A product of fewer rows takes another path through the linear algebra library, which rounds differently."""


def rank_items(
    scores: Callable[[Tensor], Tensor], users: Tensor, num_items: int, k: int, seen: CSR | None = None, block: int = 0
) -> tuple[Tensor, Tensor]:
    """The k best items of each user among those the user has not been seen with; users x items is never in memory.

    Ties go to the lower item, an item scored -inf is ranked last. The block size changes nothing.

    Args:
        scores: Gives the scores [B, num_items] of users [B].
        users: Users [U], int64, on the device of the scores.
        num_items: Number of items.
        k: Items wanted, at least 1.
        seen: Items to leave out, users x items, on the same device.
        block: Users scored at a time; 0, or more than keep a block of scores within 32 MiB: as many as do.

    Returns:
        Scores [U, k], best first, and items [U, k], int64; -inf and -1 where no item is left.

    Raises:
        RunError: If a score is NaN.
    """
    size = max(1, _SCORES // max(1, num_items))
    if block:
        size = min(size, block)
    # Results have a place of their own from the start: made between two blocks of scores, they would lie in the memory that the
    # first leaves, and the next block would have to take new one.
    items = users.new_empty(users.numel(), k)
    best: Tensor | None = None
    for start in range(0, users.numel(), size):
        part = users[start : start + size]
        asked = part if len(part) >= _LEAST else torch.cat([part, part[-1:].expand(_LEAST - len(part))])
        found = scores(asked)[: len(part)]
        try:
            top = top_columns(found, k, seen, part)
        except UnrankedScore as error:
            raise RunError("the model scores items with NaN: lower train.lr or use precision=32-true") from error
        del found  # before the next block is made
        if best is None:
            best = top[0].new_empty(users.numel(), k)
        best[start : start + size], items[start : start + size] = top
    return torch.empty(0, k, device=users.device) if best is None else best, items
