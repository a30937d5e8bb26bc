"""Planted interactions, whose communities tell what a user takes."""

from __future__ import annotations

import torch

from graphkit.data.interactions import Interactions
from graphkit.data.sources import DataRequest
from graphkit.data.splits.interactions import hold_out
from graphkit.data.splits.shares import Shares

COMMUNITIES = 20

USERS_EACH = 25

ITEMS_EACH = 25

LIKE_PROBABILITY = 0.5

STRAY_SHARE = 0.05


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
