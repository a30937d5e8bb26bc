"""The most popular items for everybody: what any other recommender has to beat."""

from __future__ import annotations

import torch
from torch import Tensor

from graphkit.models.reasons import Reasons
from graphkit.models.recommend.history import HistoryRecommender
from graphkit.sparse import CSR


class MostPop(HistoryRecommender):
    """s_ui = d_i, the number of training users of item i, whoever u is.

    Args:
        num_users: Number of users.
        num_items: Number of items.
    """

    def fit(self, interactions: CSR) -> None:
        """Count the users of each item, see `Recommender.fit`."""
        super().fit(interactions)
        self._degree = interactions.t().degree().to(self.dtype)

    def score_histories(self, histories: CSR) -> Tensor:
        """The degrees [n, num_items]: one row in memory, whatever n is."""
        return self._degree.expand(histories.shape[0], -1)

    @torch.no_grad()
    def reasons(self, users: Tensor, items: Tensor) -> Reasons:
        """No item of the user, see `Recommender.reasons`: the score is the bias."""
        score = self._degree[items].double()
        return Reasons(
            ptr=users.new_zeros(users.numel() + 1),
            ids=users[:0],
            contributions=score[:0],
            score=score,
            bias=score,
            rule="The score is the number of users who have the item; no item of this user matters.",
            exact=True,
        )
