"""Features that are not known: filled from some nodes, and told apart by a column of their own."""

from __future__ import annotations

import torch
from torch import Tensor


def fill_gaps(x: Tensor, nodes: Tensor | None = None) -> tuple[Tensor, int]:
    r"""Fill gaps with the mean of what is known, and append a column of zeros and ones per column that had some.

    x'_nf = x_nf where known, else mean of x_mf over the nodes m among `nodes` that have it; 0 where none of them has. The flag
    is 1 where x_nf is not known. Values of other nodes decide nothing.

    Args:
        x: Features [N, F]; NaN where not known.
        nodes: Ids of the nodes that means are taken of; None: all.

    Returns:
        [N, F + G] without NaN, and the number G of columns with gaps; x itself where there are none.
    """
    missing = x.isnan()
    having = missing.any(dim=0)
    count = int(having.sum())
    if not count:
        return x, 0
    seen = (x if nodes is None else x[nodes]).double()
    mean = seen.nanmean(dim=0).nan_to_num(nan=0.0).to(x.dtype)
    return torch.cat([torch.where(missing, mean, x), missing[:, having].to(x.dtype)], dim=1), count
