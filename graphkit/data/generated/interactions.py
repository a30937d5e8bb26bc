"""Planted interactions, whose communities tell what a user takes: for good, or for a day."""

from __future__ import annotations

import torch
from torch import Tensor

from graphkit.data.interactions import Interactions
from graphkit.data.sources import DataRequest
from graphkit.data.splits.interactions import hold_out
from graphkit.data.splits.shares import Shares
from graphkit.data.splits.time import split_by_time

COMMUNITIES = 20

USERS_EACH = 25

ITEMS_EACH = 25

LIKE_PROBABILITY = 0.5

STRAY_SHARE = 0.05

DAYS = 10

GROUPS = 10
"""Communities of planted days, which are larger: what is taken on one day must show what others take on it."""

LIKED_A_DAY = 20

TAKEN = (4, 12)
"""Items of a user on the earlier and the later of two days."""


def read(request: DataRequest) -> Interactions:
    """Planted interactions, drawn and split by the seed.

    Args:
        request: What was asked for.
    """
    return planted_interactions(request.shares, request.generator)


def planted_interactions(shares: Shares, generator: torch.Generator) -> Interactions:
    """Communities of users and items: who belongs to which tells what a user takes, but for a few strays.

    Users and items belong to 20 communities of 25 users and 25 items each, by their number modulo 20. A user takes an item of
    the own community with probability 1/2; 5 % more interactions join a user and an item of two communities at random. At most
    25 items are worth recommending to anyone, so a model that has found the communities finds nearly all test items that are
    no strays among its first 20, where the most popular items find one in twenty.

    Args:
        shares: Shares of training, validation and test of each user's items.
        generator: Source of randomness.

    Returns:
        500 users, 500 items, about 6,600 interactions.
    """
    num_users, num_items = COMMUNITIES * USERS_EACH, COMMUNITIES * ITEMS_EACH
    inside = (torch.arange(num_users) % COMMUNITIES).view(-1, 1) == torch.arange(num_items) % COMMUNITIES
    taken = inside & (torch.rand(num_users, num_items, generator=generator) < LIKE_PROBABILITY)
    outside = (~inside).nonzero()
    strays = outside[torch.randperm(len(outside), generator=generator)[: round(STRAY_SHARE * int(taken.sum()))]]
    taken[strays[:, 0], strays[:, 1]] = True
    train, valid, test = hold_out(taken.nonzero().T.contiguous(), shares, generator)
    return Interactions({"train": train, "valid": valid, "test": test}, num_users, num_items)


def read_days(request: DataRequest) -> Interactions:
    """Planted days, drawn by the seed and split as `data.time_split` says.

    Args:
        request: What was asked for.
    """
    pairs, day = planted_days(request.generator)
    how = request.options.time_split or "global"
    split = split_by_time(pairs, day.double(), request.shares, request.generator, how=how, date=lambda day: f"day {day:g}")
    return Interactions(
        split.parts,
        COMMUNITIES * USERS_EACH,
        COMMUNITIES * ITEMS_EACH,
        split=split.name,
        earlier=split.earlier,
        remarks=(split.remark,),
    )


def planted_days(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Interactions of ten days, on each of which a community takes to other items: the past tells nothing of a day to come.

    Of 500 items each of 10 communities of 50 users likes 20 on a day, no item is liked by two, and all is drawn again for each
    day. A user joins on one of the first nine days, is active on two days from then on, and takes 4 items that the community
    likes on the earlier and 12 on the later one. A model that sees how others spent a day finds what a user takes then among 20
    items; one that sees earlier days alone is left with all 500.

    Args:
        generator: Source of randomness.

    Returns:
        Distinct (user, item) pairs [2, P], sorted by user, then item, and the first day of each, from 0 on [P]; about 8,000.
    """
    num_users, num_items = COMMUNITIES * USERS_EACH, COMMUNITIES * ITEMS_EACH
    liked = torch.rand(DAYS, num_items, generator=generator).argsort(dim=1)[:, : GROUPS * LIKED_A_DAY]
    joined = torch.randint(DAYS - 1, (num_users, 1), generator=generator)
    days = torch.rand(num_users, DAYS, generator=generator).masked_fill(torch.arange(DAYS) < joined, 2.0)
    days = days.argsort(dim=1)[:, :2].sort(dim=1).values.repeat_interleave(torch.tensor(TAKEN), dim=1)
    ranks = torch.rand(num_users, 2, LIKED_A_DAY, generator=generator).argsort(dim=2)
    ranks = torch.cat([ranks[:, day, :taken] for day, taken in enumerate(TAKEN)], dim=1)
    group = (torch.arange(num_users) % GROUPS).view(-1, 1)
    items = liked.view(DAYS, GROUPS, LIKED_A_DAY)[days, group, ranks]
    first = torch.full((num_users, num_items), DAYS).scatter_reduce(1, items, days, "amin")
    pairs = (first < DAYS).nonzero().T.contiguous()
    return pairs, first[pairs[0], pairs[1]]
