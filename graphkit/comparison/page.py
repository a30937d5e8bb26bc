"""The page of a comparison: differences with their intervals, and the pairs by seed. One self-contained HTML file."""

from __future__ import annotations

import statistics

import jinja2

from graphkit.charts import STYLE, Axis, Line, Mark, Points, Rule, chart
from graphkit.comparison.answer import Compared, p_text
from graphkit.errors import shown
from graphkit.metrics.registry import decimals
from graphkit.training.report import plus_minus

_LONGEST_NAME = 60
_BESIDE = 0.12
"""How far the points of seeds stand from the interval, in places of the axis."""


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
    return environment.get_template("compare.html.j2").render(
        found=found,
        style=STYLE,
        charts=[_intervals(found, digits), _by_seed(found, digits)],
        signed=lambda value: f"{value:+.{digits}f}",
        scored=lambda scores: plus_minus(
            {"mean": statistics.fmean(scores.values()), "std": statistics.stdev(scores.values())}, digits
        ),
        p=lambda value: "-" if value is None else p_text(value),
        cost=lambda value: "unknown" if value is None else f"{value:,.1f}".removesuffix(".0"),
    )


def _intervals(found: Compared, digits: int) -> str:
    """Each difference with its interval, and beside it those of the seeds."""
    names = [f"{one.one} -\n{one.other}" for one in found.differences]
    marks: list[Mark] = [Rule("no difference", 0.0)]
    for place, one in enumerate(found.differences):
        mean, ends = (float(place), one.mean), [(float(place), one.low), (float(place), one.high)]
        told = f"{one.one} - {one.other}: {one.mean:+.{digits}f}, {one.low:+.{digits}f} to {one.high:+.{digits}f}"
        marks.append(Line("" if place else "mean and interval", ends, 0, [mean], [told]))
    seeds = [
        ((place + _BESIDE, value), f"seed {seed}: {value:+.{digits}f}")
        for place, one in enumerate(found.differences)
        for seed, value in one.by_seed.items()
    ]
    marks.append(Points("seeds", [point for point, _ in seeds], 1, [note for _, note in seeds]))
    about = f"{100 * found.confidence:g} % intervals" + (
        ", not corrected for several comparisons." if len(found.differences) > 1 else "."
    )
    axis = Axis(f"difference of {found.split} {found.metric}")
    return chart("Differences", marks, x=Axis("", names=names), y=axis, about=about)


def _by_seed(found: Compared, digits: int) -> str:
    """A line per seed over the runs."""
    marks: list[Mark] = []
    for seed in found.seeds:
        points = [(float(run), scores[seed]) for run, scores in enumerate(found.scores.values())]
        notes = [f"seed {seed}, {name}: {scores[seed]:.{digits}f}" for name, scores in found.scores.items()]
        marks.append(Line("", points, 0, points, notes))
    axis = Axis(f"{found.split} {found.metric}")
    return chart("Pairs by seed", marks, x=Axis("", names=list(found.scores)), y=axis, about="One line per seed.")
