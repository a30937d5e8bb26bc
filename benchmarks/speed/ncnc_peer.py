"""NCNC step by step as its paper's code computes it, in plain torch: every inner pair is scored wherever it occurs."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.speed.ncn_peer import PeerNCN
from benchmarks.speed.search_peer import Rows
from graphkit.conf.models.link import NCNCModel

_SPLIT = 262_144  # inner pairs scored at a time


class PeerNCNC(PeerNCN):
    """NCNC of one round at the settings of ogbl-ddi, on the maps of `PeerNCN`.

    Args:
        num_nodes: Number of nodes N.
        settings: Width, dropouts and weights of missing common neighbors.
    """

    def __init__(self, num_nodes: int, settings: NCNCModel) -> None:
        super().__init__(num_nodes, settings)
        self.settings = settings

    def transformed(self, h: Tensor) -> Tensor:
        """The nodes as they are pooled, x' = h + xlin(h)."""
        return h + self.xlin(h)

    def score(self, h: Tensor, rows: Rows, pairs: Tensor) -> Tensor:
        """Logits [P] of pairs [2, P], completed once."""
        return self.score_at(h, rows, pairs, depth=1)

    def score_at(self, h: Tensor, rows: Rows, pairs: Tensor, depth: int) -> Tensor:
        """Logits [P] with so many rounds of completion."""
        product = self.xijlin(h[pairs[0]] * h[pairs[1]])
        x = self.transformed(h)
        pooled = rows.pool(rows.common(pairs), pairs.size(1), x)
        for ends in (pairs, pairs.flip(0)) if depth else ():
            keys = rows.left(ends)
            inner = torch.stack([ends[1][keys >> 32], keys & 0xFFFFFFFF])
            with torch.no_grad():
                scores = torch.cat([self.score_at(x, rows, block, depth - 1) for block in inner.split(_SPLIT, dim=1)])
            pooled = pooled + torch.sparse.mm(self._weighted(rows.indicator(keys, pairs.size(1)), scores), x, "sum")
        return self.lin(self.beta * self.xcnlin(pooled) + product).squeeze(1)

    def _weighted(self, indicator: Tensor, scores: Tensor) -> Tensor:
        """The indicator matrix [P, N] with the weights of missing common neighbors."""
        given = self.settings
        p = torch.sigmoid(given.scale * (scores - given.offset))
        weight = given.alpha * given.prior * p / (given.prior * p + 1 - p)
        return torch.sparse_csr_tensor(
            indicator.crow_indices(), indicator.col_indices(), weight, indicator.shape, check_invariants=False
        )
