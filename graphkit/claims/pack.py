"""From a finished run to its claim."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from graphkit.claims.archive import array_name, write_archive
from graphkit.claims.content import Parts, definition, documents
from graphkit.claims.evidence import Evidence, digests_of
from graphkit.claims.scores import differs
from graphkit.conf.request import Request
from graphkit.data.own.memory import InMemory
from graphkit.errors import CheckpointError, RequestError
from graphkit.metrics.registry import own_measure
from graphkit.tasks.experiment import read_record
from graphkit.training.artifacts import config_digest, read_config, read_result, seed_is_whole, weights_path
from graphkit.training.checkpoint import read_weights
from graphkit.training.digests import Digests, age_note
from graphkit.training.files import read_whole
from graphkit.training.protocol import AnyTask
from graphkit.training.result import Metrics, RunResult


@dataclass(frozen=True)
class Packed:
    """A claim that was written: the file, the SHA-256 that names it, and the seeds that it holds."""

    path: Path
    digest: str
    seeds: tuple[int, ...]


def pack(folder: Path, request: Request, out: Path, memory: Mapping[str, InMemory] | None = None) -> Packed:
    """Write the claim of a finished run. The same run gives the same bytes.

    Every seed is scored again before anything is written: a claim that does not hold is not made.

    Args:
        folder: The run folder.
        request: Its settings, and where its data lies.
        out: The file to write.
        memory: Data in memory that stands in the place of own files, by setting.

    Raises:
        RequestError: If the run's figures cannot be computed from its predictions, or its data is not available.
        CheckpointError: If the run is not finished, or a file of it, or its data, is missing or was changed.
        RunError: If the file cannot be written.
    """
    config = read_config(folder, "run")
    result, record = read_result(folder, config), read_record(folder)
    if result is None:
        raise CheckpointError(f"{folder} has no result: let the run finish, or continue it with resume={folder}")
    if (note := age_note(folder)) or record is None:
        raise CheckpointError(f"{note}, so that no claim can be made of it: run it again")
    evidence = Evidence(request, folder, memory)
    if evidence.pooled:
        raise RequestError(
            f"{folder}: its figures are of epochs of which no predictions are kept ({result.selection}): claims are made of "
            "runs whose seeds have a selected epoch each"
        )
    packing = _Packing(folder, config_digest(config), result, evidence)
    environment = json.loads(read_whole(folder / "result.json"))["environment"]
    told, made_on = documents(result, config, environment, record, folder)
    with evidence.at_hand():
        parts = packing.check()
        names = list(next(iter(result.metrics.values())))
        measured = definition(names, result.metric, result.task, packing.judged_by, packing.sizes)
        data = {"record": made_on, "seeds": {str(seed): found for seed, found in parts.items()}}
        digest = write_archive(out, {"result.json": told, "data.json": data, "metric.json": measured}, packing.arrays())
    return Packed(out, digest, result.seeds)


class _Packing:
    """The seeds of a run on their way into a claim."""

    def __init__(self, folder: Path, digest: str, result: RunResult, evidence: Evidence) -> None:
        self._folder, self._digest, self._result, self._evidence = folder, digest, result, evidence
        self._names: dict[int, tuple[str, ...]] = {}
        self.sizes: Any = None

    @property
    def judged_by(self) -> tuple[str, ...]:
        """The arrays of the first seed."""
        return self._names[self._result.seeds[0]]

    def check(self) -> dict[int, Parts]:
        """Score every seed again; the digests of its data and splits.

        Raises:
            CheckpointError: If a file is missing or was changed, or the predictions give other figures than the result.
        """
        digests, found = Digests.read(self._folder), {}
        for seed in self._result.seeds:
            if not seed_is_whole(self._folder, seed, digests):
                place = weights_path(self._folder, seed).parent
                raise CheckpointError(f"{place} lacks weights or predictions: make them again with resume={self._folder}")
            self._require_settings(seed)
            task = self._evidence.task(seed)
            self._names[seed] = task.judged_by
            self.sizes = task.facts().get("splits") if self.sizes is None else self.sizes
            self._compare(seed, task)
            found[seed] = digests_of(task)
        return found

    def _require_settings(self, seed: int) -> None:
        """CheckpointError if the weights of a seed, whose file says of which settings they are, are of others."""
        path = weights_path(self._folder, seed)
        if read_weights(path)[1].get("config") != self._digest:
            raise CheckpointError(f"{path} belongs to other settings than config.yaml: put the run's own files back")

    def _compare(self, seed: int, task: AnyTask) -> None:
        place = self._folder / f"seed-{seed}" / "predictions.npz"
        try:
            scored = task.rescore(self._arrays(seed))
        except ValueError as error:
            raise CheckpointError(f"{place} cannot be scored ({error}): run it again with this version") from error
        if told := first_difference(self._result.of_seed(seed), scored, self._result.task):
            raise CheckpointError(f"{place} gives another figure than result.json ({told}): run it again with this version")

    def _arrays(self, seed: int) -> dict[str, np.ndarray]:
        with np.load(self._folder / f"seed-{seed}" / "predictions.npz", allow_pickle=False) as stored:
            return {name: stored[name] for name in self._names[seed] if name in stored}

    def arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        """What the claim keeps of each seed's predictions."""
        for seed in self._result.seeds:
            yield from ((array_name(seed, name), array) for name, array in sorted(self._arrays(seed).items()))


def first_difference(claimed: Metrics, scored: Metrics, task: str) -> str:
    """The first figure that predictions do not give, in words; empty where they give all that they can."""
    for split, metrics in claimed.items():
        for name, value in metrics.items():
            other = scored.get(split, {}).get(name)
            if other is None and own_measure(name, task):
                continue
            if other is None or differs(value, other):
                return f"{split} {name}: {'nothing' if other is None else format(other, '.6g')}, not {value:.6g}"
    return ""
