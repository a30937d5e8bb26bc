"""The text that a finished sweep prints."""

from __future__ import annotations

from rich import box
from rich.table import Table

from graphkit.conf.listing import render
from graphkit.conf.setting import show
from graphkit.errors import shown, shown_path
from graphkit.metrics.registry import decimals, lower_is_better
from graphkit.sweeps.trial import SweepResult
from graphkit.tasks.result_page import result_page

_SHOWN = 10
_LONGEST = 10_000


def sweep_page(result: SweepResult) -> str:
    """The best trials by validation, the winner's own page, and how to run it again."""
    digits = decimals(result.metric)
    sign = 1 if lower_is_better(result.metric) else -1
    done = sorted((sign * trial.valid, trial.number, trial) for trial in result.trials if trial.valid is not None)
    failed = len(result.trials) - len(done)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("trial", justify="right")
    for key in result.ranges:
        table.add_column(key, justify="right")
    table.add_column(f"valid {result.metric}", justify="right")
    for valid, _, trial in done[:_SHOWN]:
        table.add_row(str(trial.number), *(show(trial.values[key]) for key in result.ranges), f"{sign * valid:.{digits}f}")
    head = f"{len(result.trials)} trials (sampler={result.sampler})" + (f", {failed} failed" if failed else "")
    more = [f"the best {_SHOWN} are shown"] if len(done) > _SHOWN else []
    mattered = ", ".join(f"{key} {100 * share:.0f} %" for key, share in result.importances.items())
    return (
        render(", ".join([head, *more]), table, *([f"share of the variance by setting: {mattered}\n"] if mattered else []))
        + f"winner: trial {result.best}\n"
        + result_page(result.result)
        + f"run it again: {shown(result.command, _LONGEST)}\n"
        + f"recipe: {shown_path(result.recipe)}\n"
        + f"sweep: {shown_path(result.folder / 'report.html')}\n"
    )
