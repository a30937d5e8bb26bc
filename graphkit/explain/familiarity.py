"""Whether a sample is like what the model was trained on: the similarity of its embedding to the nearest training sample."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from graphkit.explain.words import percent

_MOST = 2_000
_RARE = 0.01
_ENOUGH = 30


@dataclass(frozen=True)
class Familiarity:
    """The nearest training sample.

    Attributes:
        nearest: Its number.
        similarity: Cosine of the two embeddings.
        rank: Share of training samples that are less similar to their own nearest one, from 0 to 1.
    """

    nearest: int
    similarity: float
    rank: float

    def warning(self, kind: str) -> tuple[str, ...]:
        """A sentence where hardly any training sample is as far from the others.

        Args:
            kind: What samples are, e.g. node.
        """
        if self.rank >= _RARE:
            return ()
        return (
            f"Unlike the training {kind}s: the similarity {self.similarity:.3f} to the nearest of them is lower than that of "
            f"{percent(1 - self.rank)} of the training {kind}s to their own nearest one.",
        )


def familiarity(z: Tensor, train: Tensor, train_ids: Tensor, own_id: int) -> Familiarity | None:
    """Compare a sample with training samples.

    Args:
        z: Its embedding [C].
        train: Embeddings of training samples [T, C]; of more than 2,000 as many are taken, evenly spaced.
        train_ids: Their numbers [T].
        own_id: The number of the sample, which is never its own nearest one.

    Returns:
        The nearest one; None where there are fewer than 30 others, too few to tell what is usual.
    """
    others = train_ids != own_id
    train, train_ids = F.normalize(train[others].double(), dim=1), train_ids[others]
    if train_ids.numel() < _ENOUGH:
        return None
    count = min(_MOST, train_ids.numel())
    taken = torch.arange(count, device=train.device) * train_ids.numel() // count
    among = train[taken] @ train[taken].t()
    usual = among.fill_diagonal_(-2.0).max(dim=1).values
    similarity = train @ F.normalize(z.double(), dim=0)
    best = similarity.max(dim=0)
    return Familiarity(int(train_ids[best.indices]), float(best.values), float((usual < best.values).double().mean()))
