"""How much memory bags would take, before they are built."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from graphkit.errors import RequestError
from graphkit.sparse.csr import CSR
from graphkit.sparse.egonets.lift import ball_sizes

MAX_BYTES = 2**32
_PROBES = 1024  # bags that are counted to estimate all of them


@dataclass(frozen=True)
class BagSize:
    """The size of bags of subgraphs.

    Attributes:
        bags: Number of bags.
        rows: Number of (bag, node) rows.
        entries: Number of edges inside bags, taken as the rows times the mean degree where it was not counted.
        exact: Whether it was counted, or estimated from some of the bags.
    """

    bags: int
    rows: int
    entries: int
    exact: bool

    @property
    def bytes(self) -> int:
        """Memory of the index arrays: three numbers per row, and two per edge inside a bag."""
        return 8 * (3 * self.rows + 2 * self.entries)

    def refuse_beyond(self, max_bytes: int, what: str) -> None:
        """Raise RequestError where the index arrays would take more than `max_bytes`."""
        if self.bytes > max_bytes:
            raise RequestError(
                f"{what} would take {'' if self.exact else 'about '}{self.bytes / 1e9:.3g} GB ({self.bags:,} bags, "
                f"{self.rows:.3g} rows, {self.entries:.3g} edges), more than max_bytes={max_bytes:,}: keep a part of the bags "
                "of each graph with sample=BagSample(0.1) (in a run: model.sample=0.1), take smaller bags, or raise max_bytes."
            )


def ball_budget(adj: CSR, roots: Tensor, hops: int) -> BagSize:
    """Size of all balls, estimated from evenly spread roots [S, k] where there are many."""
    num_bags = roots.size(0)
    exact = num_bags <= _PROBES
    probes = roots if exact else roots[torch.linspace(0, num_bags - 1, _PROBES, device=roots.device).long()]
    sizes = ball_sizes(adj, probes, hops)
    rows = int(sizes.sum()) if exact else round(float(sizes.double().mean()) * num_bags)
    return BagSize(num_bags, rows, rows * adj.nnz // max(adj.shape[0], 1), exact)
