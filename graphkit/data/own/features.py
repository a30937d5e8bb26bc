"""Own node features: what each column holds (numbers, truth values, dates, categories), as numbers; gaps stay NaN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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
class Coding:
    """How a column became numbers.

    Attributes:
        name: Its header; empty: it has none.
        place: Its place in the table, from 0.
        kind: `numbers`, `truth`, `dates` or `categories`.
        order: The place of each category; an empty text stands for gaps.
        gaps: Whether some of its numbers are not known.
    """

    name: str
    place: int
    kind: str = "numbers"
    order: Mapping[str, int] = field(default_factory=dict)
    gaps: bool = False


@dataclass(frozen=True)
class Codings:
    """How the columns of a table became numbers, so that those of other rows become the same.

    Attributes:
        header: Whether the table has a header.
        width: How many columns it has, ids and whatever else is no feature among them.
        columns: The columns of features.
    """

    header: bool
    width: int
    columns: tuple[Coding, ...]

    def encode(self, table: Table) -> np.ndarray:
        """The features of other rows [R, F], float32; NaN where a number is not known.

        Args:
            table: Its columns have the same headers, in any order, or where one of both has none stand in the same places.

        Raises:
            DataError: If a column is missing, or holds something else than it held before: another kind, a category that was
                not there, or a gap where there was none.
        """
        return np.concatenate([_encoded_as(table, self._place(table, coding), coding) for coding in self.columns], axis=1)

    def _place(self, table: Table, coding: Coding) -> int:
        header = table.header
        if self.header and header and coding.name:
            if header.count(coding.name) == 1:
                return header.index(coding.name)
            names = shown(", ".join(one.name for one in self.columns), 200)
            raise DataError(
                f"{table.name} has no column '{shown(coding.name)}': give all that the run's features have, {names}"
            )
        if len(table.columns) != self.width:
            widths = f"{len(table.columns)} columns, and that of the run's features {self.width}"
            raise DataError(f"{table.name} has {widths}: give the same columns in the same order")
        return coding.place


@dataclass(frozen=True)
class Features:
    """Features of rows.

    Attributes:
        x: [R, F], float32; NaN where a number is not known.
        notes: Sentences on what columns were taken for, where that is not plain numbers.
        columns: How the columns became numbers; None: they were numbers before.
    """

    x: np.ndarray
    notes: tuple[str, ...] = ()
    columns: Codings | None = None


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
    codings: list[Coding] = []
    for place in columns:
        if place not in left:
            encoded, coding = _encoded(table, place, place in chosen, notes)
            parts.append(encoded)
            codings.append(coding)
    if not parts:
        raise DataError(
            f"{table.name} has no column of features left beside ids, labels and data.ignore: leave out data.features="
        )
    return Features(np.concatenate(parts, axis=1), tuple(notes), Codings(bool(table.header), width, tuple(codings)))


def _encoded(table: Table, place: int, categorical: bool, notes: list[str]) -> tuple[np.ndarray, Coding]:
    """A column as one or more columns of numbers [R, k], float32."""
    cells, name, kind = table.columns[place], table.header[place] if table.header else "", "numbers"
    if categorical:
        return _one_hot(table, place, name, notes)
    numbers = numbers_of(cells.values)
    gap = np.isnan(numbers) & cells.marked(GAPS.__contains__)
    known = [value for value, missing in zip(cells.values, gap, strict=True) if not missing]
    if np.isnan(numbers[~gap]).any():
        if all(value.lower() in TRUTH for value in known):
            kind = "truth"
            numbers = np.array([TRUTH.get(value.lower(), np.nan) for value in cells.values])
        elif not any(number_of(value) is not None for value in known) and not any(map(_infinite, known)):
            if not all(moment_of(value) for value in known):
                return _texts(table, place, name, known, notes)
            kind, numbers = "dates", _days(cells, gap)
            notes.append(f"{table.name}: column {table.title(place)} is read as dates, in days since 1970 (UTC without a zone)")
    _refuse_others(table, place, numbers, gap, known)
    if not known:
        raise DataError(f"{table.name}: column {table.title(place)} is empty: give data.ignore={_name(table, place)}")
    _check_single(table, place, numbers[~gap], notes)
    encoded: np.ndarray = numbers.astype(np.float32)[cells.codes][:, None]
    if gap.any():
        count = int(gap[cells.codes].sum())
        notes.append(f"{table.name}: column {table.title(place)} has {count:,} gaps")
    return encoded, Coding(name, place, kind, gaps=bool(gap.any()))


def _encoded_as(table: Table, place: int, coding: Coding) -> np.ndarray:
    """A column as `_encoded` makes it of a column that was read before."""
    cells, title = table.columns[place], table.title(place)
    if coding.kind == "categories":
        names = ["" if value in GAPS else value for value in cells.values]
        strange = np.array([name not in coding.order for name in names], dtype=bool)
        known = shown(", ".join(name or "(gap)" for name in coding.order), 200)
        table.refuse(place, strange, lambda text: f"no category '{shown(text)}' in the run's column {title}, which has {known}")
        one_hot = np.eye(len(coding.order), dtype=np.float32)
        found: np.ndarray = one_hot[np.array([coding.order[name] for name in names], dtype=np.int64)[cells.codes]]
        return found
    gap = cells.marked(GAPS.__contains__)
    if not coding.gaps:
        table.refuse(place, gap, lambda _: f"a gap, and the run's column {title} has none: give a value")
    if coding.kind == "dates":
        numbers = np.where([bool(moment_of(value)) for value in cells.values], _days(cells, gap), np.nan)
    elif coding.kind == "truth":
        numbers = np.array([TRUTH.get(value.lower(), np.nan) for value in cells.values])
    else:
        numbers = numbers_of(cells.values)
    wrong = ~gap & ~(np.abs(numbers) <= _SINGLE)
    wanted = {"dates": "an ISO date", "truth": "true or false"}.get(coding.kind, "a finite number within float32's range")
    table.refuse(place, wrong, lambda text: f"expected {wanted}, as in the run's column {title}, found '{shown(text)}'")
    column: np.ndarray = numbers.astype(np.float32)[cells.codes][:, None]
    return column


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


def _days(cells: Column, gap: np.ndarray) -> np.ndarray:
    days: np.ndarray = seconds_in(cells.values) / _DAY
    return np.where(gap, np.nan, days)


def _texts(table: Table, place: int, header: str, known: Sequence[str], notes: list[str]) -> tuple[np.ndarray, Coding]:
    if len(known) > MOST_CATEGORIES:
        name = _name(table, place)
        raise DataError(
            f"{table.name}: column {table.title(place)} holds {len(known):,} texts, such as '{shown(known[0])}': give "
            f"data.categorical={name} (a feature for each) or data.ignore={name}"
        )
    return _one_hot(table, place, header, notes)


def _one_hot(table: Table, place: int, header: str, notes: list[str]) -> tuple[np.ndarray, Coding]:
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
    return encoded, Coding(header, place, "categories", order)


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
