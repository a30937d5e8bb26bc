"""Own node features: what each column holds (numbers, truth values, dates, categories), as numbers; gaps stay NaN."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graphkit.data.own.naming import alike_note, number
from graphkit.data.own.table import Column, Table
from graphkit.data.own.table.roles import Role, named
from graphkit.data.own.table.values import GAPS, TRUTH, moment_of, number_of, numbers_of, seconds_in
from graphkit.errors import DataError, shown

MOST_CATEGORIES = 100
"""Distinct texts of a column that is taken for categories without being asked."""
_DAY = 86_400.0
_COLUMN = Role("categorical", ())
_SINGLE = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Features:
    """Features of rows.

    Attributes:
        x: [R, F], float32; NaN where a number is not known.
        notes: Sentences on what columns were taken for, where that is not plain numbers.
    """

    x: np.ndarray
    notes: tuple[str, ...] = ()


def features_of(table: Table, columns: Sequence[int], categorical: Sequence[str] = (), ignore: Sequence[str] = ()) -> Features:
    """Read columns as features.

    Columns of numbers stay numbers. A column of truth values (true, false, yes, no) is 1 and 0. A column of ISO dates is days
    since 1970, without a zone in UTC. A column of texts, or one that is named categorical, is a column of zeros and ones per
    category, of which a first linear layer learns an embedding; a gap in it is a category of its own. A gap among numbers is
    NaN: the task fills it from its training nodes.

    Args:
        table: The table.
        columns: Which of its columns are features.
        categorical: Names of columns that are categories.
        ignore: Names of columns that are left out.

    Raises:
        DataError: If a named column is missing, a column mixes kinds, or a number is not finite in float32.
    """
    width = len(table.columns)
    chosen = {named(table.name, table.header, width, _COLUMN, name) for name in categorical}
    left = {named(table.name, table.header, width, Role("ignored", ()), name) for name in ignore}
    parts: list[np.ndarray] = []
    notes: list[str] = []
    for place in columns:
        if place not in left:
            parts.append(_encoded(table, place, place in chosen, notes))
    if not parts:
        raise DataError(
            f"{table.name} has no column of features left beside ids, labels and data.ignore: leave out data.features="
        )
    return Features(np.concatenate(parts, axis=1), tuple(notes))


def _encoded(table: Table, place: int, categorical: bool, notes: list[str]) -> np.ndarray:
    """A column as one or more columns of numbers [R, k], float32."""
    cells = table.columns[place]
    if categorical:
        return _one_hot(table, place, notes)
    numbers = numbers_of(cells.values)
    gap = np.isnan(numbers) & cells.marked(GAPS.__contains__)
    known = [value for value, missing in zip(cells.values, gap, strict=True) if not missing]
    if np.isnan(numbers[~gap]).any():
        if all(value.lower() in TRUTH for value in known):
            numbers = np.array([TRUTH.get(value.lower(), np.nan) for value in cells.values])
        elif not any(number_of(value) is not None for value in known) and not any(map(_infinite, known)):
            if not all(moment_of(value) for value in known):
                return _texts(table, place, known, notes)
            numbers = _days(table, place, cells, gap, notes)
    _refuse_others(table, place, numbers, gap, known)
    if not known:
        raise DataError(f"{table.name}: column {table.title(place)} is empty: give data.ignore={_name(table, place)}")
    _check_single(table, place, numbers[~gap], notes)
    encoded: np.ndarray = numbers.astype(np.float32)[cells.codes][:, None]
    if gap.any():
        count = int(gap[cells.codes].sum())
        notes.append(f"{table.name}: column {table.title(place)} has {count:,} gaps")
    return encoded


def _refuse_others(table: Table, place: int, numbers: np.ndarray, gap: np.ndarray, known: Sequence[str]) -> None:
    """Refuse what is no number in a column of numbers."""
    wrong = ~gap & ~(np.abs(numbers) <= _SINGLE)
    dates = any(moment_of(value) for value in known if number_of(value) is None)
    kinds = "two kinds of time in one column, numbers and dates: write all alike"
    other = f"data.categorical={_name(table, place)} reads the column as categories"

    def message(text: str) -> str:
        if _infinite(text) or number_of(text) is not None:
            return f"expected a finite number within float32's range, found {shown(text)}"
        return f"expected a number, found '{shown(text)}'; {kinds if dates and moment_of(text) else other}"

    table.refuse(place, wrong, message)


def _infinite(text: str) -> bool:
    try:
        return not np.isfinite(float(text))
    except ValueError:
        return False


def _days(table: Table, place: int, cells: Column, gap: np.ndarray, notes: list[str]) -> np.ndarray:
    notes.append(f"{table.name}: column {table.title(place)} is read as dates, in days since 1970 (UTC without a zone)")
    days: np.ndarray = seconds_in(cells.values) / _DAY
    return np.where(gap, np.nan, days)


def _texts(table: Table, place: int, known: Sequence[str], notes: list[str]) -> np.ndarray:
    if len(known) > MOST_CATEGORIES:
        name = _name(table, place)
        raise DataError(
            f"{table.name}: column {table.title(place)} holds {len(known):,} texts, such as '{shown(known[0])}': give "
            f"data.categorical={name} (a feature for each) or data.ignore={name}"
        )
    return _one_hot(table, place, notes)


def _one_hot(table: Table, place: int, notes: list[str]) -> np.ndarray:
    cells = table.columns[place]
    names = ["" if value in GAPS else value for value in cells.values]
    order = number(names)
    codes = np.array([order[name] for name in names])[cells.codes]
    encoded = np.zeros((codes.size, len(order)), dtype=np.float32)
    encoded[np.arange(codes.size), codes] = 1.0
    title = f"column {table.title(place)}"
    gaps = " (one of them for gaps)" if "" in order else ""
    notes.append(f"{table.name}: {title} is read as {len(order):,} categories{gaps}, a feature of zeros and ones for each")
    notes.extend(alike_note(f"{table.name}: {title}: categories", [name for name in order if name]))
    return encoded


def _check_single(table: Table, place: int, values: np.ndarray, notes: list[str]) -> None:
    """Refuse, or tell of, numbers that are different in the file and the same in float32."""
    double, single = np.unique(values).size, np.unique(values.astype(np.float32)).size
    title = f"{table.name}: column {table.title(place)}"
    if double > 1 and single == 1:
        raise DataError(
            f"{title}: its {double:,} different numbers are one and the same in float32: subtract the least of them"
        )
    if single <= double / 2:
        notes.append(f"{title}: of its {double:,} different numbers float32 keeps {single:,}: subtract the least of them")


def _name(table: Table, place: int) -> str:
    return shown(table.header[place]) if table.header and table.header[place] else str(place + 1)
