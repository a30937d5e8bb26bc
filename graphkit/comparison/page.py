"""The page of a comparison: differences with their intervals, and the pairs by seed. One self-contained HTML file."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

import jinja2

from graphkit.comparison.answer import Compared, p_text
from graphkit.errors import shown
from graphkit.metrics.registry import decimals
from graphkit.training.report import plus_minus

_WIDTH, _ROW, _MARGIN, _LABEL = 640, 34, 24, 220
_HEIGHT = 240
_LONGEST_NAME = 60


@dataclass(frozen=True)
class _Row:
    """A difference in the forest of intervals: places of the interval, the mean and each seed."""

    label: str
    y: float
    low: float
    mean: float
    high: float
    dots: list[tuple[float, str]]


@dataclass(frozen=True)
class _Line:
    """A seed's scores, joined from run to run."""

    name: str
    points: str


def comparison_page(found: Compared) -> str:
    """Write the page.

    Returns:
        HTML with every name escaped.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("graphkit.comparison"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["name"] = lambda text: shown(text, _LONGEST_NAME)
    digits = decimals(found.metric)
    forest, zero = _forest(found, digits)
    lines, ticks, low, high = _by_seed(found, digits)
    return environment.get_template("compare.html.j2").render(
        found=found,
        forest=forest,
        zero=zero,
        lines=lines,
        ticks=ticks,
        low=low,
        high=high,
        signed=lambda value: f"{value:+.{digits}f}",
        scored=lambda scores: plus_minus(
            {"mean": statistics.fmean(scores.values()), "std": statistics.stdev(scores.values())}, digits
        ),
        p=lambda value: "-" if value is None else p_text(value),
        cost=lambda value: "unknown" if value is None else f"{value:,.1f}".removesuffix(".0"),
        width=_WIDTH,
        height=_HEIGHT,
        margin=_MARGIN,
        label=_LABEL,
        bottom=_ROW * (len(forest) + 1),
    )


def _forest(found: Compared, digits: int) -> tuple[list[_Row], float]:
    """A row per difference, and the place of no difference."""
    values = [value for one in found.differences for value in (one.low, one.high, *one.by_seed.values())]
    low, high = min(*values, 0.0), max(*values, 0.0)

    def place(value: float) -> float:
        return round(_LABEL + (_WIDTH - _LABEL - _MARGIN) * (value - low) / (high - low or 1.0), 1)

    rows = [
        _Row(
            f"{shown(one.one, 14)} - {shown(one.other, 14)}",
            _ROW * (number + 0.7),
            place(one.low),
            place(one.mean),
            place(one.high),
            [(place(value), f"seed {seed}: {value:+.{digits}f}") for seed, value in one.by_seed.items()],
        )
        for number, one in enumerate(found.differences)
    ]
    return rows, place(0.0)


def _by_seed(found: Compared, digits: int) -> tuple[list[_Line], list[tuple[float, str]], str, str]:
    """A line per seed over the runs, the runs' places, and the ends of the axis."""
    every = [value for scores in found.scores.values() for value in scores.values()]
    low, high = min(every), max(every)
    step = (_WIDTH - 8 * _MARGIN) / (len(found.scores) - 1)

    def point(run: int, value: float) -> str:
        y = _HEIGHT - 2 * _MARGIN - (_HEIGHT - 3 * _MARGIN) * (value - low) / (high - low or 1.0)
        return f"{4 * _MARGIN + step * run:.1f},{y:.1f}"

    lines = []
    for seed in found.seeds:
        values = [scores[seed] for scores in found.scores.values()]
        name = f"seed {seed}: " + ", ".join(f"{value:.{digits}f}" for value in values)
        lines.append(_Line(name, " ".join(point(run, value) for run, value in enumerate(values))))
    ticks = [(round(4 * _MARGIN + step * run, 1), shown(name, 20)) for run, name in enumerate(found.scores)]
    return lines, ticks, f"{low:.{digits}f}", f"{high:.{digits}f}"
