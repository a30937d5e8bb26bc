"""User-item interactions as LightGCN's authors publish them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from graphkit.data.interactions import Interactions
from graphkit.data.readers.rows import malformed
from graphkit.data.sources import DataRequest
from graphkit.data.splits.interactions import hold_out
from graphkit.errors import DataError

VALID_SHARE = 0.1
"""Share of each user's published training items that validation gets."""


def read(request: DataRequest) -> Interactions:
    """The published split, its training part with validation carved out.

    Args:
        request: What was asked for.

    Raises:
        DataError: If a file is damaged.
    """
    return read_published(request.first_file().parent, request.generator)


def read_published(folder: Path, generator: torch.Generator) -> Interactions:
    """Read a published split and carve validation out of its training part.

    Args:
        folder: Holds `train.txt` and `test.txt` (a line per user: its id, then its items) with the publisher's ids in
            `user_list.txt` and `item_list.txt`, or `data1.txt` and `test1.txt` (a line per interaction: user, item and a
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


def _read_lists(path: Path) -> Tensor:
    """Pairs [2, P] of a file with a line per user: user id, then item ids."""
    users: list[int] = []
    items: list[int] = []
    for number, line in enumerate(_lines(path), start=1):
        user, *own = _integers(path, number, line.split())
        users += [user] * len(own)
        items += own
    return _pairs(path, users, items)


def _read_weighted(path: Path) -> Tensor:
    """Pairs [2, P] of a file with a line per interaction: user and item, both from 1, and a weight."""
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


def _distinct(pairs: Tensor, num_items: int) -> Tensor:
    keys = torch.unique(_keys(pairs, num_items))
    return torch.stack([keys // num_items, keys % num_items])


def _keys(pairs: Tensor, num_items: int) -> Tensor:
    return pairs[0] * num_items + pairs[1]
