"""How many candidates decide a metric on a split, and when they leave it nothing to decide. Imports no torch.

A *flaw* says why every model gets the same value; it is empty where the metric can tell two models apart. A *weakness* says why
even random scores get more than half of the best value. Both continue a sentence that begins with the name of a split.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class PairCounts:
    """Link prediction: the negatives that each positive of a split is ranked against, shared or its own, at least 1."""

    negatives: int


@dataclass(frozen=True)
class ClassCounts:
    """Classification: the classes that a model tells apart, and how many of them a split has."""

    classes: int
    present: int


@dataclass(frozen=True)
class ItemCounts:
    """Recommendation: what is ranked for the users of a split.

    Attributes:
        groups: Distinct (items ranked, how many of these are wanted, number of such users).
    """

    groups: tuple[tuple[int, int, int], ...]

    @property
    def most(self) -> int:
        """The most items that any user ranks."""
        return max((ranked for ranked, _, _ in self.groups), default=0)

    @property
    def median(self) -> int:
        """The items that the median user ranks, the lower one of two."""
        left = (sum(users for _, _, users in self.groups) + 1) // 2
        for ranked, _, users in sorted(self.groups):
            left -= users
            if left <= 0:
                return ranked
        return 0


@dataclass(frozen=True)
class TargetCounts:
    """Graphs and images: what a model predicts, and how much a split knows of it.

    Attributes:
        kind: `classes`; `labels`, yes or no for each of several; or `numbers`.
        targets: Classes, labels or numbers.
        decided: Of classes those that a split has, of labels those of which it has both values, of numbers those it knows.
        of: Of numbers with names, how many values of each a split knows.
    """

    kind: str
    targets: int
    decided: int
    of: Mapping[str, int] = field(default_factory=dict)

    def alone(self, target: str) -> TargetCounts | None:
        """The counts of one number by its name; None where there is none of that name."""
        return TargetCounts(self.kind, 1, self.of[target]) if target in self.of else None


def always_decides(counts: object, k: int) -> str:
    """No flaw and no weakness, whatever the counts."""
    return ""


def hits_flaw(counts: PairCounts, k: int) -> str:
    """hits@K is 100 by definition with fewer than K negatives."""
    return f"has {counts.negatives:,} negatives, and with fewer than K every model scores 100" if counts.negatives < k else ""


def hits_weakness(counts: PairCounts, k: int) -> str:
    """A random positive is a hit with probability K / (negatives + 1)."""
    return f"has {counts.negatives:,} negatives, of which K is more than half" if 2 * k > counts.negatives else ""


def share_flaw(counts: ItemCounts, k: int) -> str:
    r"""recall@K and precision@K count the hits of K items.

    With n items ranked and r of them wanted every list of K holds at least :math:`\max(0, \min(K, n) - (n - r))` hits and at
    most :math:`\min(K, r)`; where these are equal for all users, no order is better than another.
    """
    return _alike(counts, all(max(0, min(k, n) - (n - r)) == min(k, r) for n, r, _ in counts.groups))


def hit_flaw(counts: ItemCounts, k: int) -> str:
    """hit@K is certain where fewer than K of the items ranked are not wanted, and impossible where none is."""
    return _alike(counts, all(r == 0 or n - r < min(k, n) for n, r, _ in counts.groups))


def order_flaw(counts: ItemCounts, k: int) -> str:
    """ndcg@K has nothing to order where all items ranked are wanted, or none is."""
    return _alike(counts, all(r in (0, n) for n, r, _ in counts.groups))


def share_weakness(counts: ItemCounts, k: int) -> str:
    """A random list of K holds K / n of the n items ranked."""
    return f"ranks {counts.median:,} items for its median user, of which K is more than half" if 2 * k > counts.median else ""


def two_classes_flaw(counts: ClassCounts, k: int) -> str:
    """roc-auc of one score ranks the nodes of two classes."""
    if counts.classes != 2:
        return f"judges {counts.classes} classes, and roc-auc needs two"
    return "has nodes of one class only, and roc-auc needs both" if counts.present < 2 else ""


def agreement_flaw(counts: TargetCounts, k: int) -> str:
    """Accuracy compares classes or labels."""
    return "has numbers to predict, and accuracy needs classes or labels" if counts.kind == "numbers" else ""


def two_values_flaw(counts: TargetCounts, k: int) -> str:
    """roc-auc and average precision rank the graphs or images of two classes, or those of each label."""
    if counts.kind == "numbers":
        return "has numbers to predict, and a ranking needs classes or labels"
    if counts.kind == "classes" and counts.targets != 2:
        return f"judges {counts.targets} classes, and a ranking needs two"
    if counts.kind == "classes":
        return "has one class only, and a ranking needs both" if counts.decided < 2 else ""
    return "has no label of which both values are known, and a ranking needs both" if counts.decided == 0 else ""


def error_flaw(counts: TargetCounts, k: int) -> str:
    """A mean absolute error is one of numbers."""
    if counts.kind != "numbers":
        return f"has {counts.kind} to predict, and mae needs numbers"
    return "has no number that is known" if counts.decided == 0 else ""


def _alike(counts: ItemCounts, alike: bool) -> str:
    return f"ranks at most {counts.most:,} items per user, among which one list of K is as good as another" if alike else ""
