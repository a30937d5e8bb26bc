"""A heat table as inline SVG, such as a confusion matrix: a number in each cell, its share of the row as color."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from graphkit.charts.chart import WIDTH, figure
from graphkit.charts.style import HOTTEST
from graphkit.charts.text import LETTER, clipped, escaped

MOST_CELLS = 12
"""Rows, and columns, that can be read."""
_NAME = 12
_TOP, _FLAT = 74, 44
_TALLEST = 34.0


def heat(
    title: str,
    counts: NDArray[np.int64],
    rows: Sequence[str],
    *,
    columns: Sequence[str],
    sides: tuple[str, str],
    about: str = "",
) -> str:
    """Draw a table of counts.

    Args:
        title: What it shows.
        counts: Counts [R, C], not negative, with 1 to 12 rows and columns.
        rows: Names of the rows.
        columns: Names of the columns.
        sides: What rows and columns are, e.g. `class` and `predicted`.
        about: A sentence below the title.

    Returns:
        An element `<figure class="chart">`, well-formed XML.

    Raises:
        ValueError: If names and counts do not fit, or there are too many.
    """
    if counts.shape != (len(rows), len(columns)) or not (0 < len(rows) <= MOST_CELLS and 0 < len(columns) <= MOST_CELLS):
        raise ValueError(f"a heat table has 1 to {MOST_CELLS} named rows and columns, got counts of shape {counts.shape}.")
    left = max(min(max(map(len, rows)), _NAME), len(sides[0])) * LETTER + 14
    is_turned = max(map(len, columns)) * LETTER > (WIDTH - left) / len(columns)
    right = WIDTH - (min(len(columns[-1]), _NAME) * LETTER * 0.75 if is_turned else 1)
    width = (right - left) / len(columns)
    height, top = min(width, _TALLEST), _TOP if is_turned else _FLAT
    parts = [
        f"<text x='0' y='{top - 8}'>{escaped(sides[0])}</text>",
        f"<text x='{left:.1f}' y='12'>{escaped(sides[1])}</text>",
    ]
    for column, name in enumerate(columns):
        x = left + (column + 0.5) * width
        turned = f" transform='rotate(-35 {x:.1f} {top - 8})' text-anchor='start'"
        upright = turned if is_turned else " text-anchor='middle'"
        parts.append(f"<text x='{x:.1f}' y='{top - 8}'{upright}><title>{escaped(name)}</title>{clipped(name, _NAME)}</text>")
    for row, name in enumerate(rows):
        y, total = top + row * height, int(counts[row].sum())
        middle = y + height / 2 + 4
        label = f"<title>{escaped(name)}</title>{clipped(name, _NAME)}"
        parts.append(f"<text x='{left - 8:.1f}' y='{middle:.1f}' text-anchor='end'>{label}</text>")
        for column, other in enumerate(columns):
            count = int(counts[row, column])
            share = count / total if total else 0.0
            x = left + column * width
            said = f"{name}, {other}: {count:,}, {share:.1%} of the row"
            text = f"<text class='cell' x='{x + width / 2:.1f}' y='{middle:.1f}'>{_short(count)}</text>" if count else ""
            parts.append(
                f"<g><title>{escaped(said)}</title><rect class='heat' x='{x:.1f}' y='{y:.1f}' width='{width - 1:.1f}' "
                f"height='{height - 1:.1f}' fill-opacity='{HOTTEST * share:.3f}'/>{text}</g>"
            )
    parts.append(f"<rect class='box' x='{left:.1f}' y='{top}' width='{right - left:.1f}' height='{len(rows) * height:.1f}'/>")
    bottom = top + len(rows) * height + 4
    return figure(title, "".join(parts), height=round(bottom, 1), said=f"{title}: {sides[0]} by {sides[1]}", about=about)


def _short(count: int) -> str:
    """A count in at most four letters up to a million."""
    return str(count) if count < 10_000 else f"{count / 1000:.0f}k"
