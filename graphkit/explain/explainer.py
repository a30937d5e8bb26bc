"""What the door asks of a task's explainer, and what all explainers say alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from graphkit.explain.explanation import Account, Agreement, Explanation
from graphkit.serving.opened import Opened

_STRONGEST = 5
_LARGE_REMAINDER = 0.2


class Explainer(ABC):
    """Explains predictions of an opened run.

    Args:
        opened: The run.

    Raises:
        RequestError: Nothing of the run can be explained; the message says why and what can.
    """

    def __init__(self, opened: Opened) -> None:
        self.opened = opened

    @abstractmethod
    def identity(self) -> tuple[Tensor, ...]:
        """What is the same for two seeds exactly if they are about the same things, whatever their splits."""

    @abstractmethod
    def find(self, asked: Mapping[str, str]) -> Sequence[Any]:
        """What is asked for, as `explain` takes it; the same values mean the same for every seed of the run.

        Args:
            asked: What was typed, by the settings in the task's row.

        Raises:
            RequestError: Something is not there; the message has the nearest names.
        """

    @abstractmethod
    def explain(self, sample: Any, top: int, *, with_receipt: bool = True) -> Explanation:
        """Explain a prediction.

        Args:
            sample: One of what `find` gave.
            top: Reasons that get a line of their own.
            with_receipt: Whether reasons are removed and the model is run again.

        Raises:
            RequestError: This one cannot be explained; the message says why.
            RunError: The model's score is no number.
        """


def is_same_data(one: Explainer, other: Explainer) -> bool:
    """Whether two seeds of a run are about the same things; generated data sets get a new draw for every seed.

    Args:
        one: The explainer of a seed.
        other: That of another seed.
    """
    pairs = zip(one.identity(), other.identity(), strict=True)
    return all(mine.shape == theirs.shape and bool((mine == theirs).all()) for mine, theirs in pairs)


def compared(explanation: Explanation, others: Mapping[int, Explanation]) -> Explanation:
    """The explanation with what other seeds say of the same sample.

    Args:
        explanation: Of the seed that is explained.
        others: Those of other seeds.
    """
    own = _decided(explanation)
    agreements = tuple(
        Agreement(seed, said := _decided(other), same := said == own, _shared(explanation, other) if same else None)
        for seed, other in others.items()
    )
    warnings = explanation.warnings
    if away := [one for one in agreements if not one.is_same]:
        which = "another seed predicts" if len(away) == 1 else f"{len(away)} of {len(agreements)} other seeds predict"
        warnings += (f"{which[:1].upper()}{which[1:]} something else: the prediction depends on chance in training.",)
    return replace(explanation, agreements=agreements, warnings=warnings)


def warnings_of(explanation: Explanation) -> tuple[str, ...]:
    """Why any explanation may mislead: a large remainder, a receipt that does not support it.

    Args:
        explanation: An explanation with its receipt.
    """
    account, found = explanation.predicted, []
    explained = sum(abs(term.contribution) for term in account.terms) + abs(account.unlisted)
    if abs(account.remainder) > _LARGE_REMAINDER * explained:
        found.append("What the rule leaves over is large beside the reasons: they do not explain the score by themselves.")
    if any(check.is_better_than_chance is False for check in explanation.checks):
        found.append("Removing the named reasons lowered the score no more than removing others at random: mistrust them.")
    return tuple(found)


def _decided(explanation: Explanation) -> str:
    return explanation.verdict or explanation.predicted.name


def _shared(own: Explanation, other: Explanation) -> float | None:
    """Jaccard index of the strongest reasons of both; None where neither has one."""
    mine, theirs = _strongest(own.predicted), _strongest(other.predicted)
    return len(mine & theirs) / len(mine | theirs) if mine | theirs else None


def _strongest(account: Account) -> set[str]:
    """Names of the strongest reasons for a score; those that are training parts go by the name of the part."""
    return {term.name if term.source is None else term.source.name for term in account.for_it()[:_STRONGEST]}
