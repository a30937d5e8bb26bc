"""A user's own interactions from a table: ids mapped and kept, ratings thresholded, time respected."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from graphkit.data.interactions import Interactions
from graphkit.data.own.naming import look_alike, number
from graphkit.data.own.table import Column, Reading, Table, read_table
from graphkit.data.own.table.roles import ITEM, RATING, TIME, USER, Role, named
from graphkit.data.own.table.values import numbers_of, seconds_in
from graphkit.data.own.times import times_of
from graphkit.data.readers.inputs import InputFile
from graphkit.data.splits.interactions import hold_out
from graphkit.data.splits.shares import Shares
from graphkit.data.splits.time import TimeSplit, split_by_time
from graphkit.errors import DataError, shown

_BY_PLACE = (USER, ITEM, RATING, TIME)
"""What the columns of a table without a header are."""


@dataclass(frozen=True)
class Columns:
    """What the header calls things, or numbers of columns from 1; None: by usual names, without a header by place.

    Attributes:
        user: Column of user ids, any text.
        item: Column of item ids, any text.
        rating: Column of ratings, numbers; without `min_rating` it may be missing, and only a note comes of it.
        min_rating: Interactions rated lower are left out; None: all count.
        time: Column of times, numbers or ISO 8601 (without a zone: UTC); None: the split is random.
        time_split: With times `global`, a split at one date for all, or `user`, each user's latest items held out.
    """

    user: str | None = None
    item: str | None = None
    rating: str | None = None
    min_rating: float | None = None
    time: str | None = None
    time_split: str = "global"


@dataclass(frozen=True)
class Taken:
    """Rows that count.

    Attributes:
        users: The user of each row.
        items: The item of each row.
        time: When it was, all zero without a column.
        written: The same as the table has it; None without a column.
        low: How many rows were left out, being rated too low.
        unused: Ratings that nobody asked for.
        clock: Times that nobody asked for, of each row; None where there are none, or some that cannot be read.
        read: Sentences on how the file was read.
    """

    users: Column
    items: Column
    time: np.ndarray
    written: Column | None = None
    low: int = 0
    unused: np.ndarray | None = None
    clock: np.ndarray | None = None
    read: tuple[str, ...] = ()


def read_interactions(
    path: Path, columns: Columns, shares: Shares, generator: torch.Generator
) -> tuple[Interactions, tuple[str, ...], tuple[str, ...]]:
    """Read interactions and split them: `read_taken`, then `split_taken`."""
    return split_taken(read_taken(path, columns), columns, shares, generator)


def split_taken(
    taken: Taken, columns: Columns, shares: Shares, generator: torch.Generator
) -> tuple[Interactions, tuple[str, ...], tuple[str, ...]]:
    """Split interactions.

    Users and items are numbered in numerical order of their ids where all are integers, else alphabetically. Of repeated pairs
    the earliest counts. With times `graphkit.data.splits.time` splits them, else each user's items are split at random.

    Args:
        taken: What was read.
        columns: The names that it was read by.
        shares: Shares of training, validation and test.
        generator: Draws the split, and the order of a user's items of the same time.

    Returns:
        The interactions with the user's own ids; sentences on what was left out and how the split was made; sentences on
        how the file was read, and on ratings that are there but were not asked for.

    Raises:
        DataError: If there are too few distinct times for a split at one date.
    """
    users, user_names = _numbered(taken.users)
    items, item_names = _numbered(taken.items)
    time = taken.time
    keys = users * len(item_names) + items
    by_time = np.argsort(time, kind="stable") if taken.written is not None else np.arange(time.size)
    earliest = by_time[np.argsort(keys[by_time], kind="stable")]
    keys = keys[earliest]
    first = earliest[np.concatenate([[True], keys[1:] != keys[:-1]])]
    pairs = torch.from_numpy(np.stack([users[first], items[first]]))
    if taken.written is not None:
        split = _by_time(pairs, time[first], taken.written.taken(first), columns.time_split, shares, generator)
    else:
        parts = dict(zip(("train", "valid", "test"), hold_out(pairs, shares, generator), strict=True))
        split = TimeSplit(parts, {}, "random split", "Each user's items were split at random.")
    clock = time if columns.time else taken.clock
    read = Interactions(
        split.parts,
        len(user_names),
        len(item_names),
        user_names,
        item_names,
        times=None if clock is None else _times_of(split.parts, pairs, len(item_names), clock[first]),
        split=split.name,
        earlier=split.earlier,
    )
    dropped = ((taken.low, f"interactions rated below {columns.min_rating:g}" if taken.low else ""),
               (len(users) - len(first), "repeated interactions"))  # fmt: skip
    notes = [f"{count:,} {what}" for count, what in dropped if count]
    left_out = (f"Left out: {', '.join(notes)}.",) if notes else ()
    return read, (*left_out, split.remark), (*taken.read, *_unused_ratings(taken))


def _by_time(
    pairs: Tensor, time: np.ndarray, written: Column, how: str, shares: Shares, generator: torch.Generator
) -> TimeSplit:
    def date(moment: float) -> str:
        return shown(written.values[int(written.codes[np.flatnonzero(time == moment)[0]])])

    try:
        return split_by_time(pairs, torch.from_numpy(time).double(), shares, generator, how=how, date=date)
    except ValueError as error:
        raise DataError(f"data.time_split=global: {error}: take data.time_split=user, or leave data.time_column out") from error


def _times_of(splits: dict[str, Tensor], pairs: Tensor, num_items: int, times: np.ndarray) -> dict[str, Tensor]:
    """The times of the pairs of each split, of which `pairs` are all, by user and item."""
    keys, values = pairs[0] * num_items + pairs[1], torch.from_numpy(times)
    return {split: values[torch.searchsorted(keys, part[0] * num_items + part[1])] for split, part in splits.items()}


def _unused_ratings(taken: Taken) -> tuple[str, ...]:
    """What counting every rating as a like means, where there are low ones."""
    ratings = taken.unused
    if ratings is None or ratings.size == 0 or ratings.min() == ratings.max():
        return ()
    middle = (ratings.min() + ratings.max()) / 2
    below, threshold = int((ratings < middle).sum()), ratings[ratings > middle].min()
    return (
        f"every interaction counts as a like, also the {below:,} of {ratings.size:,} rated below {middle:g}, the middle of the "
        f"scale from {ratings.min():g} to {ratings.max():g}; data.min_rating={threshold:g} leaves out those not rated above it",
    )


def read_taken(path: Path | InputFile | Table, columns: Columns, reading: Reading = Reading()) -> Taken:  # noqa: B008
    """Read interactions.

    Args:
        path: A table; columns that are not needed are ignored.
        columns: What its columns are called.
        reading: How it is to be read.

    Raises:
        DataError: If the file is missing or malformed, with line and column, or has no such column.
    """
    given = {USER: columns.user, ITEM: columns.item, RATING: columns.rating, TIME: columns.time}
    asked = [text for role, text in given.items() if text and text != role.name]
    table = read_table(path, reading, (USER, ITEM), asked)
    if table.header is None and not table.rows:
        raise DataError(f"{table.name} needs one column 'user', it is empty: name the right one by data.user_column=")
    place = {role: _column(table, role, given[role]) for role in (USER, ITEM)}
    if not table.rows:
        raise DataError(f"{table.name} holds no interaction")
    columns_read = (table.ids(place[USER], "a user id"), table.ids(place[ITEM], "an item id"))
    for ids in columns_read:
        if alike := look_alike(ids.values):
            told = f"'{shown(alike[0])}' and '{shown(alike[1])}' look alike and differ in Unicode (NFC, NFD)"
            raise DataError(f"{table.name}: {told}: write all ids in one form")
    kept = np.arange(table.rows)
    unused = None
    if columns.min_rating is not None:
        rating = _ratings(table, _column(table, RATING, columns.rating))
        kept = np.flatnonzero(rating >= columns.min_rating)
    elif (usual := _guess(table, RATING, columns.rating)) is not None:
        numbers = numbers_of(table.columns[usual].values)
        # Others are no ratings as we know them, and nobody asked for them.
        unused = None if np.isnan(numbers).any() else numbers[table.columns[usual].codes]
    time, written = np.zeros(table.rows), None
    if columns.time:
        time = times_of(table, at := _column(table, TIME, columns.time))
        written = table.columns[at].taken(kept)
    clock = None if columns.time else _clock(table, kept)
    if not kept.size:
        raise DataError(f"{table.name} holds no interaction that is rated high enough")
    users, items = (ids.taken(kept) for ids in columns_read)
    sentences = (*_read(table, place), *_untimed(table, columns))
    return Taken(users, items, time[kept], written, table.rows - kept.size, unused, clock, sentences)


def _column(table: Table, role: Role, given: str | None) -> int:
    """The column of a role; DataError where there is none."""
    header = table.header or _virtual(table)
    place = _guess(table, role, given)
    if place is not None:
        return place
    if given and given != role.name:
        return named(table.name, header, len(table.columns), role, given)
    found = (
        f"its header is {shown(', '.join(table.header), 200)}" if table.header else f"it has {len(table.columns)} and no header"
    )
    raise DataError(f"{table.name} needs one column '{role.name}', {found}: name the right one by {role.setting}=")


def _guess(table: Table, role: Role, given: str | None) -> int | None:
    header = table.header or _virtual(table)
    if given and given != role.name:
        missing = role is RATING and given not in header and not given.isdigit()
        return None if missing else named(table.name, header, len(table.columns), role, given)
    if header.count(role.name) == 1:
        return header.index(role.name)
    return None if role.name in header or (given and table.header) else role.guess(header)


def _virtual(table: Table) -> tuple[str, ...]:
    width = len(table.columns)
    return tuple(role.name for role in _BY_PLACE[:width]) if width <= len(_BY_PLACE) else ()


def _read(table: Table, place: dict[Role, int]) -> tuple[str, ...]:
    usual = table.header is not None and not table.took and all(table.header[at] == role.name for role, at in place.items())
    if usual:
        return ()
    told = [f"{role.name} is column {table.title(at)}" for role, at in place.items()]
    return (f"{table.name}: {table.rows:,} rows; {'; '.join([*table.took, *told])}",)


def _untimed(table: Table, columns: Columns) -> tuple[str, ...]:
    """What may be times, where nobody asked for them."""
    if columns.time or (at := _guess(table, TIME, None)) is None:
        return ()
    given = shown(table.header[at]) if table.header and table.header[at] else str(at + 1)
    told = f"{table.name}: the split is random, though column {table.title(at)} seems to hold times"
    return (f"{told}; data.time_column={given} splits at one date for all users",)


def _ratings(table: Table, column: int) -> np.ndarray:
    cells = table.columns[column]
    values = numbers_of(cells.values)
    table.refuse(column, np.isnan(values), lambda text: f"expected a rating, a finite number, found '{shown(text)}'")
    ratings: np.ndarray = values[cells.codes]
    return ratings


def _clock(table: Table, kept: np.ndarray) -> np.ndarray | None:
    """Times of the rows that are kept, from a column of a usual name; None where there is none that can be read."""
    place = _guess(table, TIME, None)
    if place is None:
        return None
    cells = table.columns[place]
    values = seconds_in(cells.values)
    return None if np.isnan(values).any() else values[cells.codes][kept]


def _numbered(ids: Column) -> tuple[np.ndarray, tuple[str, ...]]:
    """The number of each row's id, and the ids in their order."""
    order = number(ids.values)
    return ids.places(order), tuple(order)
