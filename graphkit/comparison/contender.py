"""A finished run as a comparison sees it: its figures by seed, what must be alike, and its budget. Imports no torch."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphkit.errors import CheckpointError, RequestError, shown
from graphkit.paths import expanded
from graphkit.sweeps.record import RESULT, SWEEP, read_sweep_file
from graphkit.tasks.experiment import read_record
from graphkit.training.artifacts import read_config, read_result, significant
from graphkit.training.result import RunResult
from graphkit.training.resume import LOCATIONS

_OF_THE_MODEL = ("scale", "embed", "embed_channels")
"""Settings of `data` that change what a model reads and not what it is judged on."""


@dataclass(frozen=True)
class Tuning:
    """The sweep that a run comes from: its trials, and how many settings it searched."""

    trials: int
    settings: int


@dataclass(frozen=True)
class Contender:
    """A finished run.

    Attributes:
        name: What it is called in the comparison.
        folder: Its folder.
        result: Its result.
        config: Its settings.
        judged: What must be the same in all runs, by the words of a message.
        tuning: The sweep that it comes from; None: none is known of.
    """

    name: str
    folder: Path
    result: RunResult
    config: Mapping[str, Any]
    judged: Mapping[str, str]
    tuning: Tuning | None

    @property
    def budget(self) -> dict[str, float | None]:
        """What it cost, by the words of the table; None: not known."""
        result, tuning = self.result, self.tuning
        return {
            "epochs": self.config["train"]["epochs"],
            "parameters": result.num_parameters,
            "seconds per seed": result.seconds / len(result.seeds),
            "trials": None if tuning is None else tuning.trials,
            "tuned settings": None if tuning is None else tuning.settings,
        }

    def scores(self, split: str, metric: str) -> dict[int, float]:
        """The metric by seed.

        Raises:
            RequestError: If the run has no such metric.
        """
        figures = self.result.metrics.get(split, {})
        if metric not in figures:
            raise RequestError(f"metric={shown(metric)}: {self.folder} has {', '.join(figures)} of its {split} split")
        found = dict(zip(self.result.seeds, figures[metric]["per_seed"], strict=True))
        if undefined := [seed for seed, value in found.items() if not math.isfinite(value)]:
            raise RequestError(f"{split} {metric} of seed {undefined[0]} in {self.folder} is no number: compare another metric")
        return found


def read_contenders(folders: Sequence[str]) -> list[Contender]:
    """The runs of folders, named by model, and by folder where models are alike.

    Args:
        folders: Folders of finished runs, or of finished sweeps, of which the run that reports the winner is taken.

    Raises:
        RequestError: If a run is named twice.
        CheckpointError: If a folder is no finished run, or was changed.
    """
    places = [_run_of(expanded(folder, "runs")) for folder in folders]
    seen: set[Path] = set()
    for place in places:
        if place.resolve() in seen:
            raise RequestError(f"{place} is given twice: a run is not compared with itself, name another one")
        seen.add(place.resolve())
    found = [_read(place) for place in places]
    models = [result.model for result, *_ in found]
    names = [model if models.count(model) == 1 else place.name for model, place in zip(models, places, strict=True)]
    if len(set(names)) < len(names):
        names = [str(place) for place in places]
    return [Contender(name, place, *parts) for name, place, parts in zip(names, places, found, strict=True)]


def _run_of(folder: Path) -> Path:
    """The run of a folder; of a sweep that which reports the winner."""
    if not (folder / SWEEP).is_file():
        return folder
    if not (folder / RESULT).is_file():
        raise CheckpointError(f"{folder} is a sweep that has not finished: go on with graphkit.sweep resume={folder}")
    return folder / str(_stored(folder)["reported"])


def _stored(folder: Path) -> dict[str, Any]:
    """The content of sweep.json."""
    try:
        stored = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        if {"reported", "trials", "ranges"} <= stored.keys():
            return dict(stored)
    except (OSError, ValueError, AttributeError):
        pass
    raise CheckpointError(f"{folder / RESULT} was changed: remove it, and make it again with graphkit.sweep resume={folder}")


def _read(folder: Path) -> tuple[RunResult, dict[str, Any], dict[str, str], Tuning | None]:
    config = read_config(folder, "runs")
    result = read_result(folder, config)
    if result is None:
        raise CheckpointError(f"{folder} has not finished: let it finish, or go on with graphkit.run resume={folder}")
    return result, config, _judged(folder, config, result), _tuning(folder)


def _judged(folder: Path, config: Mapping[str, Any], result: RunResult) -> dict[str, str]:
    """What a figure is of, in words that stand beside each other in a message."""
    record = read_record(folder)
    content: Any = None
    if record is not None:
        content = [{key: source.sha256 for key, source in record.files.items()}, record.published, record.sizes]
    kept = significant(dict(config))
    data = {key: value for key, value in kept.get("data", {}).items() if key not in (*LOCATIONS, *_OF_THE_MODEL)}
    return {
        "task": result.task,
        "data set": result.dataset,
        "content of the data": json.dumps(content, sort_keys=True),
        "settings of the data": json.dumps(data, sort_keys=True),
        "split": result.split,
        "protocol": result.protocol,
        "target": str(kept["task"].get("target", "")),
        "metric that selects": result.metric,
        "selection": result.selection.partition(",")[2] if result.selection else "",
    }


def _tuning(folder: Path) -> Tuning | None:
    """The sweep that a run lies in: `trials/0007/RUN`, `final-5-of-7/RUN`."""
    for place in list(folder.resolve().parents)[:3]:
        if (place / RESULT).is_file():
            stored = _stored(place)
            return Tuning(len(stored["trials"]), len(stored["ranges"]))
        if (place / SWEEP).is_file():
            stored = read_sweep_file(place)
            return Tuning(int(stored["sweep"]["trials"]), len(stored["ranges"]))
    return None
