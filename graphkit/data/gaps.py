"""Features that are not known: filled from some nodes, and told apart by a column of their own."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Gaps:
    """How gaps are filled.

    Attributes:
        mean: What stands for a gap of each column [F]; read of those with gaps alone.
        having: Which columns have gaps [F], bool; each gets a column of zeros and ones that tells where.
    """

    mean: Tensor
    having: Tensor

    @property
    def count(self) -> int:
        """How many columns have gaps."""
        return int(self.having.sum())

    def fill(self, x: Tensor) -> Tensor:
        """Features [N, F], NaN in columns with gaps alone, as [N, F + G] without NaN; x itself where no column has gaps."""
        if not self.count:
            return x
        missing = x.isnan()
        return torch.cat([torch.where(missing, self.mean, x), missing[:, self.having].to(x.dtype)], dim=1)


def find_gaps(x: Tensor, nodes: Tensor | None = None) -> Gaps:
    r"""The gaps of features, and what fills them: the mean of what is known.

    x'_nf = x_nf where known, else mean of x_mf over the nodes m among `nodes` that have it; 0 where none of them has. The flag
    is 1 where x_nf is not known. Values of other nodes decide nothing.

    Args:
        x: Features [N, F]; NaN where not known.
        nodes: Ids of the nodes that means are taken of; None: all.
    """
    having, mean = x.isnan().any(dim=0), x.new_zeros(x.size(1))
    if bool(having.any()):
        mean = (x if nodes is None else x[nodes]).double().nanmean(dim=0).nan_to_num(nan=0.0).to(x.dtype)
    return Gaps(mean, having)
