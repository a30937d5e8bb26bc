"""Trials, and the result of a sweep. Imports neither torch nor Optuna, so that a finished sweep is read at once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from graphkit.metrics.registry import lower_is_better
from graphkit.training.result import RunResult


@dataclass(frozen=True)
class Trial:
    """A finished trial. It knows nothing of the test split.

    Attributes:
        number: Its number, from 0.
        values: The settings that are searched, by dotted key.
        valid: The validation metric, the mean over its seeds; None: the run failed.
        per_seed: The validation metric of each seed.
        seconds: Wall time of the run.
        parameters: Parameters of the model.
        folder: The run folder, below that of the sweep; empty where the run failed before it had one.
        error: Why it failed; empty: it did not.
    """

    number: int
    values: Mapping[str, Any]
    valid: float | None
    per_seed: tuple[float, ...] = ()
    seconds: float = 0.0
    parameters: int = 0
    folder: str = ""
    error: str = ""


def best_of(trials: Sequence[Trial], metric: str) -> Trial | None:
    """The trial with the best validation metric, the first of equals; None where all failed."""
    done = [(trial.valid, -trial.number, trial) for trial in trials if trial.valid is not None]
    if not done:
        return None
    sign = -1.0 if lower_is_better(metric) else 1.0
    return max(done, key=lambda one: (sign * one[0], one[1]))[2]


@dataclass(frozen=True)
class SweepResult:
    """The result of a sweep.

    Attributes:
        folder: The sweep's folder.
        metric: The validation metric that decides.
        sampler: `grid`, `tpe` or `random`.
        ranges: What was searched, by dotted key, as text.
        trials: All trials by number.
        best: Number of the winner.
        command: The command line that runs the winner's settings.
        recipe: The recipe's file with the winner's settings.
        importances: By dotted key the share of the validation metric's variance that a setting explains; empty where it
            cannot be told.
        result: The run that reports the winner: its own trial, or that of `final_seeds`. The one whose test metric is read.
    """

    folder: Path
    metric: str
    sampler: str
    ranges: Mapping[str, str]
    trials: tuple[Trial, ...]
    best: int
    command: str
    recipe: Path
    importances: Mapping[str, float]
    result: RunResult

    @property
    def winner(self) -> Trial:
        """The winner."""
        return self.trials[self.best]

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain JSON types."""
        return {
            "folder": str(self.folder),
            "metric": self.metric,
            "sampler": self.sampler,
            "ranges": dict(self.ranges),
            "trials": [asdict(trial) for trial in self.trials],
            "best": self.best,
            "command": self.command,
            "recipe": str(self.recipe),
            "reported": self.result.folder.resolve().relative_to(self.folder.resolve()).as_posix(),
            "importances": dict(self.importances),
            "result": self.result.to_dict(),
        }

    def to_json(self) -> str:
        """All fields as indented JSON."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False, ensure_ascii=False) + "\n"
