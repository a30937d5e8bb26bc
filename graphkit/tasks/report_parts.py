"""Parts that the reports of all tasks are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from graphkit.charts.text import escaped
from graphkit.training.report import Baseline, Section
from graphkit.training.result import RunResult

if TYPE_CHECKING:
    from graphkit.conf.schema import Run

Array = np.ndarray[Any, np.dtype[Any]]
Arrays = dict[str, Array]


@dataclass(frozen=True)
class Finished:
    """A run that has come to its end: its settings, and what it found."""

    settings: Run
    result: RunResult


@dataclass(frozen=True)
class TaskReport:
    """What a task adds to a run's report.

    Attributes:
        sections: Further parts of the page.
        baseline: The simplest predictor on the run's split.
        samples: A sample of the test split by the setting that names one for `graphkit.explain` or `graphkit.predict`, e.g.
            `{"node": "ada"}`, as it is typed there.
    """

    sections: Sequence[Section]
    baseline: Baseline | None = None
    samples: Mapping[str, str] = field(default_factory=dict)


def row(*charts: str) -> str:
    """Charts side by side where there is room; empty ones are left out."""
    return f'<div class="charts">{"".join(charts)}</div>' if any(charts) else ""


def table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """A table that scrolls where it is too wide.

    Args:
        head: Titles of the columns.
        rows: Their cells, not escaped.
        numbers: Columns that are aligned to the right.
    """
    kinds = [' class="number"' if place in numbers else "" for place in range(len(head))]
    titles = "".join(f"<th{kind}>{escaped(cell)}</th>" for kind, cell in zip(kinds, head, strict=True))
    lines = ("".join(f"<td{kind}>{escaped(cell)}</td>" for kind, cell in zip(kinds, cells, strict=True)) for cells in rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="scroll"><table><tr>{titles}</tr>{body}</table></div>'


def named(names: Sequence[str], number: int, kind: str = "") -> str:
    """The name of something; its number where it has none, after `kind`."""
    return names[number] if names else f"{kind} {number}".strip()


def typed(*names: str) -> str:
    """Names as one setting lists them: those with commas or quotes as in a CSV file."""
    quoted = [f'"{name.replace(chr(34), chr(34) * 2)}"' if set(name) & set(',"') else name for name in names]
    return ",".join(quoted)
