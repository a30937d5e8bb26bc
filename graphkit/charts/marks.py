"""Marks of a chart: lines, bands, points, bars, histograms and rules. Each says its values, its SVG and its key.

Values that are not finite are left out. A style is a number from 0: color, dash and marker go by it, modulo `STYLES`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from graphkit.charts.axis import Scale
from graphkit.charts.style import DASHES, STYLES
from graphkit.charts.text import escaped

Point = tuple[float, float]
MANY = 60
"""Points of which more are drawn small and translucent."""
MOST_POINTS = 400
"""Points of a line: more lie closer than a screen shows."""


class Mark(Protocol):
    """Something that is drawn into a chart."""

    @property
    def name(self) -> str:
        """As the legend says it; empty: it is not in the legend."""

    @property
    def style(self) -> int:
        """Number of its color, dash and marker."""

    def values(self) -> Iterator[tuple[float | None, float | None]]:
        """All x and y that must lie within the axes; None where there is none."""

    def svg(self, x: Scale, y: Scale) -> str:
        """Its elements."""

    def key(self) -> str:
        """Its elements in a legend's picture of 26 x 12."""


@dataclass(frozen=True)
class Line:
    """A line through points, and markers at some of them.

    Attributes:
        name: As the legend says it.
        points: x and y, in the order in which they are joined.
        style: Number of its style.
        dots: Points that get a marker.
        notes: What the markers say when they are pointed at; empty: name and values.
    """

    name: str
    points: Sequence[Point]
    style: int = 0
    dots: Sequence[Point] = ()
    notes: Sequence[str] = ()

    def values(self) -> Iterator[tuple[float | None, float | None]]:
        """All points."""
        yield from (*_finite(self.points), *_finite(self.dots))

    def svg(self, x: Scale, y: Scale) -> str:
        """A path, and the markers above it."""
        drawn = thinned(_finite(self.points), self.dots)
        path = "M" + "L".join(f"{x(across):g},{y(up):g}" for across, up in drawn) if drawn else ""
        notes = self.notes or [f"{self.name}: {across:g}, {up:.6g}" for across, up in self.dots]
        said = f"<title>{escaped(self.name)}</title>" if self.name else ""
        dots = "".join(_marker(x, y, dot, self.style, note) for dot, note in zip(self.dots, notes, strict=True))
        return f"{said}<path {_stroke(self.style)} d='{path}'/>{dots}"

    def key(self) -> str:
        """A piece of the line."""
        dot = _shape(13, 6, self.style) if self.dots else ""
        return f"<path {_stroke(self.style)} d='M0,6H26'/>{dot}"


@dataclass(frozen=True)
class Band:
    """An area between two lines.

    Attributes:
        name: As the legend says it.
        points: x with the lower and the upper y.
        style: Number of its style.
    """

    name: str
    points: Sequence[tuple[float, float, float]]
    style: int = 0

    def values(self) -> Iterator[tuple[float | None, float | None]]:
        """Both lines."""
        for across, low, high in self.points:
            yield from _finite([(across, low), (across, high)])

    def svg(self, x: Scale, y: Scale) -> str:
        """One closed path; of many points their extremes within equal parts."""
        found = [point for point in self.points if all(map(math.isfinite, point))]
        size = max(1, math.ceil(len(found) / MOST_POINTS))
        parts = [found[start : start + size] for start in range(0, len(found), size)]
        if not parts:
            return ""
        places = [x(part[0][0]) for part in parts[:-1]] + [x(parts[-1][-1][0])]
        upper = [f"{place:g},{y(max(high for *_, high in part)):g}" for place, part in zip(places, parts, strict=True)]
        lower = [f"{place:g},{y(min(low for _, low, _ in part)):g}" for place, part in zip(places, parts, strict=True)]
        return f"<title>{escaped(self.name)}</title><path class='area' d='M{'L'.join(upper + lower[::-1])}Z'/>"

    def key(self) -> str:
        """A piece of the area."""
        return "<rect class='area' y='1' width='26' height='10'/>"


