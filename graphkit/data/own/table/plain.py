"""Columns of a plain table, cut by NumPy: every line has as many separators, and quotes stand around whole cells alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from graphkit.data.own.integers import Integers
from graphkit.data.own.table.distinct import WIDEST, column_of_words, distinct, words_of
from graphkit.data.own.table.table import Column
from graphkit.data.readers.rows import BLANKS

_BLOCK = 1 << 20  # of which the working arrays stay in the cache
_LARGEST_BLOCK = 1 << 24
_NEWLINE, _QUOTE, _MINUS, _ZERO = b'\n"-0'
_DIGITS = 18
_FRONT, _BACK = 24, WIDEST + 8  # room around a block, for words that begin before it or end behind it
_LOW = np.array([(1 << 8 * count) - 1 for count in range(9)], dtype=np.uint64)
_HIGH = ~_LOW[::-1]


def plain_columns(data: bytes, separator: str) -> tuple[list[str], list[Column]] | None:
    """Columns of a text, if it is plain.

    Separators and line ends are found block by block. A cell is then eight bytes or more from its first or up to its last,
    read as machine words at any place in memory; sums and products of these words are the integers, or tell texts apart.

    Args:
        data: The text in UTF-8.
        separator: What separates its columns.

    Returns:
        The first row, and the columns below it, each with its distinct texts in the order of their first rows. None where
        the text is not plain, so that the csv module has to read it: rows of different widths, blank lines between them,
        quotes or line ends inside cells, NUL, carriage returns alone, cells of more than 64 bytes, or fewer than two rows.
    """
    made = _one_mark(data, separator)
    if made is None:
        return None
    text, mark = made
    quoted = separator not in ("::", " ") and b'"' in text
    head: list[str] = []
    columns: list[_Collected] = []
    for block in _blocks(text, 1 + text.count(mark, 0, max(text.find(b"\n"), 0))):
        cells = _Cells.of(block, mark[0], len(head), quoted)
        if cells is None:
            return None
        if not head:
            head = cells.first_row()
            columns = [_Collected() for _ in head]
            cells = cells.below()
        if not all(column.add(cells, place) for place, column in enumerate(columns)):
            return None
    if not columns or not columns[0].parts:
        return None
    found = [column.column() for column in columns]
    return None if len(found) == 1 and "" in (*head, *found[0].values) else (head, found)  # a blank line is no row


def _one_mark(data: bytes, separator: str) -> tuple[bytes, bytes] | None:
    """The text with one byte between cells and a newline behind each row but the last, and that byte."""
    if b"\0" in data:
        return None
    mark = separator.encode()
    if b"\r" in data and b"\r" in (data := data.replace(b"\r\n", b"\n")):
        return None
    if separator == "::":
        mark = b"\x01"
        if mark in data:
            return None
        data = data.replace(b"::", mark)
    elif separator == " ":
        data = data.replace(b"\t", b" ")
        while b"  " in data:
            data = data.replace(b"  ", b" ")
        data = data.replace(b" \n", b"\n").replace(b"\n ", b"\n").strip(b" ")
    return data, mark


def _blocks(text: bytes, width: int) -> Iterator[np.ndarray]:
    """Whole lines, a line end behind each, and room around them."""
    size = min(max(_BLOCK, width << 16), _LARGEST_BLOCK)
    at, end = 0, len(text)
    while end and text[end - 1] == _NEWLINE:
        end -= 1
    while at < end:
        until = end
        if at + size < end:
            until = text.rfind(b"\n", at, at + size)
            until = until if until >= 0 else text.find(b"\n", at, end)
            until = until if until >= 0 else end
        block = np.zeros(_FRONT + until - at + 1 + _BACK, dtype=np.uint8)
        block[_FRONT : _FRONT + until - at] = np.frombuffer(text, np.uint8, until - at, at)
        block[_FRONT + until - at] = _NEWLINE
        yield block
        at = until + 1


@dataclass(frozen=True)
class _Cells:
    """Cells of a block: the bytes, and where each cell [columns, rows] starts and ends in them."""

    block: np.ndarray
    starts: np.ndarray
    ends: np.ndarray

    @classmethod
    def of(cls, block: np.ndarray, mark: int, width: int, quoted: bool) -> _Cells | None:
        """Cut a block into rows of a width, 0: that of its first row; None where it is not plain."""
        body = block[:-_BACK]
        newline = body == _NEWLINE
        hits = newline | (body == mark)
        if quoted:
            quotes = body == _QUOTE
            places = np.flatnonzero(hits | quotes)
            is_quote = quotes[places]
            ends = places[~is_quote & (np.cumsum(is_quote) % 2 == 0)]
        else:
            ends = np.flatnonzero(hits)
        lines = np.flatnonzero(newline[ends])
        width = width or int(lines[0]) + 1 if lines.size else 0
        if lines.size != np.count_nonzero(newline) or not np.array_equal(lines, np.arange(width - 1, ends.size, width)):
            return None
        starts = np.concatenate([[_FRONT], ends[:-1] + 1])
        if quoted:
            around = (block[starts] == _QUOTE) & (block[ends - 1] == _QUOTE)
            if 2 * np.count_nonzero(around) != np.count_nonzero(quotes):
                return None
            starts, ends = starts + around, ends - around
        return cls(block, np.ascontiguousarray(starts.reshape(-1, width).T), np.ascontiguousarray(ends.reshape(-1, width).T))

    def first_row(self) -> list[str]:
        """The cells of the first row, without the blanks around them."""
        bounds = zip(self.starts[:, 0], self.ends[:, 0], strict=True)
        return [self.block[start:end].tobytes().decode().strip(BLANKS) for start, end in bounds]

    def below(self) -> _Cells:
        """The same without the first row."""
        return _Cells(self.block, self.starts[:, 1:], self.ends[:, 1:])

    @cached_property
    def _word_at(self) -> np.ndarray:
        """The eight bytes from every place on, the first in the lowest bits."""
        return np.ndarray(self.block.size - 7, dtype="<u8", buffer=self.block, strides=(1,))

    def words(self, column: int) -> np.ndarray | None:
        """The cells of a column as words [W, rows], padded with NUL; None where one is too long."""
        start = self.starts[column]
        length = self.ends[column] - start
        longest = int(length.max())
        if longest > WIDEST:
            return None
        words = np.empty((max(1, -(-longest // 8)), start.size), dtype=np.uint64)
        for place in range(len(words)):
            words[place] = self._word_at[start + 8 * place] & _LOW[np.clip(length - 8 * place, 0, 8)]
        return words

    def integers(self, column: int) -> np.ndarray | None:
        """The cells of a column as integers [rows], int64; None where one is none, or not in its usual form."""
        start, end = self.starts[column], self.ends[column]
        negative = self.block[start] == _MINUS
        digits = end - start - negative
        most = int(digits.max())
        if digits.min() < 1 or most > _DIGITS:
            return None
        if ((self.block[start + negative] == _ZERO) & ((digits > 1) | negative)).any():
            return None
        numbers = np.zeros(start.size, dtype=np.uint64)
        for place in range(-(-most // 8)):
            high = _HIGH[np.clip(digits - 8 * place, 0, 8)]
            values = (self._word_at[end - 8 * (place + 1)] ^ 0x3030303030303030) & high  # a digit per byte
            if (((values + 0x7676767676767676) | values) & 0x8080808080808080).any():  # one above 9
                return None
            values = values * 2561 >> 8 & 0x00FF00FF00FF00FF  # 2 digits: 10 a + b
            values = values * 6553601 >> 16 & 0x0000FFFF0000FFFF  # 4
            numbers += (values * 42949672960001 >> 32) * 10 ** (8 * place)  # 8
        signed = numbers.astype(np.int64)
        return np.where(negative, -signed, signed)


class _Collected:
    """A column whose blocks come one by one, as integers as long as all cells are such."""

    def __init__(self) -> None:
        self._integers = True
        self.parts: list[np.ndarray] = []

    def add(self, cells: _Cells, place: int) -> bool:
        """Further rows, of which this is the column of a place; False where a cell is too long."""
        if not cells.starts.shape[1]:
            return True
        found = cells.integers(place) if self._integers else None
        if found is None:
            if self._integers:
                self._integers = False
                self.parts = [words_of(part.astype("S20")) for part in self.parts]
            found = cells.words(place)
        if found is not None:
            self.parts.append(found)
        return found is not None

    def column(self) -> Column:
        """All of it."""
        parts, self.parts = self.parts, []
        if not self._integers:
            words = np.zeros((max(map(len, parts)), sum(part.shape[1] for part in parts)), dtype=np.uint64)
            at = 0
            for part in parts:
                words[: len(part), at : at + part.shape[1]] = part
                at += part.shape[1]
            parts.clear()
            return column_of_words(words)
        numbers = np.concatenate(parts)
        parts.clear()
        first, codes = distinct(numbers[None])
        return Column(Integers(numbers[first]), codes)
