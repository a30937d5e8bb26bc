"""Splits of interactions by time: at one date for all users, or each user's latest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from graphkit.data.splits.interactions import hold_out, in_turn
from graphkit.data.splits.shares import Shares

_PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class TimeSplit:
    """Interactions split by time.

    Attributes:
        parts: `train`, `valid` and `test`, pairs [2, P] sorted by user, then item.
        earlier: Of a split at one date, see `graphkit.data.interactions.Interactions`; else empty.
        name: The setting that gives this split.
        remark: How it was made, and what it means for a figure, in plain sentences.
    """

    parts: dict[str, Tensor]
    earlier: dict[str, Tensor]
    name: str
    remark: str


def split_by_time(
    pairs: Tensor, time: Tensor, shares: Shares, generator: torch.Generator, *, how: str, date: Callable[[float], str]
) -> TimeSplit:
    """Split interactions by time.

    Args:
        pairs: Distinct (user, item) pairs [2, P], sorted by user, then item.
        time: When each pair happened [P], float64.
        shares: Shares of training, validation and test: of all interactions, or of each user's.
        generator: Draws the order of a user's pairs of one moment.
        how: `global`: at one date for all users; `user`: each user's latest items are held out.
        date: How a moment is written.

    Raises:
        ValueError: If one date for all is asked for, and there are fewer than three distinct moments.
    """
    name = f"time_split={how}"
    if how == "user":
        places = hold_out(torch.stack([pairs[0], torch.arange(pairs.size(1))]), shares, generator, time)
        train, valid, test = (part[1] for part in places)
        later = later_share(time[test], time[train])
        remark = (
            f"Each user's items were split by time (data.{name}): each user's latest items are test, those before them "
            "validation. Other users' later interactions are in training: a test interaction is earlier than "
            f"{100 * later:.0f} % of training, on average."
        )
        earlier: dict[str, Tensor] = {}
    else:
        dates = split_dates(time, shares)
        train, valid, test = split_at(time, dates)
        earlier = {part: earlier_half(pairs[0, at], time[at], generator) for part, at in (("valid", valid), ("test", test))}
        remark = (
            f"All users' items were split by time at one date for all (data.{name}): validation begins with {date(dates[0])}, "
            f"test with {date(dates[1])}, and training ends before. Users without a training interaction do not count under "
            "valid and test. Those of test are judged apart, under new users: the model scores them by fold-in from what they "
            "took before, the earlier half of their test items among it, and the other half is to be found."
        )
    parts = dict(zip(_PARTS, (pairs[:, places] for places in (train, valid, test)), strict=True))
    return TimeSplit(parts, earlier, name, remark)


def split_dates(time: Tensor, shares: tuple[float, ...]) -> list[float]:
    """The dates that split the interactions of all users alike: the first moment of each part after the first.

    A part begins where the share of interactions before it is nearest to the wanted one, the earlier date of two. What happened
    at one moment stays together, and no part is empty.

    Args:
        time: When each pair happened [P].
        shares: Share of each part; they sum to 1.

    Raises:
        ValueError: If there are fewer distinct moments than parts.
    """
    moments, counts = np.unique(time.numpy(), return_counts=True)
    if len(moments) < len(shares):
        raise ValueError(f"{len(shares)} parts need as many distinct times, got {len(moments)}")
    before, end, dates = counts.cumsum() - counts, len(moments), []
    for part in reversed(range(1, len(shares))):
        wanted = time.numel() * sum(shares[:part])
        end = part + int(np.abs(before[part:end] - wanted).argmin())
        dates.append(float(moments[end]))
    return dates[::-1]


def split_at(time: Tensor, dates: list[float]) -> list[Tensor]:
    """The places [P] of what happened before the first date, from there to the second, and so on."""
    part = torch.bucketize(time, torch.tensor(dates, dtype=time.dtype), right=True)
    return [(part == number).nonzero().flatten() for number in range(len(dates) + 1)]


def earlier_half(users: Tensor, time: Tensor, generator: torch.Generator) -> Tensor:
    """Whether each pair [P] is among the earlier half of its user's, rounded down; of one moment some are drawn.

    Args:
        users: The user of each pair [P].
        time: When it happened [P].
        generator: Draws the order of a user's pairs of one moment.
    """
    order, rank = in_turn(users, generator, time)
    half = torch.bincount(users)[users[order]] // 2
    return torch.empty(users.numel(), dtype=torch.bool).index_copy(0, order, rank < half)


def later_share(time: Tensor, others: Tensor) -> float:
    """The share of `others` [Q] that happened after a moment of `time` [P], on average over these."""
    if not time.numel() or not others.numel():
        return 0.0
    later = others.numel() - torch.searchsorted(others.sort().values, time, right=True)
    return float(later.double().mean()) / others.numel()
