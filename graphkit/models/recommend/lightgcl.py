"""LightGCL: propagation over the graph, held against propagation over its low-rank approximation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from graphkit.layers.checks import check_at_least, check_positive
from graphkit.models.recommend.pairwise import batch_nodes, embedding_table, pairwise_loss
from graphkit.models.recommend.propagated import PropagatedRecommender
from graphkit.models.recommend.svd import top_singular_vectors
from graphkit.sparse import CSR, gather, incidence_of, polynomial

BLOCK = 512
"""Rows contrasted with all nodes at a time; their logits are computed again in the backward pass instead of kept."""


class LightGCL(PropagatedRecommender):
    """LightGCL: score = <e_u, e_i> with E = sum over k = 0, ..., L of A_hat^k E0, contrasted with a low-rank view.

    With P = sum over k = 0, ..., L - 1 of A_hat^k E0 and R_hat the users x items part of A_hat, R_hat ~ U S V^T of rank q,
    the view is G_users = E0_users + U S V^T P_items and G_items = E0_items + V S U^T P_users. The loss of a batch is

    mean softplus(s_uj - s_ui) + contrast_weight (C_users + C_items) + decay ||E0||^2,
    C = mean over the batch's nodes n of log sum over all m of exp(<g_n, e_m> / tau) - mean of <g_n, e_n> / tau,

    where n runs over the users, and over positive and negative items together; the second term is clamped to
    [-positive_limit, positive_limit]. The sum runs through a stable log-sum-exp over all users, or all items.

    Args:
        num_users: Number of users.
        num_items: Number of items.
        hidden_channels: Width d of the embeddings.
        num_layers: Rounds of propagation L, at least 1.
        rank: Rank q of the approximation, at least 1.
        temperature: Tau, positive.
        contrast_weight: Weight of the contrast.
        positive_limit: Limit of <g_n, e_n> / tau, positive; inf for none.
        decay: Weight of the penalty on all embeddings.

    Raises:
        ValueError: If an argument is out of range.

    Source: Cai et al., LightGCL, ICLR 2023. As in the current code of the authors: inner products, no activation, BPR instead
    of a hinge; edge dropout, off by default there, is left out.
    """

    def __init__(
        self,
        num_users: int,
        num_items: int,
        *,
        hidden_channels: int = 64,
        num_layers: int = 2,
        rank: int = 5,
        temperature: float = 0.2,
        contrast_weight: float = 0.2,
        positive_limit: float = 5.0,
        decay: float = 1e-7,
    ) -> None:
        super().__init__(num_users, num_items)
        check_at_least(1, num_layers=num_layers, rank=rank)
        check_positive(temperature=temperature, positive_limit=positive_limit)
        self.num_layers, self.rank, self.temperature = num_layers, rank, temperature
        self.contrast_weight, self.positive_limit, self.decay = contrast_weight, positive_limit, decay
        self.embedding = embedding_table(num_users, num_items, hidden_channels, init="xavier", init_std=0.0)
        self._views: tuple[Tensor, Tensor] | None = None

    def coefficients(self) -> Sequence[float]:
        """Ones: rounds are added up."""
        return (1.0,) * (self.num_layers + 1)

    def fit(self, interactions: CSR) -> None:
        """Keep A_hat and the low-rank factors U S and V, see `Recommender.fit`; values of the interactions weigh the edges."""
        super().fit(interactions)
        dtype = self.embedding.dtype
        a_hat = self.a_hat
        pairs, across = a_hat.edge_index(), a_hat.row < self.num_users
        pairs = torch.stack([pairs[0] - self.num_users, pairs[1]])[:, across]
        r_hat = CSR.from_edge_index(pairs, (self.num_users, self.num_items), a_hat.weights(dtype)[across])
        _, right = top_singular_vectors(r_hat, self.rank, dtype)
        self._views = r_hat @ right, right

    def loss(self, users: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
        """The loss of a batch of triples, see `Recommender.loss`."""
        if self._views is None:
            raise RuntimeError("call fit() with the training interactions before using LightGCL.")
        left, right = self._views
        sizes = [self.num_users, self.num_items]
        partial = polynomial(self.a_hat, (1.0,) * self.num_layers, self.embedding)
        final = self.a_hat @ partial + self.embedding
        nodes, place = batch_nodes(users, positives, negatives, self.num_users)
        # Each table is read once, at the distinct nodes: its gradient, as large as the table, is made once.
        readers = incidence_of(nodes, sum(sizes))
        rows, ego = gather(final, nodes, readers), gather(self.embedding, nodes, readers)
        ranking = pairwise_loss(rows, ego, place, users.numel(), 0.0, "half-squared")
        parts = [users.numel(), place.numel() - users.numel()]
        readers = incidence_of(place, nodes.numel())
        users_final, items_final = gather(rows, place, readers).split(parts)
        users_ego, items_ego = gather(ego, place, readers).split(parts)
        all_users, all_items = final.split(sizes)
        partial_users, partial_items = partial.split(sizes)
        items = torch.cat([positives, negatives.flatten()])
        low_users = users_ego + left[users] @ (right.t() @ partial_items)
        low_items = items_ego + right[items] @ (left.t() @ partial_users)
        contrast = self._contrast(low_users, all_users, users_final) + self._contrast(low_items, all_items, items_final)
        return ranking + self.contrast_weight * contrast + self.decay * self.embedding.square().sum()

    def _contrast(self, low: Tensor, final: Tensor, own: Tensor) -> Tensor:
        """C for rows g = `low` [B, d] of nodes whose e are `own` [B, d], among all rows e = `final` [n, d]."""

        def against_all(rows: Tensor, table: Tensor) -> Tensor:
            return torch.logsumexp(rows @ table.t() / self.temperature, dim=1).sum()

        parts = [cast(Tensor, checkpoint(against_all, rows, final, use_reentrant=False)) for rows in low.split(BLOCK)]
        agreement = (low * own).sum(1) / self.temperature
        return torch.stack(parts).sum() / len(low) - agreement.clamp(-self.positive_limit, self.positive_limit).mean()
