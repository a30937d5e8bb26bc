"""Learning curves, `benchmarks/results/TABLE/DATASET-MODEL-curve.csv`: the compared metrics by epoch."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.reproduce.table import Row
from graphkit.errors import CheckpointError, RequestError
from graphkit.metrics.registry import decimals
from graphkit.training.result import Metrics, RunResult, summarize


@dataclass(frozen=True)
class Curve:
    """The evaluated epochs of a run.

    Attributes:
        text: As CSV: seed, epoch, loss, and a column `split/metric` for each compared metric.
        points: Metrics by seed and epoch, in the order they were evaluated.
    """

    text: str
    points: dict[tuple[int, int], Metrics]

    @property
    def last(self) -> dict[int, int]:
        """The last epoch of each seed."""
        return dict(self.points.keys())

    def at_last_epoch(self, result: RunResult) -> RunResult:
        """The run's result with the metrics of the last epoch in the place of the selected one's."""
        return replace(result, metrics=summarize([self.points[seed, self.last[seed]] for seed in result.seeds]))

    def fits(self, result: RunResult) -> bool:
        """Whether the selected epochs' figures, as printed, stand in the curve."""
        for place, (seed, epoch) in enumerate(zip(result.seeds, result.best_epochs, strict=True)):
            for split, metrics in self.points.get((seed, epoch), {"": {}}).items():
                values = result.metrics.get(split, {})
                for name, value in metrics.items():
                    if abs(values[name]["per_seed"][place] - value) > 0.5 * 10.0 ** -decimals(name):
                        return False
            if (seed, epoch) not in self.points:
                return False
        return True


def curve_path(results: Path, table: str, row: Row) -> Path:
    """Where a row's learning curve lies."""
    return results / table / f"{row.dataset}-{row.shown_model}-curve.csv"


def curve_of_run(folder: Path, row: Row) -> Curve:
    """The learning curve of a finished run.

    Args:
        folder: The run folder.
        row: Its row; where test selects the epoch, validation's figures are those of test and are left out.

    Raises:
        CheckpointError: If the run's metrics.csv is missing or damaged.
    """
    splits = ("test",) if row.selects_on_test else ("valid", "test")
    columns = [f"{split}/{one.metric}" for split in splits for one in row.by_metric()]
    path = folder / "metrics.csv"
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = [line for line in csv.DictReader(file) if line[columns[0]]]
        text = io.StringIO()
        writer = csv.DictWriter(text, ["seed", "epoch", "loss", *columns], extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
        return _parse(text.getvalue())
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is missing or damaged: start the run again") from error


def read_curve(path: Path) -> Curve | None:
    """A committed learning curve, None where there is none.

    Raises:
        RequestError: If the file is damaged.
    """
    if not path.exists():
        return None
    try:
        return _parse(path.read_text(encoding="utf-8"))
    except (ValueError, KeyError, TypeError) as error:
        raise RequestError(f"{path} is damaged: remove it and its row's JSON file, and run the row again") from error


def _parse(text: str) -> Curve:
    points: dict[tuple[int, int], Metrics] = {}
    for line in csv.DictReader(io.StringIO(text)):
        metrics: Metrics = {}
        for column, cell in line.items():
            split, _, name = column.partition("/")
            if name:
                metrics.setdefault(split, {})[name] = float(cell)
        points[int(line["seed"]), int(line["epoch"])] = metrics
    if not points:
        raise ValueError("no evaluated epoch")
    return Curve(text, points)
