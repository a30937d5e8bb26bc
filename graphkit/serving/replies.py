"""What `graphkit.predict` prints: lists, a table, or that a file was written; as text, JSON or CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from graphkit.cli import tell
from graphkit.conf.listing import render
from graphkit.errors import shown
from graphkit.serving.files import Columns
from graphkit.training.table import as_text, cells

_LONGEST_NAME = 1_000


@dataclass(frozen=True, kw_only=True)
class Reply(ABC):
    """An answer to a request.

    Attributes:
        facts: What answered, in plain values.
        notes: Sentences on the answer.
    """

    facts: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    def page(self, format: str) -> str:
        """What stdout gets, as `text`, `json` or `csv`."""
        return {"text": self.text, "json": self.json, "csv": self.csv}[format]()

    @abstractmethod
    def text(self) -> str:
        """For people."""

    @abstractmethod
    def json(self) -> str:
        """For scripts."""

    @abstractmethod
    def csv(self) -> str:
        """For other programs; the notes go to stderr."""

    def _dumped(self, **content: Any) -> str:
        return json.dumps({**self.facts, **content}, indent=2, ensure_ascii=False) + "\n"

    def _written(self, header: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
        for note in self.notes:
            tell(note)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
        return text.getvalue()


@dataclass(frozen=True, kw_only=True)
class Lists(Reply):
    """Ranked lists, best first.

    Attributes:
        of: What has a list, e.g. `user`: a column, and a key of the JSON.
        what: What is listed, e.g. `item`: likewise.
        lists: The name of each that was asked for, None for a new one, with names and scores.
        called: What has a list, in a heading.
        nothing: A sentence in the place of a list that is empty.
    """

    of: str
    what: str
    lists: Sequence[tuple[str | None, Sequence[tuple[str, float]]]]
    called: str
    nothing: str

    def text(self) -> str:
        """A table per list."""
        parts: list[RenderableType] = []
        for name, ranked in self.lists:
            parts.append(Text(f"new {self.called}" if name is None else f"{self.called} {shown(name)}", style="bold"))
            rows = [(str(rank), one, f"{score:.6g}") for rank, (one, score) in enumerate(ranked, start=1)]
            parts.append(_table({"rank": True, self.what: False, "score": True}, rows) if rows else Text(f"{self.nothing}\n"))
        return render(*parts, *self.notes)

    def json(self) -> str:
        """The lists by name."""
        told = [
            {self.of: name, "top": [{self.what: one, "score": _plain(score)} for one, score in ranked]}
            for name, ranked in self.lists
        ]
        return self._dumped(lists=told)

    def csv(self) -> str:
        """A row per entry."""
        rows: list[tuple[Any, ...]] = []
        for name, ranked in self.lists:
            names = cells(as_text([one for one, _ in ranked]))
            whose = cells(as_text([name or ""]))[0]
            rows += [(whose, rank, one, score) for rank, (one, (_, score)) in enumerate(zip(names, ranked, strict=True), 1)]
        return self._written((self.of, "rank", self.what, "score"), rows)


@dataclass(frozen=True, kw_only=True)
class Rows(Reply):
    """A table.

    Attributes:
        key: What a row is, a key of the JSON.
        columns: Its columns by their header.
    """

    key: str
    columns: Columns = field(repr=False)

    def text(self) -> str:
        """The table."""
        right = {name: column.dtype.kind in "iuf" for name, column in self.columns.items()}
        shortened = ([f"{one:.6g}" if isinstance(one, float) else str(one) for one in values] for values in self._values())
        return render(_table(right, zip(*shortened, strict=True)), *self.notes)

    def json(self) -> str:
        """A row each."""
        rows = zip(*(map(_plain, values) for values in self._values()), strict=True)
        return self._dumped(**{self.key: [dict(zip(self.columns, row, strict=True)) for row in rows]})

    def csv(self) -> str:
        """The table as other files have it."""
        return self._written(self.columns, zip(*map(cells, self.columns.values()), strict=True))

    def _values(self) -> list[list[Any]]:
        return [_exact(column).tolist() for column in self.columns.values()]


@dataclass(frozen=True, kw_only=True)
class Written(Reply):
    """What was written into a file; its facts say the same.

    Attributes:
        sentence: What was written, and where.
    """

    sentence: str

    def text(self) -> str:
        """The sentence and the notes."""
        return "\n".join([self.sentence, *self.notes]) + "\n"

    def json(self) -> str:
        """The facts."""
        return self._dumped()

    def csv(self) -> str:
        """The check of a request lets nobody ask for it."""
        raise NotImplementedError("what is written to a file is no table on stdout.")


def _table(right: Mapping[str, bool], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, aligned in right.items():
        table.add_column(name, justify="right" if aligned else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(shown(cell, _LONGEST_NAME)) for cell in row))
    return table


def _plain(value: Any) -> Any:
    """A value as JSON has it, which knows no infinity."""
    return value if not isinstance(value, float) or math.isfinite(value) else None


def _exact(column: np.ndarray[Any, np.dtype[Any]]) -> np.ndarray[Any, np.dtype[Any]]:
    """Single-precision numbers as the shortest decimal numbers that give them back."""
    return column.astype(np.str_).astype(np.float64) if column.dtype == np.float32 else column
