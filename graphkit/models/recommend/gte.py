"""GTE: graph convolution without learning, which comes down to counting paths."""

from __future__ import annotations

from torch import Tensor

from graphkit.models.recommend.history import FilterRecommender


class GTE(FilterRecommender):
    """S = R R^T R: the number of paths user - item - user - item between a user and an item.

    The paper gives items one-hot and users zero features and adds up raw neighbors three times (h <- h + A h), after which
    a user's features are R R^T R + 3 R. The second term falls on training items alone, which no ranking contains. The paper's
    code builds these features densely; here R acts three times on a few users' rows, and no product of two R is stored.

    Args:
        num_users: Number of users.
        num_items: Number of items.

    Source: Cai et al., How Expressive are Graph Neural Networks in Recommendation?, CIKM 2023, with its k = 3.
    """

    def filter(self, x: Tensor) -> Tensor:
        """R^T R x [num_items, C]."""
        r = self.interactions
        return r.t() @ (r @ x)

    def adjoint(self, x: Tensor) -> Tensor:
        """R^T R x [num_items, C]: the filter is symmetric."""
        return self.filter(x)