@dataclass(frozen=True)
class Points:
    """Points, a marker each.

    Attributes:
        name: As the legend says it.
        points: x and y.
        style: Number of its style.
        notes: What each says when it is pointed at; empty: its values.
    """

    name: str
    points: Sequence[Point]
    style: int = 0
    notes: Sequence[str] = ()

    def values(self) -> Iterator[tuple[float | None, float | None]]:
        """All points."""
        yield from _finite(self.points)

    def svg(self, x: Scale, y: Scale) -> str:
        """The markers."""
        notes = self.notes or [f"{across:.6g}, {up:.6g}" for across, up in self.points]
        placed = zip(self.points, notes, strict=True)
        drawn = "".join(_marker(x, y, point, self.style, note) for point, note in placed if all(map(math.isfinite, point)))
        return f"<g class='many'>{drawn}</g>" if len(self.points) > MANY else drawn

    def key(self) -> str:
        """A marker."""
        return _shape(13, 6, self.style)


@dataclass(frozen=True)
class Bars:
    """A bar from 0 at each place of a categorical axis.

    Attributes:
        name: As the legend says it.
        heights: The value of each place; None: there is no bar.
        style: Number of its style.
        notes: What each says when it is pointed at; empty: its value.
        slot: Which of `slots` bars that stand side by side it is, from 0.
        slots: Bars that stand side by side.
    """

    name: str
    heights: Sequence[float | None]
    style: int = 0
    notes: Sequence[str] = ()
    slot: int = 0
    slots: int = 1

    def values(self) -> Iterator[tuple[float | None, float | None]]:
        """The values and 0."""
        yield None, 0.0
        for height in self.heights:
            if height is not None and math.isfinite(height):
                yield None, height

    def svg(self, x: Scale, y: Scale) -> str:
        """Rectangles of at most 48 units' width."""
        each = min(48.0, 0.72 * abs(x(1) - x(0)) / self.slots)
        notes = self.notes or ["" if height is None else f"{height:.6g}" for height in self.heights]
        drawn = []
        for place, (height, note) in enumerate(zip(self.heights, notes, strict=True)):
            if height is None or not math.isfinite(height):
                continue
            left = x(place) + (self.slot - self.slots / 2) * each + 1
            top, bottom = sorted((y(height), y(0)))
            drawn.append(
                f"<rect class='bar' x='{left:.1f}' y='{top:g}' width='{each - 2:.1f}' height='{bottom - top:.1f}'>"
                f"<title>{escaped(f'{self.name}: {note}' if self.name else note)}</title></rect>"
            )
        return "".join(drawn)

    def key(self) -> str:
        """A small bar."""
        return "<rect class='bar' x='8' y='1' width='10' height='10'/>"


@dataclass(frozen=True)
class Steps:
    """A histogram as an outline over its bins.

    Attributes:
        name: As the legend says it.
        edges: Where bins begin and end [B + 1], ascending.
        heights: The height of each bin [B].
        style: Number of its style.
    """

    name: str
    edges: Sequence[float]
    heights: Sequence[float]
    style: int = 0

    def values(self) -> Iterator[tuple[float | None, float | None]]:
        """The edges, the heights and 0."""
        yield from ((edge, 0.0) for edge in self.edges)
        yield from ((None, height) for height in self.heights)

    def svg(self, x: Scale, y: Scale) -> str:
        """A filled area below its outline."""
        steps = "".join(f"V{y(height):g}H{x(edge):g}" for edge, height in zip(self.edges[1:], self.heights, strict=True))
        path = f"M{x(self.edges[0]):g},{y(0):g}{steps}V{y(0):g}"
        return f"<title>{escaped(self.name)}</title><path class='area' d='{path}Z'/><path {_stroke(self.style)} d='{path}'/>"

    def key(self) -> str:
        """A piece of the area below its outline."""
        return f"<rect class='area' y='3' width='26' height='9'/><path {_stroke(self.style)} d='M0,3H26'/>"


