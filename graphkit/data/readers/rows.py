"""Rows of a user's CSV file, each with its line, and the error that names file, line and column."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

from graphkit.data.readers.inputs import InputFile
from graphkit.errors import DataError

Row = tuple[int, list[str]]
"""Line number in the file, from 1, and the fields without surrounding blanks."""


def read_rows(path: Path | InputFile, is_header: Callable[[list[str], list[str]], bool]) -> Iterator[Row]:
    """Read a comma-separated file row by row; blank lines are skipped.

    Args:
        path: The file, UTF-8.
        is_header: Tells, from the first and the second row (empty where there is none), whether the first is a header.

    Yields:
        The rows without header.

    Raises:
        DataError: If the file cannot be read, or quotes do not match.
    """
    first: Row | None = None  # held back until the second row is known
    line = 0
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            for row in reader:
                if not row:
                    continue
                earlier, line = line, reader.line_num
                current = (line, [field.strip() for field in row])
                if not earlier:
                    first = current
                    continue
                if first and not is_header(first[1], current[1]):
                    yield first
                first = None
                yield current
        if first and not is_header(first[1], []):
            yield first
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): name an existing CSV file") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not text in UTF-8: save it as a CSV file in UTF-8") from error
    except csv.Error as error:
        raise DataError(f"{path}, line {line + 1} or below: not valid CSV ({error})") from error


def malformed(path: Path | InputFile, line: int, column: int, message: str) -> DataError:
    """The error for one field; line and column count from 1."""
    return DataError(f"{path}, line {line}, column {column}: {message}")


def node_id(path: Path | InputFile, line: int, column: int, field: str) -> str:
    """The field as a node id.

    Raises:
        DataError: If it is empty.
    """
    if not field:
        raise malformed(path, line, column, "expected a node id, found an empty field")
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
    return DataError(f"{path} is damaged ({reason}): delete it and load again to download it anew")
