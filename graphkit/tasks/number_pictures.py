"""Pictures of predicted numbers: predicted against true."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphkit.charts import Axis, Line, Mark, Points, chart
from graphkit.tasks.report_parts import Array, named, row
from graphkit.training.report import Section

MOST_TARGETS = 4
MOST_POINTS = 500


def sections(predicted: Array, y: Array, targets: Sequence[str], names: Sequence[str]) -> list[Section]:
    """A chart of each of the first targets, of test graphs at equal distances in their order.

    Args:
        predicted: Numbers [G, T] of the test graphs.
        y: True numbers [G, T], NaN where not known.
        targets: Names of the targets; empty: their numbers.
        names: Names of the graphs [G].
    """
    charts = [
        _chart(predicted[:, t], y[:, t], named(targets, t, "target"), names) for t in range(min(y.shape[1], MOST_TARGETS))
    ]
    return [Section("Predicted against true, test graphs of the first seed", html)] if (html := row(*charts)) else []


def _chart(predicted: Array, y: Array, title: str, names: Sequence[str]) -> str:
    known = np.flatnonzero(~np.isnan(y))
    if not len(known):
        return ""
    shown = known[:: -(-len(known) // MOST_POINTS)]
    points = [(float(y[place]), float(predicted[place])) for place in shown]
    notes = [f"{names[place]}: {x:.4g}, predicted {up:.4g}" for place, (x, up) in zip(shown, points, strict=True)]
    ends = float(y[known].min()), float(y[known].max())
    about = "" if len(shown) == len(known) else f"{len(shown):,} of {len(known):,} graphs."
    marks: list[Mark] = [Line("exact", [(end, end) for end in ends], 1), Points("graphs", points, notes=notes)]
    return chart(title, marks, x=Axis("true"), y=Axis("predicted"), about=about)
