"""A seed of a claim trained again: the same bits where the run promises them, else a figure within the spread of its seeds."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphkit.claims.content import Claim
from graphkit.claims.scores import Score, differs
from graphkit.conf.compose import compose
from graphkit.conf.request import Request
from graphkit.data.own.memory import InMemory
from graphkit.metrics.registry import decimals
from graphkit.tasks.execute import execute
from graphkit.training.files import read_whole
from graphkit.training.runtime import resolve_device

SPREAD = 3.0
"""Standard deviations that a seed trained elsewhere may be away from the claimed mean."""

_DECIDING = ("versions", "device", "precision", "random_streams", "threads", "platform", "git")
"""What must be the same, beside the settings, for the same bits."""


@dataclass(frozen=True)
class Again:
    """A seed that was trained again.

    Attributes:
        seed: The seed.
        exact: Whether the run promises the same bits here: on the CPU, with the same machine, versions, commit and threads.
        scores: Its figures, each beside the claimed one.
        findings: A sentence for each that does not hold.
        notes: Sentences on what could not be compared.
    """

    seed: int
    exact: bool
    scores: tuple[Score, ...]
    findings: tuple[str, ...]
    notes: tuple[str, ...]


def train_again(claim: Claim, request: Request, seed: int, device: str, memory: Mapping[str, InMemory] | None) -> Again:
    """Train a seed of a claim and compare what it gives.

    Args:
        claim: The claim.
        request: Its settings, and where the data lies.
        seed: One of its seeds.
        device: `auto`, `cpu` or `cuda`.
        memory: Data in memory that stands in the place of own files, by setting.

    Raises:
        GraphkitError: If the run fails.
    """
    threads = claim.environment.get("threads")
    threads = threads if isinstance(threads, int) and 0 < threads <= (os.cpu_count() or 1) else 0
    with tempfile.TemporaryDirectory() as out:
        own = {"seed": seed, "seeds": 1, "out": out, "device": device, "threads": threads, "resume": None, "tensorboard": False}
        resolved = compose(Request(request.task, request.dataset, request.model, {**request.values, **own}, request.transform))
        result = execute(resolved, memory=memory)
        environment = json.loads(read_whole(result.folder / "result.json"))["environment"]
        with np.load(result.folder / f"seed-{seed}" / "predictions.npz", allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    metrics, claimed = result.of_seed(seed), claim.result.of_seed(seed)
    on_cpu = resolve_device(resolved.run.device, resolved.run.precision).type == "cpu"
    exact = on_cpu and all(environment.get(key) == claim.environment.get(key) for key in _DECIDING)
    scores = [
        Score(split, name, seed, value, metrics.get(split, {}).get(name))
        for split, part in claimed.items()
        for name, value in part.items()
    ]
    found, notes = (_exactly(claim, seed, scores, arrays), []) if exact else _within_spread(claim, seed, scores)
    return Again(seed, exact, tuple(scores), tuple(found), tuple(notes))


def _exactly(claim: Claim, seed: int, scores: list[Score], arrays: Mapping[str, np.ndarray]) -> list[str]:
    promise = "the same code on this machine gives the same bits"
    found = [f"seed {seed} trained again: {_told(score)}, and {promise}" for score in scores if score.claimed != score.scored]
    for name, array in claim.archive.arrays(seed).items():
        if not np.array_equal(array, arrays.get(name, np.zeros(0))):
            found.append(f"seed {seed} trained again: it predicts another {name} than the claim holds, and {promise}")
    return found


def _within_spread(claim: Claim, seed: int, scores: list[Score]) -> tuple[list[str], list[str]]:
    """Sentences on figures out of the spread, and on what has none."""
    found = []
    for score in scores:
        figure: dict[str, Any] = claim.result.metrics[score.split][score.metric]
        if score.scored is None:
            found.append(f"seed {seed} trained again: it has no {score.split} {score.metric}")
        elif figure["std"] is not None and _is_outside(score.scored, figure):
            spread = f"{SPREAD:g} standard deviations of {figure['std']:.{_digits(score)}f} from the mean"
            found.append(f"seed {seed} trained again: {_told(score)}, more than {spread} {figure['mean']:.{_digits(score)}f}")
    elsewhere = f"seed {seed} was trained again with another machine, versions or commit: other last digits are no finding"
    alone = "one seed has no spread: its figures, trained again, are told and not judged"
    return found, [elsewhere, *([alone] if len(claim.result.seeds) == 1 else [])]


def _is_outside(value: float, figure: Mapping[str, float]) -> bool:
    return abs(value - figure["mean"]) > SPREAD * figure["std"] and differs(figure["mean"], value)


def _told(score: Score) -> str:
    digits = _digits(score)
    given = "nothing" if score.scored is None else f"{score.scored:.{digits}f}"
    return f"{score.split} {score.metric} is {given}, claimed {score.claimed:.{digits}f}"


def _digits(score: Score) -> int:
    return decimals(score.metric) + 2
