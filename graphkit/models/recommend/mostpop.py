"""The most popular items for everybody: what any other recommender has to beat."""

from __future__ import annotations

from torch import Tensor

from graphkit.models.recommend.history import FilterRecommender
from graphkit.sparse import CSR


class MostPop(FilterRecommender):
    """s_ui = d_i, the number of training users of item i, whoever u is.

    Args:
        num_users: Number of users.
        num_items: Number of items.
    """

    def fit(self, interactions: CSR) -> None:
        """Count the users of each item, see `Recommender.fit`."""
        super().fit(interactions)
        self._degree = interactions.t().degree().to(self.dtype)

    def filter(self, x: Tensor) -> Tensor:
        """The degrees [num_items, C], the same in every column."""
        return self._degree.unsqueeze(1).expand(-1, x.size(1))
