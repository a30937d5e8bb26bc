"""From the seeds of a run, each trained and evaluated, to its result."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from graphkit.training.history import History, Row
from graphkit.training.result import OverSeeds, RunResult, summarize, undecided


def run_result(
    config: Mapping[str, Any],
    folder: Path,
    states: Sequence[Mapping[str, Any]],
    history: History,
    *,
    paper: dict[str, Any] | None,
    protocol: str,
    split: str,
    notes: tuple[str, ...],
    over_seeds: OverSeeds | None,
    tell: Callable[[str], None],
) -> RunResult:
    """The result of a run.

    Args:
        config: The settings of the run.
        folder: Its folder.
        states: The last checkpoint of each seed, with its outcome.
        history: All lines of metrics.csv.
        paper: Published figures.
        protocol: What was trained on, what was held out.
        split: Name of the split.
        notes: Plain sentences about the run; those that come of the result follow them.
        over_seeds: Makes the figures of the epochs of all seeds; None: they are those of each seed's selected epoch.
        tell: Hears the sentences that come of the result.
    """
    rows = history.rows()
    trained = [seconds for row in rows if row["loss"] is not None and (seconds := row["seconds"]) is not None]
    epoch_seconds = statistics.median(trained) if trained else None
    outcomes = [state["outcome"] for state in states]
    metric, seeds = states[0]["metric"], tuple(state["seed"] for state in states)
    metrics = [outcome["metrics"] for outcome in outcomes]
    best_epochs = tuple(outcome["best_epoch"] for outcome in outcomes)
    told, selection = [], ""
    if over_seeds is not None:
        pooled = over_seeds(metric, {seed: _of_seed(rows, seed) for seed in seeds})
        metrics, best_epochs, selection = list(pooled.metrics), pooled.epochs, pooled.selection
        told.append(pooled.note)
    elif note := undecided(metric, {seed: history.values(seed, f"valid/{metric}") for seed in seeds}):
        told.append(note)
    for note in told:
        tell(note)
    return RunResult(
        task=config["task"]["name"],
        dataset=config["dataset"],
        model=config["model"]["name"],
        metric=metric,
        metrics=summarize(metrics),
        seeds=seeds,
        best_epochs=best_epochs,
        num_parameters=outcomes[0]["num_parameters"],
        paper=paper,
        seconds=sum(outcome["seconds"] for outcome in outcomes),
        epoch_seconds=epoch_seconds,
        steps_per_second=outcomes[0]["num_batches"] / epoch_seconds if epoch_seconds else None,
        peak_memory_mb=max(outcome["peak_memory_mb"] for outcome in outcomes),
        folder=folder,
        protocol=protocol,
        notes=(*notes, *told),
        selection=selection,
        split=split,
    )


def _of_seed(rows: Sequence[Row], seed: int) -> list[Row]:
    return [row for row in rows if row["seed"] == seed]
