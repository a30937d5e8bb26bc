"""report.html: one self-contained page with the result, the learning curves, what the task shows, and how to go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import jinja2

from graphkit.charts import STYLE, STYLES, Axis, Band, Line, Mark, Points, Rule, chart
from graphkit.metrics.registry import decimals, unit
from graphkit.training.files import write_atomic
from graphkit.training.history import Row
from graphkit.training.result import Metrics, RunResult

_SPREAD = 3
"""Seeds from which on their spread is drawn."""


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
class Baseline:
    """The simplest predictor, judged on the split of a run by its metrics.

    Attributes:
        name: What it is, e.g. `majority class`.
        metrics: Its metrics by split; empty: it was not computed.
        note: A sentence on the split that it is of, or on why it was not computed.
    """

    name: str
    metrics: Metrics
    note: str = ""

    def value(self, split: str, metric: str) -> float | None:
        """One of its figures, None where it has none."""
        return self.metrics.get(split, {}).get(metric)


@dataclass(frozen=True)
class Step:
    """What can be done with a finished run.

    Attributes:
        what: The purpose in a few words.
        command: The command line.
    """

    what: str
    command: str


@dataclass(frozen=True)
class Additions:
    """What a run's task and settings add to its page.

    Attributes:
        sections: Further parts of the page.
        baseline: The simplest predictor; None: there is none.
        command: The command line that gives the same run; empty: there is none.
        steps: What can be done next.
    """

    sections: Sequence[Section] = ()
    baseline: Baseline | None = None
    command: str = ""
    steps: Sequence[Step] = ()


def additions(make: Callable[[RunResult], Additions], result: RunResult, tell: Callable[[str], None]) -> Additions:
    """What a task adds to the page of a run. If making it fails, the page says so: a picture is no reason to lose a result.

    Args:
        make: Makes it.
        result: What the run found.
        tell: Hears what failed.
    """
    try:
        return make(result)
    except Exception as error:  # whatever it is, the run itself has succeeded
        said = f"report.html lacks the pictures of task={result.task} ({type(error).__name__}: {error}); the result is complete"
        tell(said)
        return Additions(sections=[Section("Pictures", f"<p>{escape(said)}.</p>")])


def write_report(
    result: RunResult,
    config: dict[str, Any],
    environment: dict[str, Any],
    rows: Sequence[Row],
    added: Additions = Additions(),
) -> None:
    """Write report.html into the run folder.

    Args:
        result: What the run found.
        config: Its settings.
        environment: Versions, device, threads, commit.
        rows: Lines of metrics.csv.
        added: What the task adds.
    """
    loader = jinja2.PackageLoader("graphkit.training", "templates")
    page = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    page.filters["plus_minus"] = plus_minus
    charts = [*_curves(result, rows, added.baseline), *_spread(result, added.baseline)]
    text = page.get_template("report.html.j2").render(
        style=STYLE,
        result=result,
        added=added,
        table=_table(result, added.baseline),
        tiles=_tiles(result, added.baseline),
        charts=charts,
        settings=_flat(config),
        environment=_flat(environment),
    )
    write_atomic(result.folder / "report.html", text.encode())


def plus_minus(figure: dict[str, Any] | None, digits: int = 2) -> str:
    """`82.32 ± 6.10`, `82.32` without a deviation, empty without a figure."""
    if figure is None:
        return ""
    text = f"{figure['mean']:.{digits}f}"
    return text if figure.get("std") is None else f"{text} ± {figure['std']:.{digits}f}"


def _tiles(result: RunResult, baseline: Baseline | None) -> list[tuple[str, str]]:
    """The figures that are looked at first, with what they are: of the test split, or of the last one there is."""
    split = "test" if "test" in result.metrics else list(result.metrics)[-1]
    digits = decimals(result.metric)
    tiles = [(f"{split} {result.metric}", plus_minus(result.metrics[split][result.metric], digits))]
    if baseline and (value := baseline.value(split, result.metric)) is not None:
        tiles.append((baseline.name, f"{value:.{digits}f}"))
    if published := result.published(split, result.metric):
        tiles.append(("paper", plus_minus(published, digits)))
    return tiles


def _table(result: RunResult, baseline: Baseline | None) -> list[dict[str, str]]:
    """A row for each metric of each split, the baseline's below it."""
    table = []
    for split, metrics in result.metrics.items():
        for name, ours in metrics.items():
            paper, digits = result.published(split, name), decimals(name)
            simple = baseline.value(split, name) if baseline else None
            table.append(
                {
                    "split": split,
                    "metric": name,
                    "ours": plus_minus(ours, digits),
                    "paper": plus_minus(paper, digits),
                    "difference": f"{ours['mean'] - paper['mean']:+.{digits}f}" if paper else "",
                    "per_seed": ", ".join(f"{value:.{digits}f}" for value in ours["per_seed"]),
                    "baseline": "" if simple is None else f"{simple:.{digits}f}",
                }
            )
    return table


