"""Splits of interactions, user by user; `splits.time` has those by time."""

from __future__ import annotations

import torch
from torch import Tensor


def hold_out(pairs: Tensor, shares: tuple[float, ...], generator: torch.Generator, time: Tensor | None = None) -> list[Tensor]:
    """Split each user's items, at random or by time.

    Of a user's n items each part after the first gets share * n, rounded to nearest, halves up; the first gets the rest.

    Args:
        pairs: Distinct (user, item) pairs [2, P].
        shares: Share of each part; they sum to 1.
        generator: Source of randomness.
        time: When each pair happened [P]: the last part gets a user's latest, and so on; items of one time in random order.

    Returns:
        The parts, each sorted by user, then item.
    """
    order, rank = in_turn(pairs[0], generator, time)
    counts, owner = torch.bincount(pairs[0]), pairs[0][order]
    parts, end = [], counts
    for share in reversed(shares[1:]):
        begin = end - (counts.double() * share + 0.5 + 1e-9).long()  # a half that rounding has missed counts as a half
        parts.append(order[(rank >= begin[owner]) & (rank < end[owner])])
        end = begin
    parts.append(order[rank < end[owner]])
    return [sorted_pairs(pairs[:, part]) for part in reversed(parts)]


def sorted_pairs(pairs: Tensor) -> Tensor:
    """Pairs in the order of users, then items."""
    items = int(pairs[1].max()) + 1 if pairs.numel() else 1
    keys, _ = (pairs[0] * items + pairs[1]).sort()
    return torch.stack([keys // items, keys % items])


def in_turn(users: Tensor, generator: torch.Generator, time: Tensor | None) -> tuple[Tensor, Tensor]:
    """Pairs [P] user by user, each user's by time or at random, and the place of each among the user's own."""
    order = torch.randperm(users.numel(), generator=generator)
    if time is not None:
        order = order[torch.argsort(time[order], stable=True)]
    order = order[torch.argsort(users[order], stable=True)]
    counts = torch.bincount(users)
    return order, torch.arange(users.numel()) - (counts.cumsum(0) - counts)[users[order]]
