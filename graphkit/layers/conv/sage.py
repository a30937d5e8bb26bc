"""GraphSAGE. Parameters are named as in PyG, so that its state dicts load."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least
from graphkit.layers.conv.operators import operator, propagate_and_map
from graphkit.layers.dense.feature_linear import linear
from graphkit.sparse import CSR, Adjacency


class SAGEConv(nn.Module):
    """GraphSAGE with mean aggregation: one linear map for the node, one for the mean of its neighbors.

    x'_i = W_r x_i + W_l mean over edges j -> i of x_j + b

    The mean of a node where no edge arrives is zero; with edge weights it is the weighted mean.

    Args:
        in_channels: Input width.
        out_channels: Output width.
        bias: Add b.

    Raises:
        ValueError: If a width is below 1.

    Source: Hamilton, Ying and Leskovec, NeurIPS 2017, mean aggregator; weights and bias start as those of `nn.Linear`.

    Example:
        >>> layer = SAGEConv(16, 32)
        >>> layer(x, edge_index)  # [N, 16] -> [N, 32]
    """

    def __init__(self, in_channels: int, out_channels: int, *, bias: bool = True) -> None:
        super().__init__()
        check_at_least(1, in_channels=in_channels, out_channels=out_channels)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.lin_l = nn.Linear(in_channels, out_channels, bias=bias)
        self.lin_r = nn.Linear(in_channels, out_channels, bias=False)

    def reset_parameters(self) -> None:
        """Draw new weights and biases, uniform within 1 / sqrt(in_channels)."""
        self.lin_l.reset_parameters()
        self.lin_r.reset_parameters()

    def forward(
        self,
        x: Float[Tensor, "N {self.in_channels}"] | CSR,
        edge_index: Adjacency,
        edge_weight: Float[Tensor, " E"] | None = None,
    ) -> Float[Tensor, "N {self.out_channels}"]:
        """Convolve.

        Args:
            x: Features, dense or sparse.
            edge_index: Sources and targets [2, E], PyG `EdgeIndex`, torch CSR or graphkit CSR (rows are targets).
            edge_weight: Weights of an `edge_index`.

        Returns:
            The new features.
        """
        mean = operator(x, edge_index, edge_weight, norm="mean")
        out: Tensor = propagate_and_map(mean, x, self.lin_l.weight) + linear(x, self.lin_r.weight)
        # Outside of the mean, so that a node without neighbors gets it too.
        return out if self.lin_l.bias is None else out + self.lin_l.bias

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.in_channels}, {self.out_channels})"
