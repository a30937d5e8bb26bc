"""Cells of a text: which character separates them, and columns out of rows. Python's csv module and NumPy do the splitting."""

from __future__ import annotations

import csv
import gc
import io
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np

from graphkit.data.own.table.header import names_something
from graphkit.data.own.table.table import MOST_TOLD, Column
from graphkit.data.readers.rows import BLANKS
from graphkit.errors import DataError

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "colons": "::", "bar": "|", "blanks": " "}
"""How columns may be separated, by the name that `data.separator` gives it."""

_MARKS = ("\t", "::", ";", ",", "|")
_WORDS = {"\t": "tabs", "::": "'::'", ";": "semicolons", ",": "commas", "|": "bars", " ": "blanks"}
_STAND_IN = "\x1f"
_SAMPLE = 300
_BLOCK = 1 << 14
_DIGITS = 18
_POWERS = 10 ** np.arange(1, _DIGITS + 1, dtype=np.int64)
_SEP = re.compile('^(?:sep=(.)|"sep=(.)")[ \t]*\r?$', re.IGNORECASE)


@dataclass(frozen=True)
class Lines:
    """A text below its comments.

    Attributes:
        name: The file.
        text: Its rows.
        above: Lines that stand above them.
        separator: What separates columns.
    """

    name: str
    text: str
    above: int
    separator: str

    @property
    def separated_by(self) -> str:
        """How columns are separated, in a word."""
        return _WORDS[self.separator]

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Every row that is not blank, with the last of its lines, counted from 1 in the file."""
        reader, line = _reader(self._plain(), self.separator), self.above
        try:
            for row in reader:
                line = reader.line_num + self.above
                if row and (len(row) > 1 or row[0].strip(BLANKS)):
                    yield line, row
        except csv.Error as error:
            raise self._not_csv(error, line + 1) from error

    def numbers(self) -> list[int]:
        """The line of every row."""
        return [line for line, _ in self.rows()]

    def columns(self) -> list[Column]:
        """All columns, the first row among them; a last column that is empty all along, after trailing separators, is left out.

        Raises:
            DataError: If rows have different numbers of columns, or quotes do not match.
        """
        return self._integers() or self._any()

    def _any(self) -> list[Column]:
        rows: Iterator[list[str]] = (row for _, row in self.rows())
        head = list(islice(rows, _SAMPLE))
        if not head:
            return []
        width = _usual_width(head)
        indices: list[defaultdict[str, int]] = [defaultdict() for _ in range(width)]
        for index in indices:
            index.default_factory = index.__len__
        codes: list[list[np.ndarray]] = [[] for _ in range(width)]
        broken = False
        rows = chain(head, rows)
        with _no_collection():
            while block := list(islice(rows, _BLOCK)):
                if set(map(len, block)) != {width}:
                    block = [row[:-1] if len(row) == width + 1 and not row[-1].strip(BLANKS) else row for row in block]
                    broken = broken or any(len(row) != width for row in block)
                if not broken:
                    for index, parts, cells in zip(indices, codes, zip(*block, strict=True), strict=True):
                        parts.append(np.fromiter(map(index.__getitem__, cells), dtype=np.int64, count=len(cells)))
        if broken:
            raise self._ragged(width)
        columns = [Column(list(index), np.concatenate(parts)).trimmed() for index, parts in zip(indices, codes, strict=True)]
        while len(columns) > 1 and columns[-1].values == [""]:
            del columns[-1]
        return columns

    def _integers(self) -> list[Column] | None:
        """Columns of integers in their usual form below at most one line of something else; None where they are not."""
        if self.separator == "::":
            return None
        start = 0
        if not _is_integers(self.text[: end + 1 if (end := self.text.find("\n")) >= 0 else 0], self.separator):
            start = end + 1
        body = self.text[start:].encode()
        if '"' in self.text[:start] or not _is_integers(body, self.separator):
            return None
        head = next((row for _, row in Lines(self.name, self.text[:start], 0, self.separator).rows()), None)
        try:
            delimiter = None if self.separator == " " else self.separator
            table = np.loadtxt(io.BytesIO(body), delimiter=delimiter, dtype=np.int64, ndmin=2, comments=None)
        except ValueError:
            return None  # ragged, an empty field or more digits: the other way tells where
        if (head is not None and len(head) != table.shape[1]) or max(-int(table.min()), int(table.max())) >= _POWERS[-1]:
            return None
        found = [_factorized(column) for column in table.T]
        if sum(map(_characters, found)) != sum(body.count(one) for one in b"0123456789-"):
            return None  # 007 or -0 is another text than 7 or 0
        columns = [Column(list(map(str, distinct.tolist())), codes) for distinct, codes in found]
        return columns if head is None else [_below(text.strip(BLANKS), one) for text, one in zip(head, columns, strict=True)]

    def _plain(self) -> str:
        if self.separator == "::":
            return self.text.replace("::", _STAND_IN)
        if self.separator == " ":
            return re.sub(" ?([\r\n]) ?", r"\1", re.sub("[ \t]+", " ", self.text)).strip(" ")
        return self.text

    def _ragged(self, width: int) -> DataError:
        wrong: list[str] = []
        total = 0
        for line, row in self.rows():
            found = len(row) - (len(row) == width + 1 and not row[-1].strip(BLANKS))
            if found != width:
                total += 1
                if len(wrong) < MOST_TOLD:
                    place = f"{self.name}, line {line}, column {min(found, width) + 1}"
                    wrong.append(f"{place}: expected {width} columns separated by {self.separated_by}, found {found}")
        more = [f"{self.name}: {total - len(wrong):,} more rows like these"] if total > len(wrong) else []
        return DataError("\n".join(wrong + more))

    def _not_csv(self, error: csv.Error, line: int) -> DataError:
        if "field limit" in str(error):
            what = f"a field of more than {csv.field_size_limit():,} characters: close its quote, or shorten it"
        else:
            what = f"not valid CSV ({error}): close every quote, and write a quote inside a quoted field twice"
        return DataError(f"{self.name}, line {line} or below: {what}")


def lines_of(name: str, text: str, separator: str = "auto", comments: str = "auto") -> tuple[Lines, tuple[str, ...]]:
    """Rows below comments and a line `sep=;`, and how their columns are separated.

    Args:
        name: The file.
        text: Its text.
        separator: A key of `SEPARATORS`, or `auto`.
        comments: Whether lines at the top that begin with # or % are comments: `true`, `false`, or `auto`.

    Returns:
        The rows, and what was recognized.

    Raises:
        DataError: If it cannot be told what separates the columns, or what is a comment.
    """
    took = []
    start = 0 if comments == "false" else _comments(text)
    above = _count_lines(text[:start])
    named = _SEP.match(text[start : start + 16].partition("\n")[0])
    if named:
        start = text.find("\n", start) + 1 or len(text)
        above += 1
    body = text[start:]
    if named and separator == "auto":
        chosen = named.group(1) or named.group(2)
        if chosen not in SEPARATORS.values():
            raise DataError(f"{name} says sep={chosen}, which is no separator of columns here: give data.separator=")
    else:
        chosen = _separator(name, body) if separator == "auto" else SEPARATORS[separator]
    lines = Lines(name, body, above, chosen)
    if start and not named:
        if comments == "auto":
            _check_comments(lines, text[:start])
        took.append(f"{above} lines of comments")
    if chosen != ",":
        took.append(f"columns separated by {lines.separated_by}")
    return lines, tuple(took)


def _comments(text: str) -> int:
    """Where the lines that begin with # or % at the top end."""
    start = 0
    while text[start : start + 1] in ("#", "%"):
        end = min((place for mark in "\r\n" if (place := text.find(mark, start)) >= 0), default=len(text))
        start = end + (2 if text[end : end + 2] == "\r\n" else 1)
    return min(start, len(text))