def _flat(tree: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for key, value in tree.items():
        if isinstance(value, dict):
            pairs += _flat(value, f"{prefix}{key}.")
        else:
            pairs.append((prefix + key, "" if value is None else str(value)))
    return pairs


def _curves(result: RunResult, rows: Sequence[Row], baseline: Baseline | None) -> list[str]:
    """Training loss and the validation metric over epochs, where there are two epochs or more."""
    selected = "The marker is the epoch that the figures are of."
    found = [_curve("Training loss", "loss", Axis("loss"), "", result, rows, [])]
    axis = Axis(f"{result.metric}{unit(result.metric)}")
    rules = _rules(result.metric, "valid", baseline)
    title = f"Validation {result.metric}"
    found.append(_curve(title, f"valid/{result.metric}", axis, selected, result, rows, rules))
    return [one for one in found if one]


def _curve(
    title: str, column: str, axis: Axis, about: str, result: RunResult, rows: Sequence[Row], rules: Sequence[Mark]
) -> str:
    """A chart of one column; empty where there are not two epochs to join."""
    lines: dict[int, list[tuple[float, float]]] = {seed: [] for seed in result.seeds}
    for row in rows:
        value, seed, epoch = row[column], row["seed"], row["epoch"]
        if value is not None and seed is not None and epoch is not None and int(seed) in lines:
            lines[int(seed)].append((epoch, value))
    if len({epoch for line in lines.values() for epoch, _ in line}) < 2:
        return ""
    marks: list[Mark]
    if len(result.seeds) > STYLES:
        marks = _pooled(lines, f"{len(result.seeds)} seeds, lowest to highest")
        about = ""
    else:
        marks = []
        for style, (seed, best) in enumerate(zip(result.seeds, result.best_epochs, strict=True)):
            dots = [point for point in lines[seed] if about and point[0] == best]
            marks.append(Line(f"seed {seed}", lines[seed], style, dots))
    return chart(title, [*marks, *rules], x=Axis("epoch", whole=True), y=axis, about=about)


def _pooled(lines: dict[int, list[tuple[float, float]]], name: str) -> list[Mark]:
    """The mean over the seeds that reached an epoch, and the area between the lowest and the highest one."""
    at: dict[float, list[float]] = {}
    for line in lines.values():
        for epoch, value in line:
            at.setdefault(epoch, []).append(value)
    epochs = sorted(at)
    return [
        Band(name, [(epoch, min(at[epoch]), max(at[epoch])) for epoch in epochs]),
        Line("mean", [(epoch, sum(at[epoch]) / len(at[epoch])) for epoch in epochs]),
    ]


def _spread(result: RunResult, baseline: Baseline | None) -> list[str]:
    """The metric that selects, of every seed on every split; none of few seeds."""
    if len(result.seeds) < _SPREAD:
        return []
    digits, marks = decimals(result.metric), list[Mark]()
    splits = sorted(result.metrics, key="test".__ne__)
    for style, split in enumerate(splits):
        values = result.metrics[split][result.metric]["per_seed"]
        points = [(float(seed), value) for seed, value in zip(result.seeds, values, strict=True)]
        notes = [f"seed {seed}, {split}: {value:.{digits}f}" for seed, value in zip(result.seeds, values, strict=True)]
        marks.append(Points(split, points, style, notes))
    mean = result.metrics[splits[0]][result.metric]["mean"]
    marks.append(Rule(f"mean {splits[0]} {mean:.{digits}f}", mean, is_first=True))
    marks += _rules(result.metric, splits[0], baseline)
    axis = Axis(f"{result.metric}{unit(result.metric)}")
    return [chart("Spread over seeds", marks[::-1], x=Axis("seed", whole=True), y=axis)]


def _rules(metric: str, split: str, baseline: Baseline | None) -> list[Mark]:
    """The baseline's figure as a line."""
    value = baseline.value(split, metric) if baseline else None
    return [] if value is None or baseline is None else [Rule(f"{baseline.name} {value:.{decimals(metric)}f}", value)]
