"""A table as JSON lines: an object per row, whose keys are the columns; a list of numbers is a column for each."""

from __future__ import annotations

import json
from typing import Any

from graphkit.data.own.table.table import MOST_TOLD, Column, Table
from graphkit.errors import DataError, shown


def is_lines(text: str) -> bool:
    """Whether this is how JSON lines begin."""
    return text.lstrip()[:1] == "{" and text.lstrip()[1:].lstrip()[:1] in ('"', "}")


def read_lines(name: str, text: str) -> Table:
    """Read JSON lines; a key that a row lacks, and null, are an empty cell.

    Args:
        name: The file.
        text: Its content.

    Raises:
        DataError: Listing the lines that are no objects of texts, numbers, truth values and lists of numbers.
    """
    rows: list[dict[str, str]] = []
    lines: list[int] = []
    wrong: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            rows.append(_row(json.loads(line)))
            lines.append(number)
        except (ValueError, RecursionError) as error:
            wrong.append(f"{name}, line {number}: no JSON object of texts and numbers ({shown(str(error))}): write one per row")
    if wrong:
        more = [f"{name}: {len(wrong) - MOST_TOLD:,} more lines like these"] if len(wrong) > MOST_TOLD else []
        raise DataError("\n".join(wrong[:MOST_TOLD] + more))
    keys = list(dict.fromkeys(key for row in rows for key in row))
    columns = [Column.of([row.get(key, "") for row in rows]) for key in keys]
    return Table(name, columns, tuple(keys), lambda: lines, ("JSON lines",))


def _row(given: Any) -> dict[str, str]:
    if not isinstance(given, dict):
        raise ValueError("no object in braces")
    cells: dict[str, str] = {}
    for key, value in given.items():
        if isinstance(value, list):
            cells |= {f"{key}.{place}": _text(one) for place, one in enumerate(value)}
        else:
            cells[key] = _text(value)
    return cells


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return repr(value)
    raise ValueError("an object or a list inside")
