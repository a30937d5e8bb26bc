"""The comparison of finished runs: refusals, pairs by seed, tests, budgets."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from graphkit.comparison.contender import Contender, read_contenders
from graphkit.comparison.statistics import FEWEST, holm, paired_test
from graphkit.conf.compare import Comparison
from graphkit.conf.compose import compose
from graphkit.conf.setting import show
from graphkit.errors import RequestError, shown
from graphkit.metrics.registry import lower_is_better
from graphkit.tasks.execute import drawn_splits
from graphkit.tasks.experiment import stored_request

_SIMILAR = 1.5
"""Parameters and seconds that differ by a larger factor are a warning."""
_LONGEST = 60


@dataclass(frozen=True)
class Difference:
    """Two runs beside each other.

    Attributes:
        one: Name of the first.
        other: Name of the second.
        by_seed: The first minus the second, by seed.
        mean: Mean difference.
        low: Lower end of its confidence interval, not corrected for several comparisons.
        high: Upper end.
        p: Two-sided p-value; None where all differences are equal.
        corrected: The p-value by Holm's correction over all pairs of the comparison.
        naive: The p-value of the plain paired t-test, for comparison.
    """

    one: str
    other: str
    by_seed: Mapping[int, float]
    mean: float
    low: float
    high: float
    p: float | None
    corrected: float | None
    naive: float | None


@dataclass(frozen=True)
class Compared:
    """The comparison of runs.

    Attributes:
        dataset: Name of the data set.
        metric: What is compared.
        split: The split that it is of.
        seeds: The shared seeds.
        scores: By name of the run its scores by seed.
        folders: By name of the run its folder.
        resampled: Whether seeds drew different splits.
        ratio: n_test / n_train that the test corrects by; 0 where all seeds have the same split.
        confidence: That of the intervals.
        differences: Every pair of runs.
        budgets: By name of the run what it cost; None: not known.
        warnings: Where budgets differ, and what else to know, in plain sentences.
    """

    dataset: str
    metric: str
    split: str
    seeds: tuple[int, ...]
    scores: Mapping[str, Mapping[int, float]]
    folders: Mapping[str, str]
    resampled: bool
    ratio: float
    confidence: float
    differences: tuple[Difference, ...]
    budgets: Mapping[str, Mapping[str, float | None]]
    warnings: tuple[str, ...]

    @property
    def test(self) -> str:
        """The test, and what it is about, in plain sentences."""
        if not self.resampled:
            return (
                "Paired t-test over seeds. All seeds have the same split, so that it is about initialization and the order of "
                "training on this split, not about other splits or other data."
            )
        return (
            f"Corrected resampled t-test of Nadeau and Bengio over seeds, which drew splits that overlap: the variance of the "
            f"mean is (1/{len(self.seeds)} + {self.ratio:.3g}) times that of a difference, with {self.ratio:.3g} test examples "
            "per training example. It is about new splits of data like these."
        )

    def verdict(self, difference: Difference) -> str:
        """What the test says of two runs, in a sentence."""
        one, other, p = shown(difference.one, _LONGEST), shown(difference.other, _LONGEST), difference.corrected
        if p is None:
            return f"{one} and {other} differ by the same in every seed: seeds tell nothing of chance here, nothing is tested."
        if p >= 1 - self.confidence:
            return f"No difference between {one} and {other} is shown ({p_text(p, 'p ')}): it may be either way, or none."
        better = (difference.mean > 0) != lower_is_better(self.metric)
        return f"{one if better else other} is better than {other if better else one} ({p_text(p, 'p ')})."

    def to_dict(self) -> dict[str, Any]:
        """All that is found as plain JSON types."""
        return {
            "dataset": self.dataset,
            "metric": self.metric,
            "split": self.split,
            "seeds": list(self.seeds),
            "runs": {
                name: {"folder": self.folders[name], "scores": list(scores.values()), "budget": dict(self.budgets[name])}
                for name, scores in self.scores.items()
            },
            "test": {"resampled": self.resampled, "ratio": self.ratio, "confidence": self.confidence, "about": self.test},
            "differences": [
                {**vars(one), "by_seed": list(one.by_seed.values()), "verdict": self.verdict(one)} for one in self.differences
            ],
            "warnings": list(self.warnings),
        }

    def to_json(self) -> str:
        """The same as indented JSON."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def p_text(p: float, name: str = "") -> str:
    """A p-value with three decimals, small ones as a bound; after its name `p = 0.012` and `p < 0.001`."""
    value = "< 0.001" if p < 0.001 else f"{p:.3f}"
    return name + (value if value.startswith("<") or not name else f"= {value}")


