"""The text that a comparison prints."""

from __future__ import annotations

import statistics

from rich import box
from rich.table import Table

from graphkit.comparison.answer import Compared, p_text
from graphkit.conf.listing import render
from graphkit.errors import shown
from graphkit.metrics.registry import decimals
from graphkit.training.report import plus_minus

_LONGEST = 60


def comparison_text(found: Compared) -> str:
    """Scores, differences, what the test is about, budgets, warnings."""
    digits = decimals(found.metric)
    runs = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    runs.add_column(f"run, {found.split} {found.metric}")
    costs = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    costs.add_column("budget")
    for table, titles in ((runs, ("mean",)), (costs, tuple(next(iter(found.budgets.values()))))):
        for title in titles:
            table.add_column(title, justify="right")
    for name, scores in found.scores.items():
        score = {"mean": statistics.fmean(scores.values()), "std": statistics.stdev(scores.values())}
        runs.add_row(shown(name, _LONGEST), plus_minus(score, digits))
        told = ["-" if cost is None else f"{cost:,.1f}".removesuffix(".0") for cost in found.budgets[name].values()]
        costs.add_row(shown(name, _LONGEST), *told)
    pairs = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    pairs.add_column("difference")
    holm = ["p, Holm"] if len(found.differences) > 1 else []
    for title in ("mean", f"{100 * found.confidence:g} % interval", "p", *holm, "naive p"):
        pairs.add_column(title, justify="right")
    for one in found.differences:
        p_values = (one.p, *([one.corrected] if holm else []), one.naive)
        pairs.add_row(
            f"{shown(one.one, _LONGEST)} - {shown(one.other, _LONGEST)}",
            f"{one.mean:+.{digits}f}",
            f"{one.low:+.{digits}f} to {one.high:+.{digits}f}",
            *("-" if p is None else p_text(p) for p in p_values),
        )
    return render(
        f"{found.dataset}, {len(found.seeds)} seeds",
        runs,
        costs,
        pairs,
        found.test,
        *(found.verdict(one) for one in found.differences),
        *(f"warning: {warning}" for warning in found.warnings),
    )
