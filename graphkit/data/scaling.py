"""Scaling of node features: by the node's own sum, or by statistics of some nodes, applied to all."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_ZEROS = 0.9
"""A table of counts is a bag of words from this share of zeros on."""


@dataclass(frozen=True)
class Scaling:
    r"""x'_nf = (x_nf - mean_f) / std_f.

    Attributes:
        mean: Of each column [F], float64; 0 where a column stays as it is.
        std: Deviation of each column [F], float64, with divisor n, above 0; 1 where a column stays as it is.
        num_scaled: How many columns are scaled.
    """

    mean: Tensor
    std: Tensor
    num_scaled: int

    def apply(self, x: Tensor) -> Tensor:
        """Scaled features [N, F] in the dtype of x."""
        return ((x.double() - self.mean) / self.std).to(x.dtype)

    def with_others(self, count: int) -> Scaling:
        """The scaling of these columns and of so many others after them, which stay as they are."""
        zeros = self.mean.new_zeros(count)
        return Scaling(torch.cat([self.mean, zeros]), torch.cat([self.std, zeros + 1]), self.num_scaled)


def row_normalized(x: Tensor) -> Tensor:
    """Features [N, F] scaled so that each node's sum to 1; a node without features keeps its zeros."""
    total = x.sum(dim=1, keepdim=True)
    return x / total.masked_fill(total == 0, 1.0)


def fit_scaling(x: Tensor, nodes: Tensor | None = None, *, every: bool = False) -> Scaling:
    """Mean and deviation of the columns that are to be scaled.

    A column that is constant over the nodes stays as it is. So do, unless `every`, columns of zeros and ones, and all columns
    of a bag of words: whole numbers from 0 on, at least nine of ten of them 0.

    Args:
        x: Features [N, F], finite.
        nodes: Ids of the nodes that statistics are taken of; None: all.
        every: Scale zeros and ones and bags of words, too.
    """
    seen = (x if nodes is None else x[nodes]).double()
    chosen = seen.amax(0) > seen.amin(0)
    if not every:
        counts = bool((x >= 0).all()) and bool((x == x.floor()).all())
        if counts and float((x == 0).double().mean()) >= _ZEROS:
            chosen = torch.zeros_like(chosen)
        chosen = chosen & ~((x == 0) | (x == 1)).all(0)
    std, mean = torch.std_mean(seen, dim=0, correction=0)
    chosen = chosen & (std > 0)  # of numbers that differ in their last digit alone it may be 0
    return Scaling(torch.where(chosen, mean, 0.0), torch.where(chosen, std, 1.0), int(chosen.sum()))
