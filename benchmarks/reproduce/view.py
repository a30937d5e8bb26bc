"""The same table twice: for the terminal, and as the committed README.md of the results."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table as Grid

from benchmarks.reproduce.baselines import verdicts
from benchmarks.reproduce.curve import Curve, curve_path, read_curve
from benchmarks.reproduce.judge import AGREES, DISAGREES, TOLERANCE_STD, UNPUBLISHED, judge, rule
from benchmarks.reproduce.record import Record, command, differences, read_record, record_path
from benchmarks.reproduce.table import Row, Table, Value
from graphkit.metrics.registry import decimals, lower_is_better
from graphkit.training.result import Metrics, RunResult

NOT_RUN, OUTDATED = "not run", "settings changed since"
STALE_MARK = " †"
_STALE = (
    "† stale: the present code gives another figure than the recorded one, because it draws other random numbers or rounds "
    "otherwise; the last column of *Our runs* tells how that was found. The figure is that of the commit beside it."
)
_WIDTH = 100  # where stdout is no terminal
_AMONG = (
    "Plain baselines: {}. The row with the highest mean{} on the test split of each data set, computed from the results above; "
    "± is the standard deviation of the differences seed by seed. The highest of several means is flattered by chance, on both "
    "sides."
)


@dataclass(frozen=True)
class Line:
    """One metric of a row with what we found: a result, or what stands in the place of a judgment.

    Attributes:
        row: The row, of one metric.
        result: Its run's result, None if it was not run.
        instead: Shown instead of a judgment, empty if the result is judged.
        stale: Whether the present code is known to give another figure.
    """

    row: Row
    result: RunResult | None
    instead: str = ""
    stale: bool = False

    def value(self, split: str) -> Value | None:
        """Our mean and unbiased deviation."""
        ours = self.result.metrics[split].get(self.row.metric) if self.result else None
        return (ours["mean"], ours["std"]) if ours else None

    def agreement(self, tolerance_std: float = TOLERANCE_STD) -> str:
        """Whether ours and the published figure agree."""
        ours = self.value("test")
        return self.instead or (judge(self.row, ours[0], tolerance_std) if ours else NOT_RUN)

    @property
    def whole_result(self) -> RunResult | None:
        """The result if it is of the row's present settings and full length."""
        return None if self.instead or self.row.full_epochs is not None else self.result

    def cells(self, tolerance_std: float = TOLERANCE_STD) -> tuple[str, ...]:
        """Metric, the paper's, ours, their seeds, difference, agreement."""
        published, ours = self.row.published, self.value("test")
        agreement = self.agreement(tolerance_std)
        if self.row.tolerance is not None and agreement in (AGREES, DISAGREES):
            agreement += f" (distance {self.row.tolerance:g})"
        difference = ""
        if ours and published:
            digits = decimals(self.row.metric)
            difference = f"{round(ours[0] - published.test[0], digits) + 0.0:+.{digits}f}"  # no -0.00
        seeds = f"{len(self.result.seeds) if self.result else self.row.seeds} / {published.n if published else '-'}"
        paper = figure(published.test, self.row.metric) if published else ""
        return (
            self.row.metric,
            paper,
            figure(ours, self.row.metric) + (STALE_MARK if self.stale else ""),
            seeds,
            difference,
            agreement,
        )


def lines_of(row: Row, result: RunResult | None, instead: str = "", *, stale: bool = False) -> list[Line]:
    """A line for each metric of a row."""
    return [Line(one, result, instead, stale) for one in row.by_metric()]


def figure(value: Value | None, metric: str) -> str:
    """`82.32 ± 6.10`, `82.32` without a deviation, with the decimals of the metric; empty without a figure."""
    if value is None:
        return ""
    (mean, std), digits = value, decimals(metric)
    return f"{mean:.{digits}f}" if std is None else f"{mean:.{digits}f} ± {std:.{digits}f}"


def page(lines: list[Line], tolerance_std: float) -> str:
    """The table for the terminal, with the rule and the notes."""
    console = Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else _WIDTH)
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
    grid.add_column("row", no_wrap=True)
    for title in ("metric", "paper", "ours", "seeds", "difference", "agreement"):
        numeric = title in ("paper", "ours", "difference")
        grid.add_column(title, justify="right" if numeric else "left", no_wrap=numeric)
    for line in lines:
        grid.add_row(line.row.label, *line.cells(tolerance_std))
    with console.capture() as captured:
        console.print(grid)
        console.print(
            f"seeds: ours / the paper's; ± unbiased standard deviation; {rule(tolerance_std, (line.row for line in lines))}."
        )
        for text in _grouped((line.row.label, line.row.note) for line in lines):
            console.print(text)
    return "\n".join(text.rstrip() for text in captured.get().splitlines()) + "\n"