@dataclass(frozen=True)
class Rule:
    """A thin dashed line over the whole chart, such as a baseline; its name stands beside it.

    Attributes:
        label: What it is, and its value.
        value: Where it lies.
        upright: Whether it is vertical, at a value of x.
        is_first: Whether its label stands at the beginning of the line, so that it is not in the way of another one.
    """

    label: str
    value: float
    upright: bool = False
    is_first: bool = False
    name: str = ""
    style: int = 0

    def values(self) -> Iterator[tuple[float | None, float | None]]:
        """Its place."""
        if math.isfinite(self.value):
            yield (self.value, None) if self.upright else (None, self.value)

    def svg(self, x: Scale, y: Scale) -> str:
        """The line with its label at the side where there is room."""
        if not math.isfinite(self.value):
            return ""
        said = escaped(self.label)
        if self.upright:
            place = x(self.value)
            is_right = place > (x.start + x.end) / 2
            anchor = f"x='{place - 5 if is_right else place + 5:g}' text-anchor='{'end' if is_right else 'start'}'"
            line, text = f"M{place:g},{y.start:g}V{y.end:g}", f"<text class='said' {anchor} y='{y.end + 12:g}'>{said}</text>"
        else:
            place = y(self.value)
            above = place - 5 if place - 18 > y.end else place + 14
            line = f"M{x.start:g},{place:g}H{x.end:g}"
            anchor = f"x='{x.start + 4:g}'" if self.is_first else f"x='{x.end - 2:g}' text-anchor='end'"
            text = f"<text class='said' {anchor} y='{above:g}'>{said}</text>"
        return f"<path class='rule' d='{line}'><title>{said}</title></path>{text}"

    def key(self) -> str:
        """It is named in the chart."""
        return ""


def thinned(points: Sequence[Point], kept: Sequence[Point] = ()) -> list[Point]:
    """Points that draw the same line at a chart's size: both ends, and of equal parts the lowest and the highest.

    Args:
        points: x and y.
        kept: Points of the line that stay in any case.
    """
    size = math.ceil(2 * len(points) / MOST_POINTS)
    if size <= 2:
        return list(points)
    chosen = {0, len(points) - 1}
    for start in range(0, len(points), size):
        part = range(start, min(start + size, len(points)))
        chosen |= {min(part, key=lambda place: points[place][1]), max(part, key=lambda place: points[place][1])}
    wanted = set(kept)
    return [point for place, point in enumerate(points) if place in chosen or point in wanted]


def _finite(points: Sequence[Point]) -> list[Point]:
    return [point for point in points if all(map(math.isfinite, point))]


def _stroke(style: int) -> str:
    dash = DASHES[style % STYLES]
    return "class='stroke'" + (f" stroke-dasharray='{dash}'" if dash else "")


def _marker(x: Scale, y: Scale, point: Point, style: int, note: str) -> str:
    return f"<g>{_shape(x(point[0]), y(point[1]), style)}<title>{escaped(note)}</title></g>"


def _shape(x: float, y: float, style: int) -> str:
    """Circle, square, triangle, diamond or cross."""
    number = style % STYLES
    if number == 0:
        return f"<circle class='mark' cx='{x:g}' cy='{y:g}' r='4'/>"
    paths = ("M-3.5,-3.5h7v7h-7z", "M0,-5L4.5,3.5H-4.5z", "M0,-5L5,0L0,5L-5,0z",
             "M-4,-1.3h2.7v-2.7h2.6v2.7h2.7v2.6h-2.7v2.7h-2.6v-2.7h-2.7z")  # fmt: skip
    return f"<path class='mark' transform='translate({x:g} {y:g})' d='{paths[number - 1]}'/>"
