"""Why a sample was given its class: what every prototype added to the logit, and what spoke for the runner-up."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from graphkit.errors import RunError
from graphkit.prototypes.bank import PrototypeBank
from graphkit.prototypes.heads import Head, contributions
from graphkit.prototypes.parts import PartBatch

_ROUNDINGS = 16


@dataclass(frozen=True)
class PrototypeEvidence:
    """One line of an explanation: similarity x weight = contribution.

    Attributes:
        prototype: Number of the prototype.
        classes: The classes it stands for.
        similarity: Its similarity to the sample.
        weight: Its weight for the class that is explained.
        contribution: Their product.
        part: Ids (sample, part) of the most similar part of the sample.
        source: Ids of the training part that the prototype is; None where it is not, or no longer, a training part.
    """

    prototype: int
    classes: tuple[int, ...]
    similarity: float
    weight: float
    contribution: float
    part: tuple[int, int]
    source: tuple[int, int] | None


@dataclass(frozen=True)
class ClassEvidence:
    """The logit of a class as a sum: bias + contributions of the lines + remainder.

    Attributes:
        label: The class.
        logit: Its logit, in float64.
        bias: What it has without any prototype.
        lines: Prototypes, the largest contribution in either direction first.
        remainder: Sum of the contributions that have no line.
    """

    label: int
    logit: float
    bias: float
    lines: tuple[PrototypeEvidence, ...]
    remainder: float


@dataclass(frozen=True)
class Evidence:
    """An explained decision.

    Attributes:
        sample: Global id of the sample.
        predicted: The class of the largest logit.
        runner_up: The class of the second largest: the counter-evidence; None if there is one class.
        is_projected: Whether prototypes are training parts. Only then may one say that a part looks like a training part.
    """

    sample: int
    predicted: ClassEvidence
    runner_up: ClassEvidence | None
    is_projected: bool

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


@torch.no_grad()
def explain(
    parts: PartBatch, position: int, *, bank: PrototypeBank, head: Head, encoder: nn.Module, top: int | None = None
) -> Evidence:
    """Explain the decision on one sample.

    Args:
        parts: A batch that holds the sample.
        position: Its place in the batch.
        bank: The prototypes.
        head: The head.
        encoder: All that made the parts; it tells whether prototypes are still training parts.
        top: How many prototypes get a line; default: all.

    Returns:
        The evidence.

    Raises:
        ValueError: The batch has no such sample.
        RunError: The contributions do not add up to the logit: head and prototypes do not belong together.
    """
    if not 0 <= position < parts.z.size(0):
        raise ValueError(f"position must lie from 0 to {parts.z.size(0) - 1}, got {position}")
    one = PartBatch(*(tensor[position : position + 1] for tensor in (parts.z, parts.mask, parts.ref)))
    pooled = bank(one)
    logits = head(pooled.similarity)
    is_projected = bank.is_projected(encoder)
    compared = _Compared(bank, pooled.similarity, one.ref_of(pooled.part)[0], is_projected, top)
    best = logits[0].sort(descending=True, stable=True).indices[:2]  # of equal logits the first wins, as in argmax
    explained = [_of_class(head, logits, label, compared) for label in best.split(1)]
    return Evidence(int(one.ref[0, 0, 0]), explained[0], explained[1] if len(explained) > 1 else None, is_projected)


@dataclass(frozen=True)
class _Compared:
    """A sample beside the prototypes: similarity [1, M] and the ids [M, 2] of its winning parts."""

    bank: PrototypeBank
    similarity: Tensor
    ref: Tensor
    is_projected: bool
    top: int | None

    def line(self, prototype: int, weight: float, contribution: float) -> PrototypeEvidence:
        source = self.bank.source[prototype].tolist()
        return PrototypeEvidence(
            prototype,
            tuple(self.bank.identity[prototype].nonzero().flatten().tolist()),
            float(self.similarity[0, prototype]),
            weight,
            contribution,
            tuple(self.ref[prototype].tolist()),
            tuple(source) if self.is_projected else None,
        )


def _of_class(head: Head, logits: Tensor, label: Tensor, compared: _Compared) -> ClassEvidence:
    """The evidence for one class, `label` [1]."""
    weight, _ = head.weights(compared.similarity, label)
    parts, bias = contributions(head, compared.similarity, label)
    logit = float(parts.sum() + bias)
    size = float(parts.abs().sum() + bias.abs())
    told = float(logits[0, label])
    if not abs(logit - told) <= _ROUNDINGS * torch.finfo(logits.dtype).eps * max(size, 1.0):
        raise RunError(f"contributions add up to {logit:g}, not to the logit {told:g}: give the head of these prototypes")
    order = parts[0].abs().sort(descending=True, stable=True).indices
    shown, rest = order[: compared.top], order[order.numel() if compared.top is None else compared.top :]
    values = zip(shown.tolist(), weight[0, shown].tolist(), parts[0, shown].tolist(), strict=True)
    lines = tuple(compared.line(prototype, w, contribution) for prototype, w, contribution in values)
    return ClassEvidence(int(label), logit, float(bias), lines, float(parts[0, rest].sum()))
