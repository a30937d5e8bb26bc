"""The most popular items for everybody: what any other recommender has to beat."""

from __future__ import annotations

from torch import Tensor

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
