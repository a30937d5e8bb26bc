"""Whether a sample is like what the model was trained on: the similarity of its embedding to the nearest training sample."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from graphkit.explain.words import percent

MOST = 2_000
"""Training samples, and validation samples, that a sample is compared with."""
_RARE = 0.01
_ENOUGH = 30


@dataclass(frozen=True)
class Familiarity:
    """How near the nearest training sample is.

    Attributes:
        similarity: Cosine of the two embeddings.
        rank: Share of validation samples that are less similar to their nearest training sample, from 0 to 1.
    """

    similarity: float
    rank: float

    def warning(self, kind: str) -> tuple[str, ...]:
        """A sentence where hardly any validation sample is as far from all training samples.

        Args:
            kind: What samples are, e.g. node.
        """
        if self.rank >= _RARE:
            return ()
        return (
            f"Unlike what the model was trained on: the similarity to the nearest training {kind} is {self.similarity:.3f}, "
            f"lower than for {percent(1 - self.rank)} of the validation {kind}s.",
        )


def familiarity(z: Tensor, train: Tensor, held_out: Tensor) -> Familiarity | None:
    """Compare a sample with training samples.

    Training samples are no yardstick for themselves: a model that knows them by heart puts them close together.

    Args:
        z: Its embedding [C].
        train: Embeddings of training samples [T, C], without itself; of more than 2,000 as many are taken, evenly spaced.
        held_out: Embeddings of validation samples [V, C], without itself, likewise.

    Returns:
        How near the nearest one is; None where there are fewer than 30 to tell what is usual, or no training sample.
    """
    if not train.size(0) or held_out.size(0) < _ENOUGH:
        return None
    near, usual = (F.normalize(_thinned(rows).double(), dim=1) for rows in (train, held_out))
    similarity = float((near @ F.normalize(z.double(), dim=0)).max())
    lower = (usual @ near.t()).max(dim=1).values < similarity
    return Familiarity(similarity, float(lower.double().mean()))


def _thinned(rows: Tensor) -> Tensor:
    count = min(MOST, rows.size(0))
    return rows[torch.arange(count, device=rows.device) * rows.size(0) // count]