def _check_comments(lines: Lines, comments: str) -> None:
    """Refuse where ids may begin with the mark of a comment: nothing may get lost."""
    mark = comments[0]
    again = lines.text.startswith(mark) or f"\n{mark}" in lines.text or f"\r{mark}" in lines.text
    width = len(next(lines.rows(), (0, [""]))[1])
    for _, row in Lines(lines.name, comments, 0, lines.separator).rows() if not again and '"' not in comments else ():
        begun = row[0].lstrip("#%")  # a blank behind the mark makes a comment
        again = again or (len(row) == width > 1 and begun == begun.lstrip(BLANKS) and not names_something(begun))
    if again:
        raise DataError(
            f"{lines.name}: cannot tell whether lines that begin with {mark} are comments or rows: give data.comments=true "
            "(those at the top are) or data.comments=false"
        )


def _count_lines(text: str) -> int:
    return sum(1 for _ in io.StringIO(text, newline=""))


def _separator(name: str, text: str) -> str:
    """The separator that gives all rows of a sample the same number of columns, at least two."""
    sample = list(islice(io.StringIO(text, newline=""), _SAMPLE + 1))
    cut = len(sample) > _SAMPLE
    sample = sample[:_SAMPLE]
    if not any(line.strip() for line in sample):
        return ","
    shares = {mark: _share(sample, mark, cut) for mark in (*_MARKS, " ")}
    regular = [mark for mark in _MARKS if shares[mark] == 1]
    if len(regular) > 1 and not (regular[0] in _MARKS[:2] and not _touch(sample, *regular)):
        raise _unclear(name, regular)
    if regular:
        return regular[0]
    best = max(_MARKS, key=lambda mark: shares[mark])
    if shares[best] >= 0.5 and shares[" "] == 1:
        raise _unclear(name, [best, " "])
    best = best if shares[best] >= 0.5 else max((*_MARKS, " "), key=lambda mark: shares[mark])
    return best if shares[best] else ","


