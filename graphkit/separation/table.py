"""The separation table: pairs by networks and classes of color refinement, as text, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphkit.conf.listing import render
from graphkit.data.graph_pairs import GraphPair
from graphkit.separation.verdicts import Flags

_MOST_ROWS, _MOST_COLUMNS = 100, 6
_MARK = {True: "yes", False: "-"}


@dataclass(frozen=True)
class Verdicts:
    """Verdicts of a network or a class.

    Attributes:
        name: Its name.
        separated: Per pair [P].
        ceiling: What color refinement says; None for a class of color refinement itself.
        facts: Of the column, for `format=json`.
        numbers: Further numbers per pair, by name.
    """

    name: str
    separated: Flags
    ceiling: Flags | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    numbers: dict[str, list[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class SeparationTable:
    """Verdicts on pairs of graphs.

    Attributes:
        source: Where the pairs come from.
        protocol: How networks were asked.
        pairs: The rows.
        columns: At least one.
    """

    source: str
    protocol: str
    pairs: list[GraphPair]
    columns: list[Verdicts]

    def counts(self, flags: Flags) -> dict[str, int]:
        """Separated pairs by category."""
        return {category: int(flags[rows].sum()) for category, rows in self._categories.items()}

    @property
    def _categories(self) -> dict[str, Flags]:
        names = np.array([pair.category for pair in self.pairs])
        return {name: names == name for name in dict.fromkeys(names.tolist())}

    def text(self) -> str:
        """What a person reads: the counts by category, and where there are not too many, the pairs."""
        from rich import box
        from rich.console import RenderableType
        from rich.table import Column, Table
        from rich.text import Text

        parts: list[RenderableType] = []
        if self._lists_pairs:
            table = Table("pair", Column("nodes", justify="right"), box=box.SIMPLE_HEAD, pad_edge=False)
            for column in self.columns:
                table.add_column(column.name)
            for row, pair in enumerate(self.pairs):
                cells = (_cell(column, row) for column in self.columns)
                table.add_row(Text(pair.name), str(pair.first.num_nodes), *cells)
            parts.append(table)
        categories = {**self._categories, "all": np.ones(len(self.pairs), dtype=bool)}
        right = [Column(Text(name), justify="right") for name in categories]
        table = Table("separated", *right, box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_row("of", *(str(int(rows.sum())) for rows in categories.values()))
        for column in self.columns:
            table.add_row(column.name, *(_count(column, rows) for rows in categories.values()))
        return render(*parts, table, self._legend())

    @property
    def _lists_pairs(self) -> bool:
        return len(self.pairs) <= _MOST_ROWS and len(self.columns) <= _MOST_COLUMNS

    def _legend(self) -> str:
        networks = [column for column in self.columns if column.ceiling is not None]
        lines = [
            "Separated pairs." if not networks else "Separated pairs / those that color refinement tells apart, the ceiling."
        ]
        for column in networks:
            below = [pair.name for pair, one, two in self._verdicts(column) if two and not one]
            above = [pair.name for pair, one, two in self._verdicts(column) if one and not two]
            if below:
                lines.append(f"{column.name} does not reach its ceiling on {_some(below)}.")
            if above:
                lines.append(
                    f"{column.name} exceeds its ceiling on {_some(above)}: that is a verdict by rounding or by chance."
                )
        if not self._lists_pairs:
            lines.append("format=csv lists the pairs.")
        return "\n".join(lines)

    def _verdicts(self, column: Verdicts) -> list[tuple[GraphPair, bool, bool]]:
        ceiling = column.separated if column.ceiling is None else column.ceiling
        return list(zip(self.pairs, column.separated.tolist(), ceiling.tolist(), strict=True))

    def json(self) -> str:
        """Everything, for scripts."""
        columns = []
        for column in self.columns:
            ceiling = None if column.ceiling is None else {"all": int(column.ceiling.sum()), **self.counts(column.ceiling)}
            separated = {"all": int(column.separated.sum()), **self.counts(column.separated)}
            kind = "test" if column.ceiling is None else "model"
            columns.append({kind: column.name, **column.facts, "separated": separated, "ceiling": ceiling})
        return (
            json.dumps({"pairs": self.source, "protocol": self.protocol, "columns": columns, "table": self._rows()}, indent=1)
            + "\n"
        )

    def _rows(self) -> list[dict[str, Any]]:
        rows = []
        for row, pair in enumerate(self.pairs):
            verdicts = {}
            for column in self.columns:
                numbers = {name: values[row] for name, values in column.numbers.items()}
                ceiling = {} if column.ceiling is None else {"ceiling": bool(column.ceiling[row])}
                verdicts[column.name] = {"separated": bool(column.separated[row]), **ceiling, **numbers}
            edges = pair.first.edge_index.size(1) // 2
            rows.append(
                {
                    "pair": pair.name,
                    "category": pair.category,
                    "nodes": pair.first.num_nodes,
                    "edges": edges,
                    "verdicts": verdicts,
                }
            )
        return rows

    def csv(self) -> str:
        """A row per pair and column."""
        numbers = list(dict.fromkeys(name for column in self.columns for name in column.numbers))
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["pair", "category", "nodes", "edges", "name", "separated", "ceiling", *numbers])
        for row in self._rows():
            for name, verdict in row["verdicts"].items():
                cells = [verdict["separated"], verdict.get("ceiling", ""), *(verdict.get(number, "") for number in numbers)]
                writer.writerow([row["pair"], row["category"], row["nodes"], row["edges"], name, *cells])
        return text.getvalue()


def _cell(column: Verdicts, row: int) -> str:
    found = _MARK[bool(column.separated[row])]
    if column.ceiling is None or column.ceiling[row] == column.separated[row]:
        return found
    return f"{found} / {_MARK[bool(column.ceiling[row])]}"


def _count(column: Verdicts, rows: Flags) -> str:
    found = str(int(column.separated[rows].sum()))
    return found if column.ceiling is None else f"{found} / {int(column.ceiling[rows].sum())}"


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
