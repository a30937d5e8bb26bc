"""From the nodes of each graph of a batch to one row per graph."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from graphkit.sparse import segment_max, segment_mean, segment_sum

_POOLS = {"sum": segment_sum, "mean": segment_mean, "max": segment_max}


class Readout(nn.Module):
    """y_g = the sum, mean or maximum of the rows x_v of graph g, or several of them side by side.

    A graph without nodes gives zeros. Equal maxima share the gradient.

    Args:
        pools: One of `sum`, `mean` and `max`, or several.

    Raises:
        ValueError: An unknown pool, or none.

    Example:
        >>> Readout(("mean", "max"))(x, ptr)  # [N, C] -> [G, 2 C]
    """

    def __init__(self, pools: str | Sequence[str] = "sum") -> None:
        super().__init__()
        self.pools = (pools,) if isinstance(pools, str) else tuple(pools)
        if not self.pools or not set(self.pools) <= set(_POOLS):
            raise ValueError(f"pools must be one or several of {', '.join(_POOLS)}, got {pools!r}.")

    def reset_parameters(self) -> None:
        """Nothing to draw: there are no parameters."""

    def forward(self, x: Float[Tensor, "N C"], ptr: Int[Tensor, " G1"]) -> Float[Tensor, "G1-1 {len(self.pools)}*C"]:
        """Pool the rows between the boundaries of the graphs."""
        found = [_POOLS[pool](x, ptr) for pool in self.pools]
        return torch.cat(found, dim=1) if len(found) > 1 else found[0]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.pools))})"
