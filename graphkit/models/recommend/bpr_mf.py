"""BPR-MF: matrix factorization trained on pairs, the baseline without a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Unpack

from torch import Tensor

from graphkit.models.reasons import Reasons
from graphkit.models.recommend.base import TableRecommender
from graphkit.models.recommend.pairwise import Pairwise, PairwiseOptions, batch_nodes, pairwise_loss
from graphkit.sparse import gather


class BPRMF(TableRecommender):
    """Matrix factorization: score = <e_u, e_i>, trained with `pairwise_loss`.

    Args:
        num_users: Number of users.
        num_items: Number of items.
        **options: Arguments of `Pairwise`.

    Raises:
        ValueError: If a choice is unknown.

    Source: Rendle et al., BPR, UAI 2009, without item biases, as in LightGCN's comparison.
    """

    folds_in: ClassVar[bool] = False

    def __init__(self, num_users: int, num_items: int, **options: Unpack[PairwiseOptions]) -> None:
        super().__init__(num_users, num_items)
        pairwise = Pairwise(**options)
        self.embedding_penalty, self.penalty = pairwise.embedding_penalty, pairwise.penalty
        self.embedding = pairwise.table(num_users, num_items)

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

    def reasons(self, users: Tensor, items: Tensor) -> Reasons:
        """None, for the same reason."""
        raise NotImplementedError(
            "bpr-mf scores by trained embeddings alone, which no equation ties to the user's items, so that no item can be "
            "named as a reason: take a model that computes users from their items, such as model=lightgcn, model=ials or "
            "model=ease."
        )
