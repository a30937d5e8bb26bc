"""Every metric by its name: which tasks it judges, what computes it, when it can decide. Imports no torch.

Adding a metric means: its function in the module of its family, one row here, a test against a plain loop.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from graphkit.errors import RequestError, shown
from graphkit.metrics import candidates

MOST_K = 10**9
"""The largest K of a name."""


@dataclass(frozen=True)
class Kind:
    """A row of the registry: a metric, of which K is still open.

    Attributes:
        name: Its name, before the `@` of those that take K.
        tasks: The tasks it judges.
        target: `module:function`, imported when it is first computed. It gets what the family of metrics works on, and K.
        flaw: Why it is constant by construction on a split, given the counts of `graphkit.metrics.candidates` and K.
        weakness: Why random scores already get more than half on a split.
        takes_k: Whether its name ends in `@K`.
        per_target: Whether `name:TARGET` judges one of several named numbers alone.
        scale: Unit of its printed values: 100 turns a fraction into a percentage.
        lower_is_better: Whether the smallest value is the best one.
        of_model: Whether some models tell it of themselves (`NodeModel.measures`); then it has no target and selects nothing.
        meaning: What it is, in a sentence; K stands for its K.
        ties: How equal scores count.
    """

    name: str
    tasks: tuple[str, ...]
    target: str
    flaw: Callable[[Any, int], str] = candidates.always_decides
    weakness: Callable[[Any, int], str] = candidates.always_decides
    takes_k: bool = False
    per_target: bool = False
    scale: float = 100.0
    lower_is_better: bool = False
    of_model: bool = False
    meaning: str = ""
    ties: str = ""


_PAIRS, _RANKING, _CLASSES, _NUMBERS = (
    f"graphkit.metrics.{family}" for family in ("pairs", "ranking", "classification", "regression")
)

_HALF = "a tie counts half"
_MEAN_RANK = "the rank is the mean of the best and the worst one that ties allow"
_LOWER_ITEM = "the item of the lower number ranks first"
_FIRST_CLASS = "the class of the lower number is predicted"
_CALIBRATED = "a score is one step of the ranking, for all that have it"

KINDS = (
    Kind(
        "hits", ("link",), f"{_PAIRS}:hits_at_k", candidates.hits_flaw, candidates.hits_weakness, takes_k=True,
        meaning="share of positives that score above the K-th best negative; of own negatives: of rank at most K among them",
        ties=f"a tie with the K-th negative is a miss; among own negatives {_MEAN_RANK}",
    ),
    Kind("mrr", ("link",), f"{_PAIRS}:mrr", meaning="mean of 1 / rank of each positive among the negatives", ties=_MEAN_RANK),
    Kind(
        "roc-auc", ("link",), f"{_PAIRS}:roc_auc",
        meaning="probability that a random positive scores above a random negative", ties=_HALF,
    ),
    Kind(
        "recall", ("recommend",), f"{_RANKING}:recall", candidates.share_flaw, candidates.share_weakness, takes_k=True,
        meaning="share of a user's held-out items among the first K, mean over users with such items", ties=_LOWER_ITEM,
    ),
    Kind(
        "ndcg", ("recommend",), f"{_RANKING}:ndcg", candidates.order_flaw, takes_k=True,
        meaning="hits among the first K, each over log2(rank + 1), as a share of the best order's, mean over users",
        ties=_LOWER_ITEM,
    ),
    Kind(
        "precision", ("recommend",), f"{_RANKING}:precision", candidates.share_flaw, candidates.share_weakness, takes_k=True,
        meaning="share of the first K items that are held out, mean over users", ties=_LOWER_ITEM,
    ),
    Kind(
        "hit", ("recommend",), f"{_RANKING}:hit", candidates.hit_flaw, candidates.share_weakness, takes_k=True,
        meaning="share of users with a held-out item among the first K", ties=_LOWER_ITEM,
    ),
    Kind(
        "accuracy", ("node",), f"{_CLASSES}:accuracy",
        meaning="share of labeled nodes whose class has the largest score", ties=_FIRST_CLASS,
    ),
    Kind(
        "roc-auc", ("node",), f"{_CLASSES}:roc_auc", candidates.two_classes_flaw,
        meaning="probability that a random node of the class scores above one of another class", ties=_HALF,
    ),
    Kind(
        "accuracy", ("graph", "image"), f"{_CLASSES}:accuracy", candidates.agreement_flaw,
        meaning="share of samples whose class has the largest score; of labels: share of known labels on the right side of 0",
        ties=_FIRST_CLASS,
    ),
    Kind(
        "roc-auc", ("graph", "image"), f"{_CLASSES}:roc_auc", candidates.two_values_flaw,
        meaning="probability that a random sample with the label scores above one without, mean over labels", ties=_HALF,
    ),
    Kind(
        "ap", ("graph", "image"), f"{_CLASSES}:average_precision", candidates.two_values_flaw,
        meaning="precision at each sample with the label, mean over these and over labels", ties=_CALIBRATED,
    ),
    Kind(
        "accuracy-before-projection", ("image",), f"{_CLASSES}:accuracy", candidates.agreement_flaw,
        meaning="accuracy by the prototypes as they were learned, before they became parts of training images",
        ties=_FIRST_CLASS,
    ),
    Kind(
        "mae", ("graph",), f"{_NUMBERS}:mae", candidates.error_flaw, per_target=True, scale=1.0, lower_is_better=True,
        meaning="mean absolute error of the known numbers, in their unit", ties="none: no order is asked for",
    ),
    Kind(
        "r-squared", ("node",), "", scale=1.0, of_model=True,
        meaning="the model's own figure, which its predictions do not give", ties="none: no order is asked for",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Metric:
    """A metric by its full name, e.g. hits@20.

    Attributes:
        kind: Its row of the registry.
        k: Its K, at least 1; 0 where it takes none.
        target: Name of the one number that it judges; empty: all that there are.
    """

    kind: Kind
    k: int = 0
    target: str = ""

    @property
    def name(self) -> str:
        """As it is asked for and printed."""
        if self.target:
            return f"{self.kind.name}:{self.target}"
        return f"{self.kind.name}@{self.k}" if self.kind.takes_k else self.kind.name

    def flaw(self, counts: Any) -> str:
        """Why every model gets the same value on a split of these counts; empty where the metric can decide."""
        flaw = self.kind.flaw(counts, self.k)
        if flaw or not self.target:
            return flaw
        alone = counts.alone(self.target)
        return self.kind.flaw(alone, self.k) if alone else f"has no number named {shown(self.target, 40)}"

    def weakness(self, counts: Any) -> str:
        """Why random scores get more than half on a split of these counts; empty where they do not."""
        return self.kind.weakness(counts, self.k)

    def definition(self) -> dict[str, Any]:
        """What a reader must know to compute it: direction, unit, K, what it is, how ties count; in plain values."""
        return {
            "direction": "lower is better" if self.kind.lower_is_better else "higher is better",
            "unit": "percent" if self.kind.scale == 100.0 else "as it is computed",
            "k": self.k or None,
            "target": self.target or None,
            "meaning": self.kind.meaning,
            "ties": self.kind.ties,
        }

    def __call__(self, *data: Any) -> float:
        """The value in its printed unit, of what the family of metrics works on; with `target`, of that column alone."""
        module, _, function = self.kind.target.partition(":")
        compute: Callable[..., float] = getattr(importlib.import_module(module), function)
        return self.kind.scale * (compute(*data, self.k) if self.kind.takes_k else compute(*data))


def parse(name: str, task: str) -> Metric:
    """The metric of a name.

    Args:
        name: E.g. `hits@20`, with K from 1 to 1,000,000,000, `mrr`, or `mae:triangle`.
        task: A task of the catalog.

    Returns:
        The metric.

    Raises:
        RequestError: If the task has no such metric.
    """
    before, _, target = name.partition(":")
    if target and (kind := next((one for one in KINDS if task in one.tasks and one.name == before and one.per_target), None)):
        return Metric(kind, target=target)
    before, at, k = name.partition("@")
    kind = next((kind for kind in _judges(task) if kind.name == before and kind.takes_k == bool(at)), None)
    if kind is not None and not at:
        return Metric(kind)
    if kind is not None and re.fullmatch("[1-9][0-9]{0,9}", k) and int(k) <= MOST_K:
        return Metric(kind, int(k))
    raise RequestError(f"unknown metric '{shown(name, 40)}' for task={task}; choose {_choices(task)}")


def own_measure(name: str, task: str) -> Metric | None:
    """A figure that some models of a task tell of themselves; None where it has no such name."""
    kind = next((kind for kind in KINDS if task in kind.tasks and kind.of_model and kind.name == name), None)
    return Metric(kind) if kind else None


def _judges(task: str) -> list[Kind]:
    """The metrics that any model of a task is judged by."""
    return [kind for kind in KINDS if task in kind.tasks and not kind.of_model]


def decimals(name: str) -> int:
    """Decimals that a metric's values are printed with: two of percentages, four of what has another unit.

    Args:
        name: A full name, e.g. `hits@20`.
    """
    kind = _kind(name)
    return 2 if kind is None or kind.scale == 100.0 else 4


def unit(name: str) -> str:
    """`, %` of a metric whose values are percentages, else empty: what follows its name on an axis.

    Args:
        name: A full name, e.g. `hits@20`.
    """
    kind = _kind(name)
    return ", %" if kind is not None and kind.scale == 100.0 else ""


def told_by_model(name: str) -> bool:
    """Whether models tell a metric of themselves, so that it cannot be computed of predictions.

    Args:
        name: A full name.
    """
    kind = _kind(name)
    return kind is not None and kind.of_model


def lower_is_better(name: str) -> bool:
    """Whether the smallest value of a metric is the best one.

    Args:
        name: A full name, e.g. `mae:triangle`.
    """
    kind = _kind(name)
    return kind is not None and kind.lower_is_better


def _kind(name: str) -> Kind | None:
    """A row of this name, of whatever task; None where there is none."""
    before = name.partition("@")[0].partition(":")[0]
    return next((kind for kind in KINDS if kind.name == before), None)


def in_words(names: Sequence[str], last: str) -> str:
    """`a, b and c`, with the word before the last one."""
    return f"{', '.join(names[:-1])} {last} {names[-1]}" if len(names) > 1 else names[0]


def _choices(task: str) -> str:
    kinds = _judges(task)
    names = in_words([f"{kind.name}@K" if kind.takes_k else kind.name for kind in kinds], "or")
    first = next((kind.name for kind in kinds if kind.takes_k), None)
    return f"{names}, with a number K from 1 to {MOST_K:,} as in {first}@20" if first else names
