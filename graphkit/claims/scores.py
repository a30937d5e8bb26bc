"""Claimed figures beside those that were scored again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphkit.training.result import Metrics, Summary, summarize

TOLERANCE = 1e-6
"""How far two computations of one figure may be apart, relative to it where it is above 1: sums are rounded by their order."""

MEAN, DEVIATION = "mean", "std"


@dataclass(frozen=True)
class Score:
    """A figure.

    Attributes:
        split: `valid`, `test`, or another part that is judged.
        metric: Its name.
        of: The seed, `mean` or `std`.
        claimed: What the claim says; None where it does not.
        scored: What its predictions give; None where they give none.
    """

    split: str
    metric: str
    of: int | str
    claimed: float | None
    scored: float | None

    @property
    def difference(self) -> float | None:
        """Scored minus claimed."""
        return None if self.claimed is None or self.scored is None else self.scored - self.claimed

    @property
    def holds(self) -> bool:
        """Whether both are there and the same."""
        return self.claimed is not None and self.scored is not None and not differs(self.claimed, self.scored)


def differs(claimed: float, scored: float) -> bool:
    """Whether two values of a figure are further apart than `TOLERANCE`; of two that are not finite, whether they differ."""
    return not (claimed == scored or abs(claimed - scored) <= TOLERANCE * max(1.0, abs(claimed)))


def compared(claimed: Summary, scored: dict[int, Metrics], seeds: Sequence[int]) -> list[Score]:
    """All figures of a claim: of each split and metric the mean, the deviation, and every seed.

    Args:
        claimed: What the claim says, with the seeds in the order of `seeds`.
        scored: What the predictions of each seed give; seeds that could not be scored are missing.
        seeds: The seeds that the claim names.
    """
    found = []
    complete = scored.keys() >= set(seeds) and len({_names(one) for one in scored.values()}) == 1
    whole = summarize([scored[seed] for seed in seeds]) if complete else {}
    sources: list[Summary | Metrics] = [claimed, *scored.values()]
    pairs = dict.fromkeys((split, name) for source in sources for split, part in source.items() for name in part)
    for split, name in pairs:
        said, now = claimed.get(split, {}).get(name), whole.get(split, {}).get(name)
        for of in (MEAN, DEVIATION):
            values = (None if one is None else one[of] for one in (said, now))
            found.append(Score(split, name, of, *values))
        for place, seed in enumerate(seeds):
            value = None if said is None else said["per_seed"][place]
            found.append(Score(split, name, seed, value, scored.get(seed, {}).get(split, {}).get(name)))
    return [score for score in found if score.claimed is not None or score.scored is not None]


def _names(metrics: Metrics) -> frozenset[tuple[str, str]]:
    return frozenset((split, name) for split, part in metrics.items() for name in part)
