"""CSV files for people and other programs: columns by name, safe to open in a spreadsheet. Imports no torch."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphkit.training.files import replaced

Array = np.ndarray[Any, np.dtype[Any]]
Columns = Mapping[str, Array]
"""Columns of equal length by their header; text as any of NumPy's text types, names as `as_text` gives them."""

FORMULA = "=+-@\t\r"
"""A cell that begins with one of these is a formula, or part of one, to a spreadsheet."""
_QUOTE = "'"
_BLOCK = 1 << 16


def as_text(names: Sequence[str]) -> Array:
    """Names as an array whose memory is that of the text, not that of the longest name for each."""
    return np.array(names, dtype=np.dtypes.StringDType())


def disarmed(text: Array) -> Array:
    r"""Text cells that no spreadsheet runs: an apostrophe is put before those that begin with `=`, `+`, `-`, `@`, tab or CR.

    A name that begins with an apostrophe gets one more, so that the exact names are read back by taking one leading
    apostrophe away: `cell.removeprefix("'")`.

    Args:
        text: Text cells [n] of any of NumPy's text types.

    Returns:
        The cells [n].
    """
    text = text.astype(np.dtypes.StringDType())
    armed = np.zeros(text.shape, dtype=bool)
    for start in FORMULA + _QUOTE:
        armed |= np.strings.startswith(text, start)
    return np.where(armed, np.strings.add(_QUOTE, text), text) if armed.any() else text


def cells(column: Array) -> list[Any]:
    """A column as CSV cells: names disarmed, floats with the fewest digits that give them back in their own precision."""
    if column.dtype.kind in "UTO":
        column = disarmed(column)
    elif column.dtype.kind == "f":
        column = column.astype(np.str_)
    return list(column.tolist())


def write_table(path: Path, columns: Columns) -> None:
    """Write columns as CSV with a header, replacing the file as a whole; a block of rows is text at a time.

    Raises:
        ValueError: If the columns are of different lengths.
        OSError: If it cannot be written; an earlier file is untouched.
    """
    header = disarmed(as_text(list(columns))).tolist()
    length = max((len(column) for column in columns.values()), default=0)
    try:
        with replaced(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            for start in range(0, length, _BLOCK):
                block = slice(start, start + _BLOCK)
                writer.writerows(zip(*(cells(column[block]) for column in columns.values()), strict=True))
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