def readme(table: Table, results: Path) -> str:
    """The Markdown page of a table, from the table file and the committed results alone."""
    records = {row.name: read_record(record_path(results, table.name, row)) for row in table.rows}
    curves = {row.name: read_curve(curve_path(results, table.name, row)) for row in table.rows if row.curve}
    lines = [line for row in table.rows for line in _recorded(row, records[row.name], curves.get(row.name))]
    parts = [
        f"# {table.title}",
        f"Written by `python -m benchmarks.reproduce {table.name}` from the JSON files beside this page; not edited by hand. "
        f"Finished runs become claims by `python -m benchmarks.reproduce {table.name} --claims FOLDER`, which anybody with the "
        "data scores again by `python -m graphkit.verify claim=FILE`.",
        f"Ours is the mean ± unbiased standard deviation over the seeds {table.selection}. "
        f"Seeds: ours / the paper's. Rule: {rule(rows=table.rows)}.",
        _grid(
            ("data set", "model", "metric", "paper", "ours", "seeds", "difference", "agreement", "paper, valid", "ours, valid"),
            [
                (line.row.dataset, line.row.shown_model, *line.cells(), _published_valid(line.row), _ours_valid(line))
                for line in lines
            ],
        ),
        *([_STALE] if any(line.stale for line in lines) else []),
    ]
    if table.baselines:
        metrics = [one.metric for row in table.rows for one in row.by_metric()]
        of_errors = " (of errors the lowest)" if any(map(lower_is_better, metrics)) else ""
        found = verdicts(table, [(line.row, line.whole_result) for line in lines])
        parts += ["## Plain baselines and the others", _AMONG.format(", ".join(table.baselines), of_errors), _bullets(found)]
    notes = _grouped((row.label, row.note) for row in table.rows)
    parts += ["## Notes", _bullets(notes)] if notes else []
    sources = [
        (one.label, one.published.source if one.published else UNPUBLISHED) for row in table.rows for one in row.by_metric()
    ]
    parts += ["## Published figures", _bullets(_grouped(sources))]
    drawn = [_drawn(table.name, row, curve) for row in table.rows if (curve := curves.get(row.name))]
    parts += ["## Learning curves", _bullets(drawn)] if drawn else []
    ran = [(row, record) for row in table.rows if (record := records[row.name])]
    parts += ["## Our runs", _runs(ran)] if ran else []
    return "\n\n".join(parts) + "\n"


def _recorded(row: Row, record: Record | None, curve: Curve | None) -> list[Line]:
    if record is None:
        return lines_of(row, None)
    row = row.shortened(record.epochs)
    result = curve.at_last_epoch(record.result) if curve and row.last_epoch else record.result
    outdated = differences(record.settings, row.config) or (row.last_epoch and not curve)
    return lines_of(row, result, OUTDATED if outdated else "", stale=record.stale)


def _ours_valid(line: Line) -> str:
    if line.result is None or not line.row.selects_on_test:
        return figure(line.value("valid"), line.row.metric)
    return "last epoch" if line.row.last_epoch else "selected on test"


def _drawn(table: str, row: Row, curve: Curve) -> str:
    """A learning curve's file, and where it ends."""
    name = curve_path(Path(), table, row).name
    ends = []
    for seed, epoch in curve.last.items():
        test = curve.points[seed, epoch]["test"]
        figures = ", ".join(f"{one.metric} {test[one.metric]:.{decimals(one.metric)}f}" for one in row.by_metric())
        ends.append(f"seed {seed}, epoch {epoch:,}, test: {figures}")
    return f"{row.label}: [{name}]({name}); last point of {'; '.join(ends)}"


def _published_valid(row: Row) -> str:
    return figure(row.published.valid, row.metric) if row.published else ""