def compare_runs(request: Comparison) -> Compared:
    """Compare the runs of a request.

    Raises:
        RequestError: If they cannot be compared; one line per reason.
        CheckpointError: If a folder is no finished run, or its data is other data now.
    """
    runs = read_contenders(request.folders)
    refuse_unlike(runs)
    metric = request.metric or runs[0].result.metric
    every = [run.scores(request.split, metric) for run in runs]
    seeds = sorted(set.intersection(*(set(scores) for scores in every)))
    if len(seeds) < FEWEST:
        have = "; ".join(f"{run.folder} has {_seeds(run.result.seeds)}" for run in runs)
        raise RequestError(f"the runs share {len(seeds)} seeds, a test needs {FEWEST}: run them with the same seeds ({have})")
    resampled, ratio = overlap(runs[0], seeds, request.root)
    scores = {run.name: {seed: found[seed] for seed in seeds} for run, found in zip(runs, every, strict=True)}
    return Compared(
        dataset=runs[0].result.dataset,
        metric=metric,
        split=request.split,
        seeds=tuple(seeds),
        scores=scores,
        folders={run.name: str(run.folder) for run in runs},
        resampled=resampled,
        ratio=ratio,
        confidence=request.confidence,
        differences=tuple(differences_of(scores, ratio=ratio, confidence=request.confidence)),
        budgets={run.name: run.budget for run in runs},
        warnings=tuple(_warnings(runs, seeds, request.split)),
    )


def refuse_unlike(runs: Sequence[Contender]) -> None:
    """Refuse runs whose figures are of different things.

    Raises:
        RequestError: If they are; one line per difference.
    """
    first, found = runs[0], []
    for run in runs[1:]:
        for what, value in first.judged.items():
            if run.judged[what] != value:
                unlike = f"{first.folder} and {run.folder} have another {what}"
                values = f" ({shown(value, _LONGEST)} and {shown(run.judged[what], _LONGEST)})"
                told = values if max(len(value), len(run.judged[what])) <= _LONGEST else ""
                found.append(f"{unlike}{told}: they cannot be compared, run one of them again as the other")
                break  # a task brings a data set and a protocol of its own
    if found:
        raise RequestError("\n".join(found))


def overlap(run: Contender, seeds: Sequence[int], root: str | None = None) -> tuple[bool, float]:
    """Whether seeds drew different splits, and the largest n_test / n_train of theirs; 0 where all have the same.

    Args:
        run: One of the runs; all are on the same data.
        seeds: The shared seeds.
        root: Data folder, where it is another one now.
    """
    said = {"resume": str(run.folder), "device": "cpu", "data.root": root}
    drawn = drawn_splits(compose(stored_request(run.folder, "runs", said)), seeds)
    if len({digest for digest, _ in drawn}) == 1:
        return False, 0.0
    return True, max(_size(sizes["test"]) / _size(sizes["train"]) for _, sizes in drawn)


def _size(size: Any) -> int:
    return int(size["positive"] if isinstance(size, Mapping) else size)


def differences_of(scores: Mapping[str, Mapping[int, float]], *, ratio: float, confidence: float = 0.95) -> list[Difference]:
    """Every pair of runs, tested and corrected.

    Args:
        scores: By name of the run its scores by seed; all have the same seeds.
        ratio: n_test / n_train of overlapping splits; 0: the plain paired t-test.
        confidence: That of the intervals.
    """
    pairs = list(combinations(scores, 2))
    by_seed = [{seed: value - scores[other][seed] for seed, value in scores[one].items()} for one, other in pairs]
    rows = np.array([list(difference.values()) for difference in by_seed], dtype=np.float64)
    found = paired_test(rows, ratio=ratio, confidence=confidence)
    naive = paired_test(rows, ratio=0.0, confidence=confidence)
    corrected = holm(found.p.tolist())
    return [
        Difference(
            one,
            other,
            by_seed[place],
            float(found.mean[place]),
            float(found.low[place]),
            float(found.high[place]),
            _known(float(found.p[place])),
            _known(corrected[place]),
            _known(float(naive.p[place])),
        )
        for place, (one, other) in enumerate(pairs)
    ]


def _known(p: float) -> float | None:
    return None if math.isnan(p) else p


def _warnings(runs: Sequence[Contender], seeds: Sequence[int], split: str) -> list[str]:
    """Where budgets differ, seeds are left out, or the split is the one that epochs and settings were chosen on."""
    found = []
    for what in runs[0].budget:
        values = {run.name: run.budget[what] for run in runs}
        told = ", ".join(f"{shown(name, _LONGEST)} {'unknown' if one is None else show(one)}" for name, one in values.items())
        known = [one for one in values.values() if one is not None]
        if known and len(known) < len(values):
            found.append(f"Unequal budgets: {what} are known of a sweep alone ({told}).")
        elif known and what in ("parameters", "seconds per seed"):
            if max(known) > _SIMILAR * min(known):
                found.append(f"Unequal budgets: {what} ({told}).")
        elif len(set(known)) > 1:
            found.append(f"Unequal budgets: {what} ({told}).")
    left = {run.name: sorted(set(run.result.seeds) - set(seeds)) for run in runs}
    found += [f"Seeds {_seeds(more)} of {shown(name, _LONGEST)} are left out." for name, more in left.items() if more]
    if split == "valid":
        found.append("Validation chose epochs, perhaps settings: its scores are too good, and that may differ between runs.")
    if any("SELECTED ON TEST" in run.result.selection + run.result.protocol for run in runs):
        found.append("Epochs were selected on the test split: its scores are too good, and that may differ between runs.")
    return found


def _seeds(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds)) if len(seeds) <= 12 else f"{seeds[0]} to {seeds[-1]}"
