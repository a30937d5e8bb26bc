"""From a pair tensor to one row per node or per graph: nodes of each bag first, or bags of each node first."""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least
from graphkit.layers.subgraph.aggregations import Pool, pool_bags, pool_nodes
from graphkit.sparse import segment_mean, segment_sum
from graphkit.sparse.egonets import Bags

Order = Literal["VS", "SV"]
Inner = Literal["sum", "mean", "root"]


class SubgraphPooling(nn.Module):
    """Two pools of a pair tensor with a perceptron in between.

        VS:  z_u = MLP(pool over v of h(u, v)),  y_g = pool over the bags u of graph g of z_u
        SV:  z_v = MLP(pool over u of h(u, v)),  y_g = pool over the nodes v of graph g of z_v

    with MLP = ReLU(Linear). Without it the two orders are one, for bags of whole graphs.

    Args:
        channels: Width C.
        order: `VS` or `SV`; SV tells more graphs apart.
        inner: The first pool: `sum`, `mean`, or with VS `root`, which takes h(u, u).
        outer: The second pool: `sum` or `mean`. Over a sample of the bags, `sum` is scaled up to all: both are unbiased.
        level: `graph`, or `node` for z alone.

    Raises:
        ValueError: A width below 1, an unknown name, or `root` with SV.

    Source: Zhang et al., ICML 2023 (their vertex-subgraph and subgraph-vertex pooling).

    Example:
        >>> SubgraphPooling(64)(h, bags)  # [T, 64] -> [G, 64]
    """

    def __init__(
        self,
        channels: int,
        order: Order = "VS",
        *,
        inner: Inner = "mean",
        outer: Pool = "mean",
        level: Literal["graph", "node"] = "graph",
    ) -> None:
        super().__init__()
        check_at_least(1, channels=channels)
        choices = (order, ("VS", "SV")), (inner, ("sum", "mean", "root")), (outer, ("sum", "mean")), (level, ("graph", "node"))
        for given, allowed in choices:
            if given not in allowed:
                raise ValueError(f"order, inner, outer and level: {given!r} is none of {', '.join(allowed)}.")
        if inner == "root" and order == "SV":
            raise ValueError("inner='root' takes one row per bag and needs order='VS'.")
        self.channels, self.order, self.inner, self.outer, self.level = channels, order, inner, outer, level
        self.lin = nn.Linear(channels, channels)

    def reset_parameters(self) -> None:
        """Draw new weights."""
        self.lin.reset_parameters()

    def forward(self, h: Float[Tensor, "T {self.channels}"], bags: Bags) -> Float[Tensor, "R {self.channels}"]:
        """Pool to a row per graph, or with level `node` to a row per bag (VS) or node (SV)."""
        z = self.rows(h, bags)
        if self.level == "node":
            return z
        ptr = bags.bag_ptr if self.order == "VS" else bags.node_ptr
        if self.outer == "mean":
            return segment_mean(z, ptr)
        total = segment_sum(z, ptr)
        return total if self.order == "SV" or bags.total is None else total * bags.scale.to(z.dtype).unsqueeze(1)

    def rows(self, h: Tensor, bags: Bags) -> Tensor:
        """Z alone, as with level `node`."""
        z: Tensor = self.lin(self._first(h, bags)).relu()
        return z

    def _first(self, h: Tensor, bags: Bags) -> Tensor:
        if self.order == "SV":
            return pool_bags(h, bags, "sum" if self.inner == "sum" else "mean")
        if self.inner == "root":
            return bags.own @ h
        return pool_nodes(h, bags, self.inner)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.channels}, {self.order!r}, inner={self.inner!r}, outer={self.outer!r})"
