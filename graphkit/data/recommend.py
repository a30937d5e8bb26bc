"""User-item interactions: published files, splits user by user, and the bipartite graph of the training part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from graphkit.data.rows import malformed
from graphkit.data.splits import Shares, both_directions
from graphkit.errors import DataError

VALID_SHARE = 0.1
"""Share of each user's published training items that validation gets."""

COMMUNITIES = 20
USERS_EACH = 25
ITEMS_EACH = 25
LIKE_PROBABILITY = 0.5
STRAY_SHARE = 0.05


@dataclass(frozen=True)
class Interactions:
    """Who took what, each pair once.

    Attributes:
        splits: `train`, `valid` and `test`, each [2, P] (user, item), sorted; items are numbered from 0.
        num_users: Number of users.
        num_items: Number of items.
        user_names: The publisher's ids of the users in index order, where known.
        item_names: The same of the items.
    """

    splits: dict[str, Tensor]
    num_users: int
    num_items: int
    user_names: tuple[str, ...] = ()
    item_names: tuple[str, ...] = ()


def read_published(folder: Path, generator: torch.Generator) -> Interactions:
    """Read a published split and carve validation out of its training part.

    Args:
        folder: Holds `train.txt` and `test.txt` (a line a user: its id, then its items) with the publisher's ids in
            `user_list.txt` and `item_list.txt`, or `data1.txt` and `test1.txt` (a line an interaction: user, item and a
            weight, ids from 1, weights not used).
        generator: Draws validation.

    Raises:
        DataError: If a line is malformed, or training and test share an interaction.
    """
    by_user = (folder / "train.txt").is_file()
    paths = [folder / name for name in (("train.txt", "test.txt") if by_user else ("data1.txt", "test1.txt"))]
    train, test = (_read_lists(path) if by_user else _read_weighted(path) for path in paths)
    num_users, num_items = (int(torch.cat([train[side], test[side]]).max()) + 1 for side in (0, 1))
    train, test = _distinct(train, num_items), _distinct(test, num_items)
    leaked = int(torch.isin(_keys(test, num_items), _keys(train, num_items)).sum())
    if leaked:
        raise DataError(f"{paths[1]} shares {leaked} interactions with {paths[0].name}: a split must be disjoint")
    train, valid = hold_out(train, (1.0 - VALID_SHARE, VALID_SHARE), generator)
    if by_user:
        names = _read_names(folder / "user_list.txt", num_users), _read_names(folder / "item_list.txt", num_items)
    else:
        names = _numbers_from_one(num_users), _numbers_from_one(num_items)
    return Interactions({"train": train, "valid": valid, "test": test}, num_users, num_items, *names)


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
    users = pairs[0]
    order = torch.randperm(users.numel(), generator=generator)
    if time is not None:
        order = order[torch.argsort(time[order], stable=True)]
    order = order[torch.argsort(users[order], stable=True)]
    counts = torch.bincount(users)
    owner = users[order]
    rank = torch.arange(users.numel()) - (counts.cumsum(0) - counts)[owner]  # place among the user's own
    parts, end = [], counts
    for share in reversed(shares[1:]):
        begin = end - (counts.double() * share + 0.5 + 1e-9).long()  # a half that rounding has missed counts as a half
        parts.append(order[(rank >= begin[owner]) & (rank < end[owner])])
        end = begin
    parts.append(order[rank < end[owner]])
    return [_sorted(pairs[:, part]) for part in reversed(parts)]


def bipartite(interactions: Interactions) -> Data:
    """The message passing graph of the P training interactions: U users first, then I items, both directions.

    Returns:
        `Data` with `edge_index` [2, 2P], `num_nodes` = U + I, `num_users` and `num_items`.
    """
    num_users, num_items = interactions.num_users, interactions.num_items
    users, items = interactions.splits["train"]
    edge_index = both_directions(torch.stack([users, items + num_users]), num_users + num_items)
    return Data(edge_index=edge_index, num_nodes=num_users + num_items, num_users=num_users, num_items=num_items)


def notes(interactions: Interactions) -> list[str]:
    """A sentence on users and items that no model can have learned about, where there are any."""
    train = interactions.splits["train"]
    sizes = ("users", interactions.num_users), ("items", interactions.num_items)
    unseen = [(total - train[side].unique().numel(), total, what) for side, (what, total) in enumerate(sizes)]
    counted = [f"{missing:,} of {total:,} {what}" for missing, total, what in unseen if missing]
    return [f"Without any training interaction: {' and '.join(counted)}."] if counted else []


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


GENERATORS: dict[str, Callable[[Shares, torch.Generator], Interactions]] = {"planted-interactions": planted_interactions}


def _read_lists(path: Path) -> Tensor:
    """Pairs [2, P] of a file with a line a user: user id, then item ids."""
    users: list[int] = []
    items: list[int] = []
    for number, line in enumerate(_lines(path), start=1):
        user, *own = _integers(path, number, line.split())
        users += [user] * len(own)
        items += own
    return _pairs(path, users, items)


def _read_weighted(path: Path) -> Tensor:
    """Pairs [2, P] of a file with a line an interaction: user and item, both from 1, and a weight."""
    users: list[int] = []
    items: list[int] = []
    for number, line in enumerate(_lines(path), start=1):
        fields = line.split()
        if len(fields) != 3:
            raise malformed(
                path, number, min(len(fields), 3) + 1, f"expected user, item and weight, found {len(fields)} fields"
            )
        user, item = _integers(path, number, fields[:2], lowest=1)
        users.append(user - 1)
        items.append(item - 1)
    return _pairs(path, users, items)


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as text ({error}): restore the published file") from error
    while lines and not lines[-1].strip():
        lines.pop()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            raise malformed(path, number, 1, "expected ids, found an empty line")
    return lines


def _integers(path: Path, line: int, fields: list[str], lowest: int = 0) -> list[int]:
    together = "".join(fields)
    numbers = list(map(int, fields)) if together.isascii() and together.isdigit() else []
    if not numbers or min(numbers) < lowest:
        good = [field.isascii() and field.isdigit() and int(field) >= lowest for field in fields]
        column = good.index(False)
        raise malformed(path, line, column + 1, f"expected an id, an integer from {lowest} on, found {fields[column]!r}")
    return numbers


def _pairs(path: Path, users: list[int], items: list[int]) -> Tensor:
    if not users:
        raise DataError(f"{path} holds no interaction")
    return torch.from_numpy(np.array([users, items]))


def _read_names(path: Path, count: int) -> tuple[str, ...]:
    """The publisher's ids: below a header, rows of an id and its index, indices ascending from 0."""
    rows = [line.split() for line in _lines(path)[1:]]
    if len(rows) != count or any(len(row) != 2 or row[1] != str(index) for index, row in enumerate(rows)):
        raise DataError(f"{path} must hold a header and then {count} rows, each an id and its index from 0 on")
    return tuple(row[0] for row in rows)


def _numbers_from_one(count: int) -> tuple[str, ...]:
    return tuple(str(number) for number in range(1, count + 1))


def _sorted(pairs: Tensor) -> Tensor:
    return pairs[:, np.lexsort((pairs[1].numpy(), pairs[0].numpy()))]


def _distinct(pairs: Tensor, num_items: int) -> Tensor:
    keys = torch.unique(_keys(pairs, num_items))
    return torch.stack([keys // num_items, keys % num_items])


def _keys(pairs: Tensor, num_items: int) -> Tensor:
    return pairs[0] * num_items + pairs[1]
