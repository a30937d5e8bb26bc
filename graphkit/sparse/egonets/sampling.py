"""Samples of bags: which bags of each graph are kept, so that a mean over them estimates the mean over all without bias."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class BagSample:
    """Keep some bags of each graph, drawn uniformly and without replacement.

    Every bag of a graph is kept with the same probability. So the mean of f(bag) over the kept bags is an unbiased estimate of
    the mean over all bags. Votes of one seed go through one random order of the bags, and start again at its end: they are
    disjoint as long as there are bags enough, and votes that go through the order a whole number of times average to the mean
    over all bags exactly.

    Args:
        size: A number of bags per graph (all of a graph that has fewer), or a share in (0, 1) of its bags, rounded up.
        vote: Which of the votes, from 0 on.
        seed: Of the order; another one per training step.

    Raises:
        ValueError: A size that is no number of bags and no share, or a negative vote.
    """

    size: int | float
    vote: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if not (0.0 < self.size < 1.0 or (isinstance(self.size, int) and self.size >= 1)):
            raise ValueError(f"size must be a number of bags per graph (1 or more) or a share in (0, 1), got {self.size!r}.")
        if self.vote < 0:
            raise ValueError(f"vote must be at least 0, got {self.vote}.")

    def kept(self, totals: Tensor) -> Tensor:
        """How many bags are kept of graphs that have so many [G]."""
        return totals.clamp(max=int(self.size)) if self.size >= 1 else torch.ceil(totals * self.size).long()

    def draw(self, bag_ptr: Tensor) -> Tensor:
        """Ids of the kept bags, ascending, from the boundaries of the graphs' bags [G + 1]."""
        totals = bag_ptr.diff()
        graph = torch.arange(totals.numel(), device=bag_ptr.device).repeat_interleave(totals)
        # Drawn on the CPU, so that it is the same on every device.
        generator = torch.Generator().manual_seed(self.seed)
        order = torch.randperm(graph.numel(), generator=generator).to(bag_ptr.device)
        order = order[torch.argsort(graph[order], stable=True)]
        place = torch.empty_like(order)
        place[order] = torch.arange(order.numel(), device=order.device) - bag_ptr[graph]
        kept = self.kept(totals)[graph]
        return ((place - self.vote * kept) % totals[graph] < kept).nonzero().flatten()


def draw(bag_ptr: Tensor, sample: BagSample | None) -> tuple[Tensor, Tensor, Tensor | None]:
    """Ids of the kept bags, their boundaries [G + 1], and how many bags each graph has in all [G], None where all are kept."""
    if sample is None:
        return torch.arange(int(bag_ptr[-1]), device=bag_ptr.device), bag_ptr, None
    kept = sample.draw(bag_ptr)
    return kept, torch.searchsorted(kept, bag_ptr), bag_ptr.diff()
