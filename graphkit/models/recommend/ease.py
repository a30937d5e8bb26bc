"""EASE^R: the best linear autoencoder of the interactions, in closed form."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from graphkit.layers.checks import check_positive
from graphkit.models.recommend.base import rows_at_a_time, take_rows
from graphkit.models.recommend.history import LinearRecommender
from graphkit.sparse import CSR, dense_product


class EASE(LinearRecommender):
    """S = R B with B = I - P diag(1 / diag P) and P = (R^T R + lambda I)^-1: |R - R B|^2 + lambda |B|^2 least, diag B = 0.

    P is dense and is computed in place: one matrix [num_items, num_items] is all the memory that grows with its square.

    Args:
        num_users: Number of users.
        num_items: Number of items.
        regularization: lambda, positive.
        max_memory_gb: Refuse to fit when that matrix needs more than this, in GB of 10^9 bytes.

    Source: Steck, Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019, arXiv:1905.03375.
    """

    def __init__(self, num_users: int, num_items: int, *, regularization: float = 500.0, max_memory_gb: float = 4.0) -> None:
        super().__init__(num_users, num_items)
        check_positive(regularization=regularization)
        self.regularization, self.max_memory_gb = regularization, max_memory_gb

    def fit(self, interactions: CSR) -> None:
        """Compute B, see `Recommender.fit`; ValueError, before anything is computed, when it is larger than allowed."""
        super().fit(interactions)
        n = self.num_items
        needed = n * n * torch.finfo(self.dtype).bits / 8e9
        if needed > self.max_memory_gb:
            raise ValueError(
                f"ease inverts a dense matrix of {n:,} x {n:,} items, which needs {needed:.3g} GB of memory where "
                f"model.max_memory_gb is {self.max_memory_gb:g}: set that to {math.ceil(needed)} if the machine has so much, "
                "or take model=gf-cf or model=itemknn."
            )
        with torch.no_grad(), torch.autocast(interactions.device.type, enabled=False):
            gram = self._gram()
            gram.diagonal().add_(self.regularization)
            # Symmetric, so that its transpose is the same matrix in the layout that both solvers overwrite.
            turned = gram.t()
            torch.linalg.cholesky(turned, out=turned)
            torch.cholesky_inverse(turned, out=turned)
            gram.div_(-gram.diagonal().clone())
            gram.fill_diagonal_(0.0)
        self.weights = gram

    def score_histories(self, histories: CSR) -> Tensor:
        """Interactions times B [n, num_items]."""
        return histories @ self.weights

    def influence(self, sources: Tensor, targets: Tensor) -> Tensor:
        """Entries of B, see `LinearRecommender.influence`."""
        return self.weights[sources, targets]

    def _gram(self) -> Tensor:
        """R^T R [num_items, num_items], a block of rows at a time."""
        columns = self.interactions.t()
        out = torch.empty(self.num_items, self.num_items, dtype=self.dtype, device=columns.device)
        for items in torch.arange(self.num_items, device=columns.device).split(rows_at_a_time(self.num_items)):
            out[items[0] : items[-1] + 1] = dense_product(take_rows(columns, items), self.interactions, self.dtype)
        return out
