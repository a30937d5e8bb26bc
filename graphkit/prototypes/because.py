"""Why a part looks like a prototype: how much similarity is lost when something about the sample is changed.

A change is anything that leaves the parts where they are: another contrast of an image, edges dropped from a graph. Whoever has
the samples makes the changed parts; the scores are the same for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from graphkit.prototypes.bank import PrototypeBank
from graphkit.prototypes.parts import PartBatch


class Because(NamedTuple):
    """What changes did to the similarities of samples.

    Attributes:
        score: phi of every change, sample and prototype: positive where what was changed had mattered.
        similarity: Of the samples as they are.
    """

    score: Float[Tensor, "K B M"]
    similarity: Float[Tensor, "B M"]


@torch.no_grad()
def because(bank: PrototypeBank, parts: PartBatch, changed: Sequence[PartBatch]) -> Because:
    """phi_kij = s_j(z_i at p) - s_j(z_ki at p): the similarity lost by change k at the part p of sample i that is nearest to j.

    The part stays the one of the sample as it is, so that a change cannot hide by making another part win.

    Args:
        bank: The prototypes.
        parts: Samples.
        changed: The same samples after each change, part by part.

    Raises:
        ValueError: Changed samples have other parts.

    Source: the local scores of "This Looks Like That, Because ...", 2021 (arXiv:2011.02863).
    """
    if any(one.z.shape != parts.z.shape or not torch.equal(one.mask, parts.mask) for one in changed):
        raise ValueError("a change must keep the parts of every sample: changed batches have other shapes or masks")
    part = bank(parts).part
    at = part.unsqueeze(2).expand(-1, -1, parts.z.size(2))
    own, *others = [bank.compare_own(bank.unit(one.z).gather(1, at)) for one in (parts, *changed)]
    lost = [own - other for other in others]
    return Because(torch.stack(lost) if lost else own.new_zeros(0, *own.shape), own)


def because_of_all(scores: Because) -> Float[Tensor, "K M"]:
    """Phi_kj = sum_i phi_kij s_ij / sum_i s_ij: the mean over samples, those that are like a prototype counting most.

    Negative similarities count as 0. A prototype that no sample is like gets 0.

    Args:
        scores: Of all training samples.

    Source: the global scores of "This Looks Like That, Because ...", 2021 (arXiv:2011.02863).
    """
    weight = scores.similarity.clamp(min=0.0)
    total = weight.sum(dim=0)
    return (scores.score * weight).sum(dim=1) / torch.where(total > 0, total, 1.0)
