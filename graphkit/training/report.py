"""report.html: one self-contained page with the result, the learning curves, the settings and the environment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jinja2

from graphkit.metrics.registry import decimals
from graphkit.training.files import write_atomic
from graphkit.training.history import Row
from graphkit.training.result import RunResult

_WIDTH, _HEIGHT, _MARGIN = 640, 240, 48
_MOST_POINTS = 400


@dataclass(frozen=True)
class Curve:
    """One seed's line: SVG points, and the selected epoch's place if it lies on it."""

    seed: int
    points: str
    best: tuple[float, float] | None


@dataclass(frozen=True)
class Chart:
    """A titled chart with its axes' ends."""

    title: str
    curves: list[Curve]
    first_epoch: int
    last_epoch: int
    low: str
    high: str


@dataclass(frozen=True)
class Section:
    """A part of the page that a task adds.

    Attributes:
        title: Its heading.
        html: What stands below, with every name escaped.
    """

    title: str
    html: str


@dataclass(frozen=True)
class Spread:
    """The values of one metric on one split over seeds: the place of each on an axis, and the mean."""

    title: str
    dots: list[tuple[float, str]]
    mean: float
    low: str
    high: str


def write_report(
    result: RunResult,
    config: dict[str, Any],
    environment: dict[str, Any],
    rows: Sequence[Row],
    sections: Sequence[Section] = (),
) -> None:
    """Write report.html into the run folder.

    Args:
        result: What the run found.
        config: Its settings.
        environment: Versions, device, threads, commit.
        rows: Lines of metrics.csv.
        sections: What the task adds.
    """
    loader = jinja2.PackageLoader("graphkit.training", "templates")
    page = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    selection = f"valid/{result.metric}"
    charts = [_chart("training loss", "loss", result, rows), _chart(f"validation {result.metric}", selection, result, rows)]
    text = page.get_template("report.html.j2").render(
        result=result,
        table=_table(result),
        charts=[chart for chart in charts if chart],
        spreads=_spreads(result),
        sections=sections,
        settings=_flat(config),
        environment=_flat(environment),
        width=_WIDTH,
        height=_HEIGHT,
        margin=_MARGIN,
    )
    write_atomic(result.folder / "report.html", text.encode())


def plus_minus(figure: dict[str, Any] | None, digits: int = 2) -> str:
    """`82.32 ± 6.10`, `82.32` without a deviation, empty without a figure."""
    if figure is None:
        return ""
    text = f"{figure['mean']:.{digits}f}"
    return text if figure.get("std") is None else f"{text} ± {figure['std']:.{digits}f}"


def _table(result: RunResult) -> list[dict[str, str]]:
    table = []
    for split, metrics in result.metrics.items():
        for name, ours in metrics.items():
            paper, digits = result.published(split, name), decimals(name)
            table.append(
                {
                    "split": split,
                    "metric": name,
                    "ours": plus_minus(ours, digits),
                    "paper": plus_minus(paper, digits),
                    "difference": f"{ours['mean'] - paper['mean']:+.{digits}f}" if paper else "",
                    "per_seed": ", ".join(f"{value:.{digits}f}" for value in ours["per_seed"]),
                }
            )
    return table


def _spreads(result: RunResult) -> list[Spread]:
    """The spread over seeds of the metric that selects, on each split; none of fewer than three seeds."""
    if len(result.seeds) < 3:
        return []
    spreads, digits = [], decimals(result.metric)
    for split, metrics in result.metrics.items():
        values = metrics[result.metric]["per_seed"]
        low, high = min(values), max(values)

        def place(value: float, low: float = low, span: float = high - low or 1.0) -> float:
            return round(_MARGIN + (_WIDTH - 2 * _MARGIN) * (value - low) / span, 1)

        dots = [(place(value), f"seed {seed}: {value:.{digits}f}") for seed, value in zip(result.seeds, values, strict=True)]
        mean = place(metrics[result.metric]["mean"])
        spreads.append(Spread(f"{split} {result.metric}", dots, mean, f"{low:.{digits}f}", f"{high:.{digits}f}"))
    return spreads


def _flat(tree: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for key, value in tree.items():
        if isinstance(value, dict):
            pairs += _flat(value, f"{prefix}{key}.")
        else:
            pairs.append((prefix + key, "" if value is None else str(value)))
    return pairs


def _chart(title: str, column: str, result: RunResult, rows: Sequence[Row]) -> Chart | None:
    """A chart of one column over epochs; None where there are not two points to join."""
    lines: dict[int, list[tuple[int, float]]] = {seed: [] for seed in result.seeds}
    for row in rows:
        value, seed, epoch = row[column], row["seed"], row["epoch"]
        if value is not None and seed is not None and epoch is not None and int(seed) in lines:
            lines[int(seed)].append((int(epoch), value))
    every = [point for line in lines.values() for point in line]
    if len({epoch for epoch, _ in every}) < 2:
        return None
    first, last = min(epoch for epoch, _ in every), max(epoch for epoch, _ in every)
    low, high = min(value for _, value in every), max(value for _, value in every)
    span = high - low if high > low else 1.0

    def place(epoch: int, value: float) -> tuple[float, float]:
        x = _MARGIN + (_WIDTH - 2 * _MARGIN) * (epoch - first) / (last - first)
        y = _HEIGHT - _MARGIN - (_HEIGHT - 2 * _MARGIN) * (value - low) / span
        return round(x, 1), round(y, 1)

    curves = []
    for seed, best_epoch in zip(result.seeds, result.best_epochs, strict=True):
        drawn = _thinned(lines[seed], best_epoch)
        best = next((place(epoch, value) for epoch, value in lines[seed] if epoch == best_epoch), None)
        curves.append(Curve(seed, " ".join(f"{x},{y}" for x, y in (place(*point) for point in drawn)), best))
    return Chart(title, curves, first, last, f"{low:.4g}", f"{high:.4g}")


def _thinned(line: list[tuple[int, float]], best_epoch: int) -> list[tuple[int, float]]:
    """Points that draw the same line at the page's size: of every few its lowest and highest, both ends, the selected epoch."""
    size = math.ceil(2 * len(line) / _MOST_POINTS)
    if size <= 2:
        return line
    kept = {line[0], line[-1], *(point for point in line if point[0] == best_epoch)}
    for start in range(0, len(line), size):
        part = line[start : start + size]
        kept |= {min(part, key=lambda point: point[1]), max(part, key=lambda point: point[1])}
    return sorted(kept)
