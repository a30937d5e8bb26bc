"""Cells of a text: which character separates them, and columns out of rows."""

from __future__ import annotations

import csv
import gc
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from graphkit.data.own.table.content import stream_of
from graphkit.data.own.table.distinct import Texts
from graphkit.data.own.table.header import names_something
from graphkit.data.own.table.plain import plain_columns
from graphkit.data.own.table.table import MOST_TOLD, Column
from graphkit.data.readers.rows import BLANKS
from graphkit.errors import DataError

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "colons": "::", "bar": "|", "blanks": " "}
"""How columns may be separated, by the name that `data.separator` gives it."""

_MARKS = ("\t", "::", ";", ",", "|")
_WORDS = {"\t": "tabs", "::": "'::'", ";": "semicolons", ",": "commas", "|": "bars", " ": "blanks"}
_SAMPLE = 300
_BLOCK = 1 << 14
_SEP = re.compile('^(?:sep=(.)|"sep=(.)")[ \t]*\r?$', re.IGNORECASE)


@dataclass(frozen=True)
class Lines:
    """A text below its comments.

    Attributes:
        name: The file.
        data: Its rows, in UTF-8.
        above: Lines that stand above them.
        separator: What separates columns.
    """

    name: str
    data: bytes
    above: int
    separator: str

    @property
    def separated_by(self) -> str:
        """How columns are separated, in a word."""
        return _WORDS[self.separator]

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Every row that is not blank, with the last of its lines, counted from 1 in the file."""
        reader, line = self._reader(), self.above
        try:
            for row in reader:
                line = reader.line_num + self.above
                if row and not _is_blank(row):
                    yield line, row
        except csv.Error as error:
            raise self._not_csv(error, line + 1) from error

    def numbers(self) -> list[int]:
        """The line of every row."""
        return [line for line, _ in self.rows()]

    def columns(self) -> tuple[list[str], list[Column]]:
        """The first row, and all columns below it; a last one that is empty, after trailing separators, is left out.

        Raises:
            DataError: If rows have different numbers of columns, or quotes do not match.
        """
        first, found = plain_columns(self.data, self.separator) or self.any_columns()
        while len(found) > 1 and {first[-1], *found[-1].values[:2]} == {""}:
            del first[-1], found[-1]
        return first, found

    def any_columns(self) -> tuple[list[str], list[Column]]:
        """The first row of any text, and all columns below it, by Python's csv module.

        Raises:
            DataError: If rows have different numbers of columns, or quotes do not match.
        """
        rows: Iterator[list[str]] = filter(None, self._reader())
        try:
            with _no_collection():
                return self._collected(rows)
        except csv.Error:
            for _ in self.rows():  # raises it again, with its line
                pass
            raise

    def _collected(self, rows: Iterator[list[str]]) -> tuple[list[str], list[Column]]:
        head = [row for row in islice(rows, _SAMPLE) if not _is_blank(row)]
        if not head:
            return [], []
        width = _usual_width(head)
        columns = [Texts(self.data.isascii() and b"\0" not in self.data) for _ in range(width)]
        broken = False
        first: list[str] = []
        rows = chain(head, rows)
        while block := list(islice(rows, _BLOCK)):
            if width == 1 or set(map(len, block)) != {width}:
                block = [row for row in block if not _is_blank(row)]
                block = [row[:-1] if len(row) == width + 1 and not row[-1].strip(BLANKS) else row for row in block]
                broken = broken or any(len(row) != width for row in block)
            if broken:
                continue
            if not first:
                first = [cell.strip(BLANKS) for cell in block.pop(0)]
            for column, cells in zip(columns, zip(*block, strict=True), strict=bool(block)):
                column.add(cells)
        if broken:
            raise self._ragged(width)
        return first, [column.column() for column in columns]

    def _reader(self) -> Any:
        if self.separator == "::":  # the csv module wants one character: one that the text has not
            text = self.data.decode()
            mark = next(chr(code) for code in range(0xE000, 0xF900) if chr(code) not in text)
            return csv.reader(stream_of(text.replace("::", mark).encode()), delimiter=mark, quoting=csv.QUOTE_NONE)
        if self.separator == " ":
            single = re.sub(b" ?([\r\n]) ?", rb"\1", re.sub(b"[ \t]+", b" ", self.data)).strip(b" ")
            return csv.reader(stream_of(single), delimiter=" ", quoting=csv.QUOTE_NONE)
        return csv.reader(stream_of(self.data), delimiter=self.separator, strict=True)

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


def lines_of(name: str, data: bytes, separator: str = "auto", comments: str = "auto") -> tuple[Lines, tuple[str, ...]]:
    """Rows below comments and a line `sep=;`, and how their columns are separated.

    Args:
        name: The file.
        data: Its text in UTF-8.
        separator: A key of `SEPARATORS`, or `auto`.
        comments: Whether lines at the top that begin with # or % are comments: `true`, `false`, or `auto`.

    Returns:
        The rows, and what was recognized.

    Raises:
        DataError: If it cannot be told what separates the columns, or what is a comment.
    """
    took = []
    start = 0 if comments == "false" else _comments(data)
    above = _count_lines(data[:start])
    named = _SEP.match(data[start : start + 16].partition(b"\n")[0].decode(errors="replace"))
    if named:
        start = data.find(b"\n", start) + 1 or len(data)
        above += 1
    body = data[start:]
    if named and separator == "auto":
        chosen = named.group(1) or named.group(2)
        if chosen not in SEPARATORS.values():
            raise DataError(f"{name} says sep={chosen}, which is no separator of columns here: give data.separator=")
    else:
        chosen = _separator(name, body) if separator == "auto" else SEPARATORS[separator]
    lines = Lines(name, body, above, chosen)
    if start and not named:
        if comments == "auto":
            _check_comments(lines, data[:start])
        took.append(f"{above} lines of comments")
    if chosen != ",":
        took.append(f"columns separated by {lines.separated_by}")
    return lines, tuple(took)


def _comments(data: bytes) -> int:
    """Where the lines that begin with # or % at the top end."""
    start = 0
    while data[start : start + 1] in (b"#", b"%"):
        end = min((place for mark in b"\r\n" if (place := data.find(mark, start)) >= 0), default=len(data))
        start = end + (2 if data[end : end + 2] == b"\r\n" else 1)
    return min(start, len(data))


