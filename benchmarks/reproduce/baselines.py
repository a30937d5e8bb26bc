"""Where a plain baseline does as well as anything: one sentence for each data set, computed from the committed results."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.reproduce.table import Row, Table
from graphkit.metrics.registry import decimals, lower_is_better
from graphkit.training.result import RunResult


@dataclass(frozen=True)
class _Entry:
    """A row's metric with its values on the test split, by seed."""

    model: str
    metric: str
    plain: bool
    values: dict[int, float]

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values.values())

    @property
    def shown(self) -> str:
        std = f" ± {self.printed(statistics.stdev(self.values.values()))}" if len(self.values) > 1 else ""
        return f"{self.model}, {self.printed(self.mean)}{std}"

    @property
    def goodness(self) -> float:
        """The mean, turned so that higher is better."""
        return -self.mean if lower_is_better(self.metric) else self.mean

    def printed(self, value: float) -> str:
        """A value of the metric."""
        return f"{value:.{decimals(self.metric)}f}"


def verdicts(table: Table, ours: Iterable[tuple[Row, RunResult | None]]) -> list[str]:
    """What the results say about plain baselines.

    Args:
        table: The table with its `baselines`.
        ours: Each row, of one metric, with its result; None where it has none that counts.

    Returns:
        A sentence for each data set and metric, in the table's order.
    """
    groups: dict[tuple[str, str, str], list[tuple[Row, RunResult | None]]] = {}
    for row, result in ours:
        groups.setdefault((row.task, row.dataset, row.metric), []).append((row, result))
    sentences = []
    for (_, dataset, metric), rows in groups.items():
        entries = [_entry(table, row, result) for row, result in rows if result is not None]
        missing = len(rows) - len(entries)
        left = f" {missing} of {len(rows)} rows have no result yet." if missing else ""
        sentences.append(f"{dataset}, {metric}: {_verdict(entries)}.{left}")
    return sentences


def _entry(table: Table, row: Row, result: RunResult) -> _Entry:
    values = result.metrics["test"][row.metric]["per_seed"]
    return _Entry(
        row.shown_model, row.metric, row.model in table.baselines, values=dict(zip(result.seeds, values, strict=True))
    )


def _verdict(entries: list[_Entry]) -> str:
    if len({entry.plain for entry in entries}) < 2:
        return "nothing to compare yet"
    plain, other = (max((e for e in entries if e.plain is side), key=lambda e: e.goodness) for side in (True, False))
    if plain.printed(plain.mean) == other.printed(other.mean):
        return f"**a plain baseline does as well**: {plain.shown}, and the best of the others, {other.shown}"
    if plain.goodness > other.goodness:
        return f"**a plain baseline wins**: {plain.shown}, {_ahead(plain, other)} of the best of the others, {other.shown}"
    return f"{other.shown}, {_ahead(other, plain)} of the best plain baseline, {plain.shown}"


def _ahead(first: _Entry, second: _Entry) -> str:
    difference = first.goodness - second.goodness
    if first.values.keys() != second.values.keys() or len(first.values) < 2:
        return f"{first.printed(difference)} ahead"
    std = statistics.stdev(first.values[seed] - second.values[seed] for seed in first.values)
    within = ", so within one deviation," if difference <= std else ""
    return f"{first.printed(difference)} ± {first.printed(std)}{within} ahead"
