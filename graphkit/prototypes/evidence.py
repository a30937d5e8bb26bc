"""Why a sample was given its class: what every prototype added to the logit, and what spoke for the runner-up."""

from __future__ import annotations

from collections.abc import Sequence
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
    return explain_branches([Branch(parts, bank, encoder)], position, head=head, top=top)


@dataclass(frozen=True)
class Branch:
    """One of several banks that a head reads side by side, such as those of two branches or of several scales.

    Attributes:
        parts: A batch of samples, as this bank sees them.
        bank: The prototypes.
        encoder: All that made the parts.
    """

    parts: PartBatch
    bank: PrototypeBank
    encoder: nn.Module


@torch.no_grad()
def explain_branches(branches: Sequence[Branch], position: int, *, head: Head, top: int | None = None) -> Evidence:
    """Explain a decision of a head on the similarities of several banks, [s_1, s_2, ...]; otherwise as `explain`.

    Prototypes are numbered through, those of the first bank first.

    Args:
        branches: The banks with the same samples in the same order.
        position: Place of the sample in the batch.
        head: The head.
        top: How many prototypes get a line; default: all.
    """
    size = branches[0].parts.z.size(0)
    if not 0 <= position < size:
        raise ValueError(f"position must lie from 0 to {size - 1}, got {position}")
    similarities, refs = [], []
    for branch in branches:
        one = PartBatch(*(tensor[position : position + 1] for tensor in (branch.parts.z, branch.parts.mask, branch.parts.ref)))
        pooled = branch.bank(one)
        similarities.append(pooled.similarity)
        refs.append(one.ref_of(pooled.part)[0])
    compared = _Compared(
        torch.cat(similarities, dim=1),
        torch.cat(refs),
        torch.cat([branch.bank.source for branch in branches]),
        torch.cat([branch.bank.identity for branch in branches]),
        all(branch.bank.is_projected(branch.encoder) for branch in branches),
        top,
    )
    logits = head(compared.similarity)
    best = logits[0].sort(descending=True, stable=True).indices[:2]  # of equal logits the first wins, as in argmax
    explained = [_of_class(head, logits, label, compared) for label in best.split(1)]
    sample = int(branches[0].parts.ref[position, 0, 0])
    return Evidence(sample, explained[0], explained[1] if len(explained) > 1 else None, compared.is_projected)


@dataclass(frozen=True)
class _Compared:
    """A sample beside the prototypes: similarity [1, M], ids [M, 2] of its winning parts and of the sources, classes."""

    similarity: Tensor
    ref: Tensor
    source: Tensor
    identity: Tensor
    is_projected: bool
    top: int | None

    def line(self, prototype: int, weight: float, contribution: float) -> PrototypeEvidence:
        source = self.source[prototype].tolist()
        return PrototypeEvidence(
            prototype,
            tuple(self.identity[prototype].nonzero().flatten().tolist()),
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
