"""Rows of a user's CSV file, each with its line, and the error that names file, line and column."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from graphkit.data.readers.inputs import InputFile
from graphkit.errors import DataError, shown

Row = tuple[int, list[str]]
"""Line number in the file, from 1, and the fields without surrounding blanks."""

LONGEST_LINE = 1 << 24
"""Characters of a line, enough for a million features; a longer one is no row, and could fill the memory."""

BLANKS = " \t\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_MARK = "\ufeff"
UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]")  # control characters, line ends, byte order mark


def read_rows(path: Path | InputFile, is_header: Callable[[list[str], list[str]], bool]) -> Iterator[Row]:
    """Read a comma-separated file row by row; blank lines are skipped.

    Args:
        path: The file, UTF-8.
        is_header: Tells, from the first and the second row (empty where there is none), whether the first is a header.

    Yields:
        The rows without header.

    Raises:
        DataError: If the file cannot be read, quotes do not match, a line or field is too long, or the header or a byte order
            mark comes again further down, as in files that were put one below another.
    """
    first: Row | None = None  # held back until the second row is known
    header: list[str] | None = None
    begun, line = False, 0
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(_lines(path, file), strict=True)
            for row in reader:
                line = reader.line_num
                if not row:
                    continue
                current = (line, [field.strip(BLANKS) for field in row])
                if row[0].startswith(_MARK):
                    raise malformed(path, line, 1, "a byte order mark (U+FEFF) inside the file: remove it")
                if not begun:
                    first, begun = current, True
                    continue
                if first:
                    if is_header(first[1], current[1]):
                        header = first[1]
                    else:
                        yield first
                    first = None
                if current[1] == header:
                    raise repeated_header(path, line)
                yield current
        if first and not is_header(first[1], []):
            yield first
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): name an existing CSV file") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not text in UTF-8: save it as a CSV file in UTF-8") from error
    except csv.Error as error:
        raise DataError(f"{path}, line {line + 1} or below: {_not_csv(error)}") from error


def _lines(path: Path | InputFile, file: IO[str]) -> Iterator[str]:
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise DataError(f"{path}, line {number}: longer than {LONGEST_LINE:,} characters: write one row per line")
        yield line


def _not_csv(error: csv.Error) -> str:
    if "field limit" in str(error):
        return f"a field of more than {csv.field_size_limit():,} characters: close its quote, or shorten it"
    return f"not valid CSV ({error}): close every quote, and write a quote inside a quoted field twice"


def malformed(path: Path | InputFile, line: int, column: int, message: str) -> DataError:
    """The error for one field; line and column count from 1."""
    return DataError(f"{path}, line {line}, column {column}: {message}")


def repeated_header(path: Path | InputFile, line: int) -> DataError:
    """The error for a header further down."""
    return DataError(f"{path}, line {line}: the header comes again, as in files put one below another: remove this line")


def node_id(path: Path | InputFile, line: int, column: int, field: str) -> str:
    """The field as a node id.

    Raises:
        DataError: If it is empty or holds a control character.
    """
    if not field:
        raise malformed(path, line, column, "expected a node id, found an empty field")
    return name(path, line, column, field)


def name(path: Path | InputFile, line: int, column: int, field: str) -> str:
    """The field as an id or label, which messages, tables and files can show.

    Raises:
        DataError: If it holds a control character, a line end or a byte order mark.
    """
    if unseen := UNSEEN.search(field):
        found = f"U+{ord(unseen.group()):04X} in '{shown(field)}'"
        raise malformed(path, line, column, f"expected text without control characters, found {found}: remove it")
    return field


def check_width(path: Path | InputFile, row: Row, width: int, meaning: str) -> None:
    """Refuse a row that has not `width` columns.

    Raises:
        DataError: Naming the first missing or superfluous column.
    """
    line, fields = row
    if len(fields) != width:
        column = min(len(fields), width) + 1
        raise malformed(path, line, column, f"expected {width} columns separated by commas ({meaning}), found {len(fields)}")


def damaged(path: Path, error: Exception) -> DataError:
    """The error for a raw file that cannot be read."""
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return DataError(f"{path} is damaged ({reason}): delete it and load again to download it")
