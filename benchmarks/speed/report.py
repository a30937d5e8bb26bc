"""What the command prints: a table for people, a list for scripts."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.speed.harness import Row

_WIDTH = 160


def as_json(rows: Sequence[Row]) -> str:
    """The rows as a JSON list."""
    dicts = [row.as_dict() for row in rows]
    for one in dicts:
        if not math.isfinite(one["difference"]):
            one["difference"] = None
    return json.dumps(dicts, indent=2, allow_nan=False) + "\n"


def as_table(name: str, rows: Sequence[Row]) -> str:
    """The rows of one benchmark, and below them what the roofline counts."""
    table = Table(title=name, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("case")
    table.add_column("ours")
    for title in ("ours ms", "peer", "peer ms", "ratio", "of roofline", "peak MB", "added MB", "peer added", "equal"):
        table.add_column(title, justify="left" if title == "peer" else "right", no_wrap=title != "peer")
    above = ("", "")
    for row in rows:
        case, ours = ("", "") if (row.case, row.ours) == above else (row.case, row.ours)
        above = row.case, row.ours
        share = None if row.ours_ms is None else 100 * row.roofline_ms / row.ours_ms
        table.add_row(
            case,
            ours,
            _number(row.ours_ms),
            row.peer,
            _number(row.peer_ms),
            _number(row.ratio, "x"),
            _number(share, "%"),
            _number(row.peak_mb),
            _number(row.added_mb),
            _number(row.peer_added_mb),
            f"yes, {row.tolerance:g}" if row.equal else f"NO, {row.difference:.0e}",
        )
    reasons = dict.fromkeys(f"roofline: {row.roofline}" for row in rows)
    reasons |= dict.fromkeys(f"equal: {row.checked}" for row in rows if row.checked)
    console = Console(width=_WIDTH, markup=False, highlight=False)
    with console.capture() as captured:
        for part in (table, *reasons):
            console.print(part)
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"


def _number(value: float | None, unit: str = "") -> str:
    """Three significant digits; `-` where nothing was measured."""
    if value is None:
        return "-"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f}{unit}"
