"""Which scores of a sample are explained: those of the predicted class and of the runner-up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from graphkit.errors import RunError
from graphkit.explain.explanation import Account
from graphkit.explain.words import answer


@dataclass(frozen=True)
class Decision:
    """A prediction among several scores.

    Attributes:
        chosen: Numbers of the scores [K], the predicted one first, then the runner-up where there is one.
        scores: Their values.
        names: What they are called.
        probabilities: Their probabilities; empty: scores are no probabilities.
    """

    chosen: Tensor
    scores: tuple[float, ...]
    names: tuple[str, ...]
    probabilities: tuple[float, ...] = ()

    @classmethod
    def of(cls, scores: Tensor, names: Sequence[str], probabilities: Tensor | None = None) -> Decision:
        """The decision for the largest score; of equal ones the first, as in argmax.

        Args:
            scores: Of one sample [C].
            names: What each is called; empty: their numbers.
            probabilities: Of each [C]; None: scores are no probabilities.

        Raises:
            RunError: A score is no number.
        """
        if not bool(torch.isfinite(scores).all()):
            raise RunError("the model's scores are no finite numbers: train with a lower train.lr or precision=32-true")
        chosen = scores.sort(descending=True, stable=True).indices[:2]
        called = tuple(names[number] if names else f"class {number}" for number in chosen.tolist())
        sure = () if probabilities is None else tuple(probabilities[chosen].tolist())
        return cls(chosen, tuple(scores[chosen].double().tolist()), called, sure)

    @property
    def probability(self) -> float | None:
        """Of the prediction."""
        return self.probabilities[0] if self.probabilities else None

    def sentence(self, subject: str, accounts: Sequence[Account]) -> str:
        """The answer in a sentence.

        Args:
            subject: What is explained.
            accounts: Those of the scores, in order.
        """
        second = self.probabilities[1] if len(self.probabilities) > 1 else None
        return answer(subject, accounts[0], self.probability, accounts[1] if len(accounts) > 1 else None, second)