def _check_comments(lines: Lines, comments: bytes) -> None:
    """Refuse where ids may begin with the mark of a comment: nothing may get lost."""
    mark = comments[:1]
    again = any(begin + mark in lines.data for begin in (b"\n", b"\r")) or lines.data.startswith(mark)
    width = len(next(lines.rows(), (0, [""]))[1])
    for _, row in Lines(lines.name, comments.replace(b'"', b""), 0, lines.separator).rows():
        begun = row[0].lstrip("#%")  # a blank behind the mark makes a comment
        again = again or (len(row) == width > 1 and begun == begun.lstrip(BLANKS) and not names_something(begun))
    if again:
        raise DataError(
            f"{lines.name}: cannot tell whether lines that begin with {mark.decode()} are comments or rows: give "
            "data.comments=true (those at the top are) or data.comments=false"
        )


def _count_lines(data: bytes) -> int:
    return sum(1 for _ in stream_of(data))


def _separator(name: str, data: bytes) -> str:
    """The separator that gives all rows of a sample the same number of columns, at least two."""
    sample = list(islice(stream_of(data), _SAMPLE + 1))
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
        for line, row in Lines("", "".join(sample).encode(), 0, separator).rows():
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
    rows = [[cell.strip(BLANKS) for cell in row] for _, row in Lines("", "".join(sample).encode(), 0, separator).rows()]
    return any(not row[0] or any(cell.startswith(others) or cell.endswith(others) for cell in row) for row in rows)


def _usual_width(rows: list[list[str]]) -> int:
    """The number of columns that most rows have; an empty last cell counts where most rows have it."""
    widths = Counter(map(len, rows))
    most = max(widths.values())
    return next(len(row) for row in rows if widths[len(row)] == most)


def _is_blank(row: list[str]) -> bool:
    return len(row) == 1 and not row[0].strip(BLANKS)


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
