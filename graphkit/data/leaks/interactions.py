"""Leaks of recommendation: interactions that are in two splits, and a user's future in training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import torch
from torch import Tensor

from graphkit.data.leaks.nodes import in_two
from graphkit.data.leaks.report import Finding, LeakReport, named, some

FUTURE = "a user's future in training"
_WHAT = "interaction"


def check_interactions(
    splits: Mapping[str, Tensor],
    num_items: int,
    *,
    times: Mapping[str, Tensor] | None = None,
    user_names: Sequence[str] = (),
    item_names: Sequence[str] = (),
) -> LeakReport:
    """Look for leaks between the interactions of splits.

    Args:
        splits: (user, item) pairs [2, P] of `train`, `valid` and `test`.
        num_items: Number of items.
        times: When each interaction happened [P], in any unit; None: that is not known.
        user_names: Names of the users in index order; empty: they go by number.
        item_names: Names of the items.
    """
    findings = list(_overlaps(splits, num_items, user_names, item_names))
    if times is None:
        return LeakReport((in_two(_WHAT),), tuple(findings), (), {FUTURE: "the interactions have no times"})
    findings += _future(splits, times, user_names)
    return LeakReport((in_two(_WHAT), FUTURE), tuple(findings))


def _overlaps(
    splits: Mapping[str, Tensor], num_items: int, user_names: Sequence[str], item_names: Sequence[str]
) -> Iterator[Finding]:
    user, item = named(user_names), named(item_names)
    for one, other in combinations(splits, 2):
        first, second = (splits[split][0] * num_items + splits[split][1] for split in (one, other))
        both = splits[other][:, torch.isin(second, first)]
        if both.size(1):
            examples = tuple(f"{user(u)} - {item(i)}" for u, i in both[:, :3].t().tolist())
            sentence = f"{both.size(1):,} of {second.numel():,} {other} interactions are {one} interactions, too"
            yield Finding(in_two(_WHAT), sentence, both.size(1), examples)


def _future(splits: Mapping[str, Tensor], times: Mapping[str, Tensor], user_names: Sequence[str]) -> Iterator[Finding]:
    """Users with a training interaction later than one that is held out."""
    num_users = 1 + max(int(part[0].max()) if part.numel() else -1 for part in splits.values())
    latest = _per_user(splits["train"][0], times["train"], num_users, "amax", -torch.inf)
    for split in ("valid", "test"):
        users = splits[split][0].unique()
        earliest = _per_user(splits[split][0], times[split], num_users, "amin", torch.inf)
        seen = users[latest[users] > earliest[users]]
        if seen.numel():
            sentence = f"{seen.numel():,} of {users.numel():,} users have training interactions later than {split} ones"
            yield Finding(FUTURE, sentence, seen.numel(), some(seen, named(user_names)))


def _per_user(users: Tensor, time: Tensor, num_users: int, reduce: str, empty: float) -> Tensor:
    return torch.full((num_users,), empty, dtype=torch.float64).scatter_reduce(0, users, time.double(), reduce)
