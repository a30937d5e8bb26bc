"""LightGCN: trained embeddings, smoothed over the graph of interactions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from graphkit.layers.lightgcn import LightGCNPropagation
from graphkit.models.recommend.base import EmbeddingRecommender, bipartite, item_bags
from graphkit.models.recommend.pairwise import batch_nodes, check_penalty, embedding_table, pairwise_loss
from graphkit.sparse.csr import CSR
from graphkit.sparse.polynomial import polynomial, polynomial_rows


class LightGCN(EmbeddingRecommender):
    """LightGCN: score = <e_u, e_i> with E = sum_k alpha_k A_hat^k E0, of which E0 alone is trained.

    A_hat = D^-1/2 A D^-1/2 on the graph of users and items; the loss is that of `pairwise_loss` with E and E0.

    Args:
        num_users: Number of users.
        num_items: Number of items.
        hidden_channels: Width d of the embeddings.
        num_layers: Rounds of propagation K, at least 1; without any it is BPR-MF.
        layer_weights: `mean` for alpha_k = 1 / (K + 1), or `learned`.
        init: `normal`, or `xavier` (uniform, users and items apart).
        init_std: Standard deviation of the `normal` initialization.
        embedding_penalty: Weight lambda of the penalty on E0.
        penalty: How E0 is penalized, see `pairwise_loss`.

    Raises:
        ValueError: If `num_layers` is below 1, or a choice is unknown.

    Source: He et al., LightGCN, SIGIR 2020. Initialization and penalty follow the authors' PyTorch code; the paper's text
    has Xavier.
    """

    def __init__(
        self,
        num_users: int,
        num_items: int,
        hidden_channels: int = 64,
        num_layers: int = 3,
        layer_weights: str = "mean",
        init: str = "normal",
        init_std: float = 0.1,
        embedding_penalty: float = 1e-4,
        penalty: str = "half-squared",
    ) -> None:
        super().__init__(num_users, num_items)
        if num_layers < 1:
            raise ValueError(f"num_layers must be at least 1, got {num_layers}; without propagation use BPR-MF")
        self.embedding_penalty = embedding_penalty
        self.penalty = check_penalty(penalty)
        self.propagation = LightGCNPropagation(num_layers, layer_weights)
        self.embedding = embedding_table(num_users, num_items, hidden_channels, init, init_std)
        self._a_hat: CSR | None = None
        self._item_terms: Tensor | None = None

    def fit(self, interactions: CSR) -> None:
        """Keep A_hat of the training interactions, see `Recommender.fit`; their values weigh the edges."""
        super().fit(interactions)
        self._a_hat = bipartite(interactions).gcn_norm(self_loops=False)

    @property
    def a_hat(self) -> CSR:
        """A_hat, [num_users + num_items] squared; RuntimeError before `fit`."""
        if self._a_hat is None:
            raise RuntimeError("call fit() with the training interactions before using LightGCN.")
        return self._a_hat

    def loss(self, users: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
        """The loss of a batch of triples, see `Recommender.loss`; only its own rows of E are computed."""
        nodes, place = batch_nodes(users, positives, negatives, self.num_users)
        final, ego = polynomial_rows(self.a_hat, self.propagation.coefficients(), self.embedding, nodes)
        return pairwise_loss(final, ego, place, users.numel(), self.embedding_penalty, self.penalty)

    def compute_embeddings(self) -> tuple[Tensor, Tensor]:
        """User and item rows of E."""
        final = polynomial(self.a_hat, self.propagation.coefficients(), self.embedding)
        return final[: self.num_users], final[self.num_users :]

    def prepare(self) -> None:
        """Compute E for `scores`, see `EmbeddingRecommender.prepare`."""
        super().prepare()
        self._item_terms = None

    @torch.no_grad()
    def embed_users(self, items: Sequence[Tensor]) -> Tensor:
        """Embeddings of new users as their items send them, see `EmbeddingRecommender.embed_users`.

        e_u = sum over k = 1, ..., K of alpha_k sum over items i of u of e_i^(k-1) / sqrt(n_u d_i): what propagation would give
        a user of n_u items without a trained embedding of its own, the items' embeddings and degrees d_i as they were
        trained. A user whose items all were unseen in training, or who has none, gets zeros.
        """
        if self._item_terms is None:
            degree = self.interactions.t().row_sum(self.embedding.dtype)
            scale = torch.where(degree > 0, degree.clamp(min=1e-30).rsqrt(), 0.0)
            terms = polynomial(self.a_hat, self.propagation.coefficients()[1:], self.embedding)
            self._item_terms = terms[self.num_users :] * scale.unsqueeze(1)
        bags = item_bags(items, self.num_items, self._item_terms.device)
        count = bags.degree().clamp(min=1).to(self._item_terms.dtype)
        return bags.matmul(self._item_terms) * count.rsqrt().unsqueeze(1)