def _grouped(texts: Iterable[tuple[str, str]]) -> list[str]:
    """Each text once, after the labels that it belongs to."""
    labels: dict[str, dict[str, None]] = {}
    for label, text in texts:
        if text:
            labels.setdefault(text, {})[label] = None
    return [f"{', '.join(belonging)}: {text}" for text, belonging in labels.items()]


def _bullets(texts: Iterable[str]) -> str:
    return "\n".join(f"- {text}" for text in texts)


def _runs(ran: list[tuple[Row, Record]]) -> str:
    titles = ("row", "commit", "device", "threads", "torch", "parameters", "time", "command", "one seed again")
    cells = []
    warnings = []
    for row, record in ran:
        environment = record.environment
        commit = environment["git"]["commit"][:10] if environment["git"] else "unknown"
        device, threads, torch = environment["device"], str(environment["threads"]), environment["versions"]["torch"]
        time = duration(record.result.seconds)
        now = row.shortened(record.epochs)  # a default may have changed since, which the row's own command then states
        ran_by = record.command if differences(record.settings, now.config) else command(now)
        cells.append(
            (row.label, commit, device, threads, torch, f"{record.result.num_parameters:,}", time, f"`{ran_by}`",
             _again(record))
        )  # fmt: skip
        warnings += [(row.label, warning) for warning in record.warnings]
    return "\n\n".join([_grid(titles, cells), *(["Warnings:", _bullets(_grouped(warnings))] if warnings else [])])


def _again(record: Record) -> str:
    """What is known of whether the figures come back."""
    if record.outdated_streams:
        return "other random streams"
    rerun = record.rerun
    if rerun is None:
        return ""
    if rerun.same:
        return f"seed {rerun.seed}: the same, {rerun.commit[:10]}"
    return f"seed {rerun.seed}: {first_difference(rerun.metrics, record.result.of_seed(rerun.seed))}, {rerun.commit[:10]}"


def first_difference(now: Metrics, before: Metrics) -> str:
    """`test accuracy 72.973 instead of 62.1622`: the first metric that differs, those of the test split first."""
    for split in sorted(before):
        for metric, value in before[split].items():
            if now[split][metric] != value:
                return f"{split} {metric} {now[split][metric]:.6g} instead of {value:.6g}"
    return "the same"


def _grid(titles: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    written = [titles, tuple("---" for _ in titles), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in written)


def duration(seconds: float) -> str:
    """`0:05:12`, or `4.2 s` below a minute."""
    return f"{seconds:.1f} s" if seconds < 60 else str(timedelta(seconds=round(seconds)))


def list_page(table: Table, recorded: Mapping[str, bool]) -> str:
    """The rows of a table: what would be run, and whether a result is committed."""
    texts = [f"{table.title}: {len(table.rows)} rows"]
    for row in table.rows:
        figures = "; ".join(
            f"{one.metric}, paper {figure(one.published.test, one.metric) if one.published else UNPUBLISHED}"
            for one in row.by_metric()
        )
        texts += [
            f"{row.label}: {figures}, {'result committed' if recorded[row.name] else 'no result yet'}",
            f"    {command(row)}",
        ]
    return "\n".join(texts) + "\n"


def complaints(table: Table, results: Path) -> list[str]:
    """What is wrong with a table's committed page and results, one line each."""
    folder = results / table.name
    path = folder / "README.md"
    known = {f"{row.name}.json" for row in table.rows} | {curve_path(results, "", row).name for row in table.rows if row.curve}
    there = sorted(other for kind in ("*.json", "*.csv") for other in folder.glob(kind))
    orphans = [f"{other.name} belongs to no row" for other in there if other.name not in known]
    again = f"python -m benchmarks.reproduce {table.name}"
    outdated = []
    for row in table.rows:
        record = read_record(record_path(results, table.name, row))
        changed = differences(record.settings, row.shortened(record.epochs).config) if record else []
        advice = f"run the row again: {again} --only {row.label}"
        curve = read_curve(curve_path(results, table.name, row)) if record and row.curve else None
        if record and row.curve and not (curve and curve.fits(record.result)):
            outdated.append(f"{curve_path(results, '', row).name} is missing or of another run than {row.name}.json; {advice}")
        if changed:
            outdated.append(f"{row.name}.json was run with {', '.join(changed)}; {advice}")
    if not path.exists() or path.read_text(encoding="utf-8") != readme(table, results):
        outdated.append(f"{path.name} is not what the JSON files give; write it again: {again} --render")
    return orphans + outdated
