"""BPR-MF: matrix factorization trained on pairs, the baseline without a graph."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from graphkit.models.recommend.base import EmbeddingRecommender
from graphkit.models.recommend.pairwise import batch_nodes, check_penalty, embedding_table, pairwise_loss
from graphkit.sparse import gather


class BPRMF(EmbeddingRecommender):
    """Matrix factorization: score = <e_u, e_i>, trained with `pairwise_loss`.

    Args:
        num_users: Number of users.
        num_items: Number of items.
        hidden_channels: Width d of the embeddings.
        init: `normal`, or `xavier` (uniform, users and items apart).
        init_std: Standard deviation of the `normal` initialization.
        embedding_penalty: Weight lambda of the penalty on the embeddings.
        penalty: How they are penalized, see `pairwise_loss`.

    Raises:
        ValueError: If a choice is unknown.

    Source: Rendle et al., BPR, UAI 2009, without item biases, as in LightGCN's comparison.
    """

    def __init__(
        self,
        num_users: int,
        num_items: int,
        hidden_channels: int = 64,
        init: str = "normal",
        init_std: float = 0.1,
        embedding_penalty: float = 1e-4,
        penalty: str = "half-squared",
    ) -> None:
        super().__init__(num_users, num_items)
        self.embedding_penalty = embedding_penalty
        self.penalty = check_penalty(penalty)
        self.embedding = embedding_table(num_users, num_items, hidden_channels, init, init_std)

    def loss(self, users: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
        """The loss of a batch of triples, see `Recommender.loss`."""
        nodes, place = batch_nodes(users, positives, negatives, self.num_users)
        ego = gather(self.embedding, nodes)
        return pairwise_loss(ego, ego, place, users.numel(), self.embedding_penalty, self.penalty)

    def compute_embeddings(self) -> tuple[Tensor, Tensor]:
        """User and item rows of the table."""
        return self.embedding[: self.num_users], self.embedding[self.num_users :]

    def embed_users(self, items: Sequence[Tensor]) -> Tensor:
        """None: a user is the embedding that was trained for it, which no equation ties to its items."""
        raise NotImplementedError(
            "bpr-mf knows users by trained embeddings alone and cannot embed a new one: train again with the new interactions, "
            "or take a model that computes users from their items, such as model=lightgcn, model=ials or model=itemknn."
        )
