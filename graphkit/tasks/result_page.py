"""The text that a finished run prints."""

from __future__ import annotations

from rich import box
from rich.console import RenderableType
from rich.table import Table

from graphkit.conf.listing import render
from graphkit.errors import shown_path
from graphkit.metrics.registry import decimals
from graphkit.training.report import plus_minus
from graphkit.training.result import RunResult


def result_page(result: RunResult) -> str:
    """The result table, ours beside the paper's where the recipe knows it."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(f"metric, {result.split}" if result.split else "metric")
    published = [part for part in result.metrics if any(result.published(part, name) for name in result.metrics[part])]
    for title in (*result.metrics, *(f"paper {part}" for part in published)):
        table.add_column(title, justify="right")
    for name in next(iter(result.metrics.values())):
        digits = decimals(name)
        ours = [plus_minus(result.metrics[part][name], digits) for part in result.metrics]
        table.add_row(name, *ours, *(plus_minus(result.published(part, name), digits) for part in published))
    seeds = f"seed {result.seeds[0]}"
    if len(result.seeds) > 1:
        seeds = f"seeds {result.seeds[0]} to {result.seeds[-1]}, mean ± unbiased standard deviation"
    selection = result.selection or f"epoch selected by valid {result.metric}"
    lines: list[RenderableType] = [
        f"{result.model} on {result.dataset} (task={result.task}): {seeds}",
        table,
        f"{selection}; {result.num_parameters:,} parameters; {result.seconds:.1f} s",
    ]
    if result.protocol:
        lines.append(f"protocol: {result.protocol}")
    if published and result.paper:
        lines.append(f"paper: {result.paper['source']}")
    return render(*lines) + f"report: {shown_path(result.folder / 'report.html')}\n"
