"""The receipt: what an explanation names is removed and the model is run again, beside removing as much at random."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from graphkit.explain.explanation import Check

DRAWS = 5
"""Random removals that a removal is compared with."""
NAMED = 3
"""Reasons that are removed together."""


def strongest(contributions: Tensor) -> Tensor:
    """Numbers of the few largest contributions that speak for the score [at most 3]."""
    best = contributions.topk(min(NAMED, contributions.numel()))
    return best.indices[best.values > 0]


def removal(
    done: str, before: float, named: Tensor, pool: Tensor, *, rescore: Callable[[Tensor], float], seed: int = 0
) -> Check:
    """Remove what is named, then as much at random, and note what the score became.

    Args:
        done: What was done, for the reader.
        before: The score as it was.
        named: Numbers of the things that the explanation names [k].
        pool: Numbers of the other things that could have been named; the random ones are drawn from these.
        rescore: The score without some things.
        seed: Of the draws.
    """
    generator = torch.Generator().manual_seed(seed)
    count, others = named.numel(), pool[~torch.isin(pool, named)]
    result = rescore(named)
    if others.numel() < count:
        return Check(done, before, result)
    drawn = [
        rescore(others[torch.randperm(others.numel(), generator=generator)[:count].to(others.device)]) for _ in range(DRAWS)
    ]
    scores = torch.tensor(drawn, dtype=torch.float64)
    return Check(done, before, result, float(scores.mean()), float(scores.std()), DRAWS)
