"""LightGCN: trained embeddings, smoothed over the graph of interactions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from torch import Tensor

from graphkit.layers.conv.lightgcn import LightGCNPropagation
from graphkit.models.recommend.pairwise import Pairwise, PairwiseOptions, batch_nodes, pairwise_loss
from graphkit.models.recommend.propagated import PropagatedRecommender
from graphkit.sparse import polynomial_rows


class LightGCN(PropagatedRecommender):
    """LightGCN: score = <e_u, e_i> with E = sum_k alpha_k A_hat^k E0, of which E0 alone is trained.

    A_hat = D^-1/2 A D^-1/2 on the graph of users and items; the loss is that of `pairwise_loss` with E and E0.

    Args:
        num_users: Number of users.
        num_items: Number of items.
        num_layers: Rounds of propagation K, at least 1; without any it is BPR-MF.
        layer_weights: `mean` for alpha_k = 1 / (K + 1), or `learned`.
        **options: Arguments of `Pairwise`, for E0.

    Raises:
        ValueError: If `num_layers` is below 1, or a choice is unknown.

    Source: He et al., LightGCN, SIGIR 2020. Initialization and penalty follow the authors' PyTorch code; the paper's text
    has Xavier.
    """

    def __init__(
        self,
        num_users: int,
        num_items: int,
        *,
        num_layers: int = 3,
        layer_weights: str = "mean",
        **options: Unpack[PairwiseOptions],
    ) -> None:
        super().__init__(num_users, num_items)
        if num_layers < 1:
            raise ValueError(f"num_layers must be at least 1, got {num_layers}; without propagation use BPR-MF")
        pairwise = Pairwise(**options)
        self.embedding_penalty, self.penalty = pairwise.embedding_penalty, pairwise.penalty
        self.propagation = LightGCNPropagation(num_layers, weights=layer_weights)
        self.embedding = pairwise.table(num_users, num_items)

    def coefficients(self) -> Sequence[float] | Tensor:
        """The weights alpha_0, ..., alpha_K of the rounds."""
        return self.propagation.coefficients()

    def loss(self, users: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
        """The loss of a batch of triples, see `Recommender.loss`; only its own rows of E are computed."""
        nodes, place = batch_nodes(users, positives, negatives, self.num_users)
        final, ego = polynomial_rows(self.a_hat, self.coefficients(), self.embedding, nodes)
        return pairwise_loss(final, ego, place, users.numel(), self.embedding_penalty, self.penalty)
