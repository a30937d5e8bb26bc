"""A user's own interactions from a CSV file with a header: ids mapped and kept, ratings thresholded, time respected."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from graphkit.data.interactions import Interactions
from graphkit.data.own.graph import number
from graphkit.data.readers.inputs import InputFile
from graphkit.data.readers.rows import malformed, node_id, read_rows, repeated_header
from graphkit.data.splits.interactions import hold_out
from graphkit.data.splits.shares import Shares
from graphkit.errors import DataError, shown


@dataclass(frozen=True)
class Columns:
    """What the header calls things.

    Attributes:
        user: Column of user ids, any text.
        item: Column of item ids, any text.
        rating: Column of ratings, numbers; without `min_rating` it may be missing, and only a note comes of it.
        min_rating: Interactions rated lower are left out; None: all count.
        time: Column of times, numbers or ISO 8601 (without a zone: UTC); None: the split is random.
    """

    user: str = "user"
    item: str = "item"
    rating: str = "rating"
    min_rating: float | None = None
    time: str | None = None


@dataclass
class Table:
    """Rows that count: numbers of users and items in order of appearance, and times, all zero without a column."""

    users: dict[str, int]
    items: dict[str, int]
    user: array[int]
    item: array[int]
    time: array[float]
    low: int = 0
    unused: array[float] | None = None


def read_interactions(
    path: Path, columns: Columns, shares: Shares, generator: torch.Generator
) -> tuple[Interactions, tuple[str, ...], tuple[str, ...]]:
    """Read interactions and split each user's items: `read_table`, then `split_table`."""
    return split_table(read_table(path, columns), columns, shares, generator)


def split_table(
    table: Table, columns: Columns, shares: Shares, generator: torch.Generator
) -> tuple[Interactions, tuple[str, ...], tuple[str, ...]]:
    """Split each user's items.

    Users and items are numbered in numerical order of their ids where all are integers, else alphabetically. Of repeated pairs
    the earliest counts. With times a user's latest items are test, those before them validation.

    Args:
        table: What was read.
        columns: The names that it was read by.
        shares: Shares of training, validation and test of each user's items.
        generator: Draws the split, and the order of a user's items of the same time.

    Returns:
        The interactions with the user's own ids; sentences on what was left out and how the split was made; sentences on
        ratings that are there but were not asked for.
    """
    users, user_names = _renumber(table.users, table.user)
    items, item_names = _renumber(table.items, table.item)
    time = np.frombuffer(table.time, dtype=np.float64)
    earliest = np.lexsort((time, items, users))
    keys = users[earliest] * len(item_names) + items[earliest]
    first = earliest[np.concatenate([[True], keys[1:] != keys[:-1]])]
    pairs = torch.from_numpy(np.stack([users[first], items[first]]))
    when: Tensor | None = torch.from_numpy(time[first]) if columns.time else None
    train, valid, test = hold_out(pairs, shares, generator, when)
    splits = {"train": train, "valid": valid, "test": test}
    read = Interactions(splits, len(user_names), len(item_names), user_names, item_names)
    dropped = ((table.low, f"interactions rated below {columns.min_rating:g}" if table.low else ""),
               (len(users) - len(first), "repeated interactions"))  # fmt: skip
    notes = [f"{count:,} {what}" for count, what in dropped if count]
    order = "by time, each user's latest items are test, those before them validation" if columns.time else "at random"
    split = f"Each user's items were split {order}."
    return read, ((f"Left out: {', '.join(notes)}.",) if notes else ()) + (split,), _unused_ratings(table)


def _unused_ratings(table: Table) -> tuple[str, ...]:
    """What counting every rating as a like means, where there are low ones."""
    ratings = np.array(table.unused or ())
    if ratings.size == 0 or ratings.min() == ratings.max():
        return ()
    middle = (ratings.min() + ratings.max()) / 2
    below, threshold = int((ratings < middle).sum()), ratings[ratings > middle].min()
    return (
        f"every interaction counts as a like, also the {below:,} of {ratings.size:,} rated below {middle:g}, the middle of the "
        f"scale from {ratings.min():g} to {ratings.max():g}; data.min_rating={threshold:g} leaves out those not rated above it",
    )


def read_table(path: Path | InputFile, columns: Columns) -> Table:
    """Read interactions.

    Args:
        path: CSV file with a header that names the columns; others are ignored.
        columns: Their names.

    Raises:
        DataError: If the file is missing or malformed, with line and column, or has no such column.
    """
    rows = read_rows(path, lambda *_: False)
    header = next(rows, (0, []))[1]
    wanted = {"user": columns.user, "item": columns.item}
    wanted |= {"rating": columns.rating} if columns.min_rating is not None else {}
    wanted |= {"time": columns.time} if columns.time else {}
    for meaning, name in wanted.items():
        if header.count(name) != 1:
            found = f"its header is {shown(', '.join(header))}" if header else "it is empty"
            raise DataError(f"{path} needs one column '{shown(name)}', {found}: name the right one by data.{meaning}_column=")
    place = {meaning: header.index(name) for meaning, name in wanted.items()}
    table = Table({}, {}, array("q"), array("q"), array("d"))
    if columns.min_rating is None and header.count(columns.rating) == 1:
        place["unused"], table.unused = header.index(columns.rating), array("d")
    for line, fields in rows:
        if fields == header:
            raise repeated_header(path, line)
        if len(fields) != len(header):
            column = min(len(fields), len(header)) + 1
            raise malformed(path, line, column, f"expected {len(header)} columns as in the header, found {len(fields)}")
        user = node_id(path, line, place["user"] + 1, fields[place["user"]])
        item = node_id(path, line, place["item"] + 1, fields[place["item"]])
        if columns.min_rating is not None:
            rating = _rating(path, line, place["rating"] + 1, fields[place["rating"]])
            if rating < columns.min_rating:
                table.low += 1
                continue
        if table.unused is not None:
            given = _number(fields[place["unused"]])
            if given is None:
                table.unused = None  # no ratings as we know them, and nobody asked for them
            else:
                table.unused.append(given)
        table.time.append(_time(path, line, place["time"] + 1, fields[place["time"]]) if columns.time else 0.0)
        table.user.append(table.users.setdefault(user, len(table.users)))
        table.item.append(table.items.setdefault(item, len(table.items)))
    if not table.user:
        raise DataError(f"{path} holds no interaction" + (" that is rated high enough" if table.low else ""))
    return table


def _renumber(found: dict[str, int], appeared: array[int]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Ids in their final order, and the number of each row's id."""
    ordered = number(found)
    final = np.empty(len(found), dtype=np.int64)
    for name, position in ordered.items():
        final[found[name]] = position
    return final[np.frombuffer(appeared, dtype=np.int64)], tuple(ordered)


def _rating(path: Path | InputFile, line: int, column: int, field: str) -> float:
    value = _number(field)
    if value is None:
        raise malformed(path, line, column, f"expected a rating, a finite number, found '{shown(field)}'")
    return value


def _time(path: Path | InputFile, line: int, column: int, field: str) -> float:
    value = _number(field)
    if value is not None:
        return value
    try:
        moment = datetime.fromisoformat(field)
    except ValueError:
        raise malformed(
            path, line, column, f"expected a number or a date as 2024-05-31T12:00:00, found '{shown(field)}'"
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _number(field: str) -> float | None:
    try:
        value = float(field)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
