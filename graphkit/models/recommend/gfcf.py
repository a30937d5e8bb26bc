"""GF-CF: collaborative filtering as a low-pass filter of the user's row, in closed form."""

from __future__ import annotations

import torch
from torch import Tensor

from graphkit.layers.checks import check_at_least
from graphkit.models.recommend.history import FilterRecommender
from graphkit.models.recommend.svd import top_singular_vectors
from graphkit.sparse import CSR


class GFCF(FilterRecommender):
    """s_u = r_u (N^T N + alpha D_I^-1/2 V V^T D_I^1/2) with N = D_U^-1/2 R D_I^-1/2.

    V holds the right singular vectors of N to its largest singular values: an ideal low-pass filter next to a linear one. D_U
    and D_I are the row and column sums of R; users and items without interactions have no part in N and get 0.

    Args:
        num_users: Number of users.
        num_items: Number of items.
        alpha: Weight of the ideal filter; with 0 no singular vectors are computed (the paper's code on Amazon-Book).
        rank: Number of singular vectors, at least 1.

    Source: Shen et al., How Powerful is Graph Convolution for Recommendation?, CIKM 2021, arXiv:2108.07567.
    """

    def __init__(self, num_users: int, num_items: int, *, alpha: float = 0.3, rank: int = 256) -> None:
        super().__init__(num_users, num_items)
        check_at_least(0, alpha=alpha)
        check_at_least(1, rank=rank)
        self.alpha, self.rank = alpha, rank

    def fit(self, interactions: CSR) -> None:
        """Normalize the interactions and compute the singular vectors; ValueError for negative weights."""
        super().fit(interactions)
        value = interactions.weights(self.dtype).detach()
        if value.numel() and float(value.min()) < 0:
            raise ValueError("gf-cf needs interactions without negative weights: their degrees have no square root.")
        users, items = interactions.row_sum(self.dtype), interactions.t().row_sum(self.dtype)
        inverse = torch.where(items > 0, items.rsqrt(), 0.0)
        scale = torch.where(users > 0, users.rsqrt(), 0.0)[interactions.row] * inverse[interactions.col]
        self.normalized = interactions.with_value(value * scale)
        self._sent = self._received = None
        if self.alpha > 0:
            singular, vectors = top_singular_vectors(self.normalized, self.rank, self.dtype)
            # Below the noise of their squares vectors are arbitrary; no training user has a part in them.
            vectors = vectors[:, singular > (10 * torch.finfo(self.dtype).eps) ** 0.5 * singular[0]]
            self._sent, self._received = vectors * inverse.unsqueeze(1), vectors * items.sqrt().unsqueeze(1)

    def filter(self, x: Tensor) -> Tensor:
        """The two filters of x, added up [num_items, C]."""
        out = self.normalized.t() @ (self.normalized @ x)
        if self._sent is not None and self._received is not None:
            out.addmm_(self._received, self._sent.t() @ x, alpha=self.alpha)
        return out

    def adjoint(self, x: Tensor) -> Tensor:
        """The transposed filters of x, added up [num_items, C]."""
        out = self.normalized.t() @ (self.normalized @ x)
        if self._sent is not None and self._received is not None:
            out.addmm_(self._sent, self._received.t() @ x, alpha=self.alpha)
        return out