def _unclear(name: str, marks: Sequence[str]) -> DataError:
    names = {mark: name for name, mark in SEPARATORS.items()}
    told, given = (" or ".join(words[mark] for mark in marks[:2]) for words in (_WORDS, names))
    return DataError(f"{name}: cannot tell whether columns are separated by {told}: give data.separator={given}")


def _share(sample: list[str], separator: str, cut: bool) -> float:
    """The share of the rows of a sample that have the usual number of columns, 0 where that is one."""
    rows: list[list[str]] = []
    last, failed = 0, False
    try:
        for line, row in Lines("", "".join(sample), 0, separator).rows():
            last = line
            rows.append(row)
    except DataError as error:
        failed = not (cut and "unexpected end" in str(error))  # a quoted cell goes on below the sample
    if not rows:
        return 0.0
    width = _usual_width(rows)
    usual = sum(len(row) - (len(row) == width + 1 and not row[-1].strip(BLANKS)) == width for row in rows)
    return usual / (len(rows) + (len(sample) - last + 1 if failed else 0)) if width > 1 else 0.0


def _touch(sample: list[str], separator: str, *others: str) -> bool:
    """Whether a row begins with this separator, or a cell begins or ends with another one: it may be there for the looks."""
    rows = [[cell.strip(BLANKS) for cell in row] for _, row in Lines("", "".join(sample), 0, separator).rows()]
    return any(not row[0] or any(cell.startswith(others) or cell.endswith(others) for cell in row) for row in rows)


def _usual_width(rows: list[list[str]]) -> int:
    """The number of columns that most rows have; an empty last cell counts where most rows have it."""
    widths = Counter(map(len, rows))
    most = max(widths.values())
    return next(len(row) for row in rows if widths[len(row)] == most)


def _reader(text: str, separator: str) -> Any:
    lines = io.StringIO(text, newline="")
    if separator in ("::", " "):  # nobody quotes there
        return csv.reader(lines, delimiter=_STAND_IN if separator == "::" else " ", quoting=csv.QUOTE_NONE)
    return csv.reader(lines, delimiter=separator, strict=True)


def _is_integers(text: str | bytes, separator: str) -> bool:
    data = text.encode() if isinstance(text, str) else text
    marks = b"-0123456789\r\n" + (b" \t" if separator == " " else separator.encode())
    return not data.translate(None, marks) and bool(data.strip())


def _factorized(column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct numbers of a column [R], ascending, and which of them stands in each row; without sorting if dense."""
    low = int(column.min())
    span = int(column.max()) - low + 1
    if span > 4 * column.size:
        distinct, codes = np.unique(column, return_inverse=True)
        return distinct, codes
    shifted = column - low
    present = np.zeros(span, dtype=bool)
    present[shifted] = True
    return np.flatnonzero(present) + low, (np.cumsum(present) - 1)[shifted]


def _characters(column: tuple[np.ndarray, np.ndarray]) -> int:
    """Characters of all the numbers of a column in their usual form."""
    distinct, codes = column
    lengths = np.searchsorted(_POWERS, np.abs(distinct), side="right") + 1 + (distinct < 0)
    return int((lengths * np.bincount(codes, minlength=distinct.size)).sum())


def _below(text: str, column: Column) -> Column:
    """A column with a text above it."""
    values = list(column.values)
    if text in values:
        place = values.index(text)
    else:
        place = len(values)
        values.append(text)
    return Column(values, np.concatenate([[place], column.codes]))


@contextmanager
def _no_collection() -> Iterator[None]:
    """Without the garbage collector, which would look through millions of rows again and again."""
    active = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if active:
            gc.enable()
