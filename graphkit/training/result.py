"""What a run found: metrics over seeds, ours beside the paper's. Imports no torch, so that a door reads old results at once."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

Metrics = dict[str, dict[str, float]]
"""`{split: {metric: value}}` of one seed."""
Summary = dict[str, dict[str, dict[str, Any]]]
"""`{split: {metric: {"mean": float, "std": float | None, "per_seed": [float]}}}`."""


@dataclass(frozen=True)
class Pooled:
    """What all seeds of a run give together, where it is not each seed's selected epoch.

    Attributes:
        metrics: Those of each seed.
        epochs: The epoch of each seed that they stand for.
        selection: How they were chosen, in a few words.
        note: How they came about, in plain sentences.
    """

    metrics: Sequence[Metrics]
    epochs: tuple[int, ...]
    selection: str
    note: str


OverSeeds = Callable[[str, Mapping[int, Sequence[Mapping[str, float | None]]]], Pooled]
"""From the metric that selects and the lines of metrics.csv of each seed to what they give together."""


def summarize(per_seed: Sequence[Metrics]) -> Summary:
    r"""Mean and unbiased standard deviation over seeds.

    .. math:: s^2 = \frac{1}{n - 1} \sum_i (v_i - \bar v)^2

    Args:
        per_seed: One `{split: {metric: value}}` a seed, all with the same splits and metrics.

    Returns:
        `{split: {metric: {"mean", "std", "per_seed"}}}`; `std` is None for a single seed.
    """
    summary: Summary = {}
    for split, names in per_seed[0].items():
        summary[split] = {}
        for name in names:
            values = [metrics[split][name] for metrics in per_seed]
            std = statistics.stdev(values) if len(values) > 1 else None
            summary[split][name] = {"mean": statistics.fmean(values), "std": std, "per_seed": values}
    return summary


def undecided(metric: str, values: Mapping[int, Sequence[float]]) -> str | None:
    """A sentence where the selection metric told no epoch from another.

    Args:
        metric: The metric that selects the epoch.
        values: Its validation values by seed, in the order of the evaluations.

    Returns:
        The sentence, None where every seed of several evaluations has more than one value.
    """
    constant = {seed: one for seed, one in values.items() if len(one) > 1 and min(one) == max(one)}
    if not constant:
        return None
    seeds = ", ".join(f"seed {seed} ({one[0]:.2f} in all {len(one)} evaluations)" for seed, one in constant.items())
    return f"Validation {metric}, which selects the epoch, took one value in {seeds}: the loss alone decided."


@dataclass(frozen=True)
class RunResult:
    """The result of a run.

    Attributes:
        task: Name of the task.
        dataset: Name of the data set.
        model: Name of the model.
        metric: The validation metric that selected the epoch.
        metrics: `{split: {metric: {"mean", "std", "per_seed"}}}` of the selected epoch; std unbiased, None for one seed.
        seeds: The seeds, in the order of `per_seed`.
        best_epochs: The selected epoch of each seed; 0: evaluated without training.
        num_parameters: Parameters of the model.
        paper: The published figures, `{"source": str, "test": {metric: {"mean": float, "std": float | None}}}`, or None.
        seconds: Wall time of all seeds, interruptions not counted.
        epoch_seconds: Median training time of an epoch, without evaluation; None if nothing was trained.
        steps_per_second: Training steps a second at that median; None if nothing was trained.
        peak_memory_mb: Peak memory in MiB: of the GPU on CUDA, else resident memory of the process; 0 where unknown.
        folder: The run folder.
        protocol: One or two sentences: what was trained on, what was held out.
        notes: Further plain sentences about the run, e.g. the recipe used.
        selection: How the epochs that the figures stand for were chosen; empty: each seed's by the validation metric.
        split: Name of the split that the figures are of; empty where the data set's name fixes it.
    """

    task: str
    dataset: str
    model: str
    metric: str
    metrics: Summary
    seeds: tuple[int, ...]
    best_epochs: tuple[int, ...]
    num_parameters: int
    paper: dict[str, Any] | None
    seconds: float
    epoch_seconds: float | None
    steps_per_second: float | None
    peak_memory_mb: float
    folder: Path
    protocol: str = ""
    notes: tuple[str, ...] = ()
    selection: str = ""
    split: str = ""

    def published(self, split: str, metric: str) -> dict[str, Any] | None:
        """The paper's `{"mean", "std"}` for one metric, None where the paper gives none."""
        figure = ((self.paper or {}).get(split) or {}).get(metric)
        return figure if isinstance(figure, dict) else None

    def of_seed(self, seed: int) -> Metrics:
        """The metrics of one of the seeds."""
        place = self.seeds.index(seed)
        return {
            split: {name: values["per_seed"][place] for name, values in metrics.items()}
            for split, metrics in self.metrics.items()
        }

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain JSON types."""
        return {**asdict(self), "seeds": list(self.seeds), "best_epochs": list(self.best_epochs),
                "notes": list(self.notes), "folder": str(self.folder)}  # fmt: skip

    def to_json(self) -> str:
        """All fields as indented JSON."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    @classmethod
    def from_json(cls, text: str, folder: Path | None = None) -> RunResult:
        """Read what `to_json`, or a run folder's result.json, holds.

        Args:
            text: The JSON text; keys that are not fields of the result are ignored.
            folder: Where the run lies now; None: as the text says.

        Raises:
            ValueError: If the text is no JSON or lacks a field.
        """
        raw = json.loads(text)
        if not isinstance(raw, dict):
            raise ValueError("not a JSON object")
        if folder is not None:
            raw["folder"] = folder
        raw = {"selection": "", "split": "", **raw}  # earlier results have none
        missing = [field.name for field in fields(cls) if field.name not in raw]
        if missing:
            raise ValueError(f"no {missing[0]!r}")
        values = {field.name: raw[field.name] for field in fields(cls)}
        for name in ("seeds", "best_epochs", "notes"):
            values[name] = tuple(values[name])
        values["folder"] = Path(values["folder"])
        return cls(**values)
