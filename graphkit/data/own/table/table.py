"""`Table`: columns as their distinct texts and where each stands, so that a column is judged once per text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import repeat

import numpy as np

from graphkit.data.own.integers import Ascending, Integers, is_usual
from graphkit.data.readers.rows import BLANKS, UNSEEN
from graphkit.errors import DataError, shown

MOST_TOLD = 10
"""Broken rows that one error lists."""


@dataclass(frozen=True)
class Column:
    """A column of texts.

    Attributes:
        values: Its distinct texts, without blanks around them; all of them occur. Those of integers may be `Integers`.
        codes: Which of them stands in each row [R], int64.
    """

    values: Sequence[str]
    codes: np.ndarray

    @classmethod
    def of(cls, cells: Iterable[str]) -> Column:
        """A column of cells in the order of the rows."""
        index: defaultdict[str, int] = defaultdict()
        index.default_factory = index.__len__
        codes = np.fromiter(map(index.__getitem__, cells), dtype=np.int64)
        return cls(list(index), codes).trimmed()

    def trimmed(self) -> Column:
        """The same without blanks around the texts; texts that are then alike become one."""
        values = [value.strip(BLANKS) for value in self.values]
        if values == self.values:
            return self
        index = {value: place for place, value in enumerate(dict.fromkeys(values))}
        merged = np.fromiter(map(index.__getitem__, values), dtype=np.int64, count=len(values))
        return Column(list(index), merged[self.codes])

    def taken(self, rows: np.ndarray | slice) -> Column:
        """Some rows of the column, and their texts alone."""
        codes = self.codes[rows]
        used: np.ndarray = np.zeros(len(self.values), dtype=bool)
        used[codes] = True
        if used.all():
            return Column(self.values, codes)
        return Column(_chosen(self.values, np.flatnonzero(used)), (np.cumsum(used) - 1)[codes])

    def below(self, text: str) -> Column:
        """The same with a row of this text before the first one."""
        values = self.values
        found = self.among([text]) or [len(values)]
        if found[0] == len(values):
            if isinstance(values, Integers) and is_usual(text):
                values = Integers(np.append(values.numbers, int(text)))
            else:
                values = [*values, text]
        order = np.concatenate([found, np.delete(np.arange(len(values)), found)])
        places = np.empty_like(order)
        places[order] = np.arange(order.size)
        return Column(_chosen(values, order), places[np.concatenate([order[:1], self.codes])])

    def texts(self) -> list[str]:
        """The text of every row."""
        chosen: list[str] = np.array([*self.values], dtype=object)[self.codes].tolist()
        return chosen

    def marked(self, test: Callable[[str], object]) -> np.ndarray:
        """Which of the distinct texts pass a test, bool."""
        return np.fromiter(map(bool, map(test, self.values)), dtype=bool, count=len(self.values))

    def among(self, texts: Iterable[str]) -> list[int]:
        """The places, among its distinct texts, of those of some texts that occur."""
        if isinstance(self.values, Integers):
            return self.values.places([*texts])
        return [self.values.index(text) for text in set(texts).intersection(self.values)]

    def places(self, order: dict[str, int]) -> np.ndarray:
        """The place of each row's text in an order [R], -1 where it has none."""
        if isinstance(self.values, Integers) and isinstance(order, Ascending):
            found = order.places(self.values)
        else:
            found = np.fromiter(map(order.get, self.values, repeat(-1)), dtype=np.int64, count=len(self.values))
        places: np.ndarray = found[self.codes]
        return places


@dataclass(frozen=True)
class Table:
    """A table as it was read.

    Attributes:
        name: The file, or what else it was read from, for messages.
        columns: Its columns, all with as many rows.
        header: Their names; None: the file has none.
        find_lines: Gives the line of every row in the file, from 1; None: it has no lines.
        took: What was recognized while reading, in few words each: how it is packed, how columns are separated, the header.
    """

    name: str
    columns: Sequence[Column]
    header: tuple[str, ...] | None
    find_lines: Callable[[], Sequence[int]] | None = field(default=None, compare=False)
    took: tuple[str, ...] = field(default=(), compare=False)

    @cached_property
    def rows(self) -> int:
        """Number of rows."""
        return self.columns[0].codes.size if self.columns else 0

    @cached_property
    def lines(self) -> Sequence[int]:
        """The line of every row; the file is looked through again for it, which messages alone need."""
        return self.find_lines() if self.find_lines else range(1, self.rows + 1)

    def title(self, column: int) -> str:
        """How a column is called in messages."""
        return f"'{shown(self.header[column])}'" if self.header and self.header[column] else f"number {column + 1}"

    def place(self, row: int, column: int) -> str:
        """Where a cell is."""
        if self.find_lines is None:
            return f"{self.name}, row {row + 1}, column {self.title(column) if column < len(self.columns) else column + 1}"
        return f"{self.name}, line {self.lines[row]}, column {column + 1}"

    def refuse(self, column: int, wrong: np.ndarray, message: Callable[[str], str]) -> None:
        """Refuse the rows of some of a column's distinct texts, if there are any.

        Args:
            column: The column.
            wrong: Which of its texts are wrong, bool.
            message: What to say of such a text.

        Raises:
            DataError: With a line per row, at most ten, and how many there are besides.
        """
        if wrong.any():
            cells = self.columns[column]
            rows = np.flatnonzero(wrong[cells.codes])
            raise self.broken(
                [(int(row), column, message(cells.values[cells.codes[row]])) for row in rows[:MOST_TOLD]], rows.size
            )

    def broken(self, found: Sequence[tuple[int, int, str]], total: int) -> DataError:
        """The error for cells, each with row, column and what is wrong; `total` counts also those that are not listed."""
        lines = [f"{self.place(row, column)}: {message}" for row, column, message in found[:MOST_TOLD]]
        if total > len(lines):
            lines.append(f"{self.name}: {total - len(lines):,} more rows like these")
        return DataError("\n".join(lines))

    def ids(self, column: int, what: str = "a node id") -> Column:
        """A column of ids or names, all there and without control characters.

        Raises:
            DataError: Listing the rows that are not so.
        """
        cells = self.columns[column]
        if isinstance(cells.values, Integers):
            return cells
        if cells.values and UNSEEN.search("".join(cells.values)):
            self.refuse(column, cells.marked(UNSEEN.search), _unseen)
        self.refuse(column, cells.marked(lambda text: not text), lambda _: f"expected {what}, found an empty field")
        return cells


def _chosen(values: Sequence[str], places: np.ndarray) -> Sequence[str]:
    if isinstance(values, Integers):
        return Integers(values.numbers[places])
    return [values[place] for place in places.tolist()]


def _unseen(text: str) -> str:
    found = UNSEEN.search(text)
    code = ord(found.group()) if found else 0
    return f"expected text without control characters, found U+{code:04X} in '{shown(text)}': remove it"
