"""A linear map in the place of a convolution."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from graphkit.layers.dense.feature_linear import FeatureLinear
from graphkit.sparse import CSR, Adjacency


class GraphFreeLinear(FeatureLinear):
    """A linear map with the call of a convolution; it does not look at the graph.

    X' = Dropout(X) W^T + b

    Arguments are those of `FeatureLinear`. A network of convolutions becomes a perceptron with it, and its head a linear map.

    Example:
        >>> GraphFreeLinear(16, 32)(x, edge_index)  # [N, 16] -> [N, 32]
    """

    def forward(
        self, x: Float[Tensor, "N {self.in_features}"] | CSR, edge_index: Adjacency | None = None
    ) -> Float[Tensor, "N {self.out_features}"]:
        """Map features.

        Args:
            x: Features, dense or sparse.
            edge_index: Ignored.

        Returns:
            The new features.
        """
        return super().forward(x)
