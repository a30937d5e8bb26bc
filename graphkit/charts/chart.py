"""A chart as inline SVG: marks between two axes, with a title above and a legend below."""

from __future__ import annotations

from collections.abc import Sequence

from graphkit.charts.axis import Axis, Scale, limits, ticks
from graphkit.charts.marks import Mark
from graphkit.charts.style import STYLES
from graphkit.charts.text import LETTER, clipped, escaped

WIDTH, HEIGHT = 400, 250
"""Size in its own unit: text of 12 units is read on a phone, and two charts stand side by side on a desk."""
TOP, RIGHT, BOTTOM = 26, 14, 42
_LONGEST = 14


def chart(title: str, marks: Sequence[Mark], *, x: Axis, y: Axis, about: str = "") -> str:
    """Draw a chart.

    Args:
        title: What it shows.
        marks: What is drawn, from back to front. Those with a name are in the legend.
        x: The axis across.
        y: The axis upwards.
        about: A sentence below the title.

    Returns:
        An element `<figure class="chart">`, well-formed XML; `graphkit.charts.STYLE` gives its looks.

    Raises:
        ValueError: If there is no mark.
    """
    if not marks:
        raise ValueError("a chart needs a mark.")
    values = [point for mark in marks for point in mark.values()]
    across = limits(x, (value for value, _ in values if value is not None))
    up = limits(y, (value for _, value in values if value is not None))
    labels = ticks(*up)
    left = round(max(len(label) for _, label in labels) * LETTER + 12)
    below = 10 if any("\n" in name for name in x.names) else 0
    scales = Scale(*across, left, WIDTH - RIGHT), Scale(*up, HEIGHT - BOTTOM - below, TOP)
    drawn = "".join(f"<g class='k{mark.style % STYLES}'>{mark.svg(*scales)}</g>" for mark in marks)
    inside = f"{_frame(*scales, x, y, labels)}{drawn}"
    return figure(title, inside, height=HEIGHT, said=f"{title}: {y.label} by {x.label}", about=about, legend=_legend(marks))


def figure(title: str, inside: str, *, height: float, said: str, about: str = "", legend: str = "") -> str:
    """Put elements into an SVG of `WIDTH` units with its title and legend.

    Args:
        title: What it shows.
        inside: SVG elements, with every name escaped.
        height: Its height in units.
        said: What is read aloud in its place.
        about: A sentence below the title.
        legend: HTML below it.
    """
    small = f"<small>{escaped(about)}</small>" if about else ""
    return (
        f"<figure class='chart'><figcaption>{escaped(title)}{small}</figcaption>"
        f"<svg viewBox='0 0 {WIDTH} {height:g}' role='img' aria-label='{escaped(said)}'>{inside}</svg>{legend}</figure>"
    )


def _frame(x: Scale, y: Scale, across: Axis, up: Axis, labels: Sequence[tuple[float, str]]) -> str:
    """Grid, axes, ticks and labels."""
    parts = []
    for number, label in labels:
        place = y(number)
        parts.append(f"<path class='grid' d='M{x.start:g},{place:g}H{x.end:g}'/>")
        parts.append(f"<text x='{x.start - 6:g}' y='{place + 4:g}' text-anchor='end'>{label}</text>")
    parts.append(f"<path class='axis' d='M{x.start:g},{y.start:g}H{x.end:g}'/>")
    parts.append(f"<text x='0' y='12'>{escaped(up.label)}</text>")
    parts.append(f"<text x='{x.end:g}' y='{HEIGHT - 5}' text-anchor='end'>{escaped(across.label)}</text>")
    if across.names:
        room = max(3, int((x(1) - x(0)) / LETTER)) if len(across.names) > 1 else _LONGEST
        for number, name in enumerate(across.names):
            first, _, second = name.partition("\n")
            said = escaped(f"{first}, {second}" if second else first)
            middle = f"x='{x(number):g}' text-anchor='middle'"
            below = f"<text class='minor' {middle} y='{y.start + 26:g}'>{clipped(second, room)}</text>" if second else ""
            parts.append(
                f"<g><title>{said}</title><text {middle} y='{y.start + 14:g}'>{clipped(first, room)}</text>{below}</g>"
            )
        return "".join(parts)
    for number, label in ticks(x.low, x.high, whole=across.whole):
        place = x(number)
        parts.append(f"<path class='axis' d='M{place:g},{y.start:g}v4'/>")
        parts.append(f"<text x='{place:g}' y='{y.start + 17:g}' text-anchor='middle'>{label}</text>")
    return "".join(parts)


def _legend(marks: Sequence[Mark]) -> str:
    """The marks with a name; none of a single one, which the title names."""
    named = [mark for mark in marks if mark.name and mark.key()]
    if len(named) < 2:
        return ""
    keys = "".join(
        f"<span><svg viewBox='0 0 26 12' aria-hidden='true' class='k{mark.style % STYLES}'>{mark.key()}</svg>"
        f"{escaped(mark.name)}</span>"
        for mark in named
    )
    return f"<div class='key'>{keys}</div>"
