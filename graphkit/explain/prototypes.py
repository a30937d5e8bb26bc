"""The evidence of prototypes as accounts: similarity x weight = contribution, and which part looks like which training part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from graphkit.explain.explanation import Account, Part, Term
from graphkit.prototypes import ClassEvidence, Evidence, PrototypeEvidence

_DRAWN = 3
_WEAK = 0.5
_IN_UNIT = ("cosine", "relu-cosine", "rbf")

Ref = tuple[int, int]
"""Ids of a sample and of a part of it."""


@dataclass(frozen=True)
class Looks:
    """How ids become things to look at.

    Attributes:
        query: A part of the explained sample; the flag says whether it is drawn.
        source: A training part, likewise.
        classes: Names of the classes in index order.
    """

    query: Callable[[Ref, bool], Part]
    source: Callable[[Ref, bool], Part]
    classes: Sequence[str]

    def account(self, evidence: ClassEvidence) -> Account:
        """The account of a class; what its strongest reasons are about is drawn.

        Args:
            evidence: What the prototypes add to its logit.
        """
        strongest = sorted((line for line in evidence.lines if line.contribution > 0), key=lambda line: -line.contribution)
        drawn = {line.prototype for line in strongest[:_DRAWN]}
        terms = tuple(self._term(line, line.prototype in drawn) for line in evidence.lines if line.contribution)
        name = self.classes[evidence.label]
        return Account(name, evidence.logit, evidence.bias, terms, unlisted=evidence.remainder)

    def accounts(self, evidence: Evidence) -> list[Account]:
        """Those of the predicted class and of the runner-up."""
        return [self.account(one) for one in (evidence.predicted, evidence.runner_up) if one is not None]

    def _term(self, line: PrototypeEvidence, is_drawn: bool) -> Term:
        stands_for = " and ".join(self.classes[label] for label in line.classes)
        source = None if line.source is None else self.source(line.source, is_drawn)
        like = f"prototype {line.prototype} of {stands_for}" if source is None else f"{source.name}, prototype {line.prototype}"
        query = self.query(line.part, is_drawn)
        return Term(f"likeness to {like}", line.similarity, line.weight, line.contribution, query, source)


def prototype_warnings(evidence: Evidence, similarity: str) -> tuple[str, ...]:
    """Why evidence of prototypes may mislead: they are no training parts, or none is like the sample.

    Args:
        evidence: The evidence.
        similarity: Name of the similarity of the bank.
    """
    found = []
    if not evidence.is_projected:
        found.append(
            "The prototypes were not projected, so that they are no training parts: nothing can be named that is like them."
        )
    best = max((line.similarity for line in evidence.predicted.lines if line.contribution > 0), default=None)
    if best is None:
        found.append("No listed prototype speaks for the prediction.")
    elif similarity in _IN_UNIT and best < _WEAK:
        found.append(f"Low similarity: the best prototype for the prediction has {best:.3f} of at most 1.")
    return tuple(found)
