"""GraphSAGE. Parameters are named as in PyG, so that its state dicts load."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from graphkit.layers.checks import check_at_least
from graphkit.layers.conv.lazy_widths import LazyWidths
from graphkit.layers.conv.operators import operator, propagate_and_map
from graphkit.layers.dense.feature_linear import linear
from graphkit.sparse import CSR, Adjacency


class SAGEConv(LazyWidths):
    """GraphSAGE with mean aggregation: one linear map for the node, one for the mean of its neighbors.

    x'_i = W_r x_i + W_l mean over edges j -> i of x_j + b

    The mean of a node where no edge arrives is zero; with edge weights it is the weighted mean.

    Two node sets (users and items, the nodes of a sampled block) come as a pair (x_src, x_dst): x_j is taken of the first, x_i
    of the second, and where that is None the term of x_i is left out.

    Args:
        in_channels: Input width, or (width of the sources, width of the targets); -1 takes one from the first input.
        out_channels: Output width.
        bias: Add b.

    Raises:
        ValueError: If a width is below 1.

    Source: Hamilton, Ying and Leskovec, NeurIPS 2017, mean aggregator; weights and bias start as those of `nn.Linear`.

    Example:
        >>> layer = SAGEConv(16, 32)
        >>> layer(x, edge_index)  # [N, 16] -> [N, 32]
        >>> SAGEConv((16, 8), 32)((x_src, x_dst), edge_index)  # [S, 16], [N, 8] -> [N, 32]
    """

    ENDS = {"lin_l": 0, "lin_r": 1}

    def __init__(self, in_channels: int | tuple[int, int], out_channels: int, *, bias: bool = True) -> None:
        super().__init__(in_channels)
        check_at_least(1, out_channels=out_channels)
        self.out_channels = out_channels
        self.lin_l = self._map(0, out_channels, bias=bias)
        self.lin_r = self._map(1, out_channels)

    def reset_parameters(self) -> None:
        """Draw new weights and biases, uniform within 1 / sqrt(in_channels)."""
        if self._waits:
            return
        self.lin_l.reset_parameters()
        self.lin_r.reset_parameters()

    def forward(
        self,
        x: Float[Tensor, "N {self._widths[0]}"]
        | CSR
        | tuple[Float[Tensor, "S {self._widths[0]}"] | CSR, Float[Tensor, "N {self._widths[1]}"] | CSR | None],
        edge_index: Adjacency,
        edge_weight: Float[Tensor, " E"] | None = None,
        size: tuple[int, int] | None = None,
    ) -> Float[Tensor, "N {self.out_channels}"]:
        """Convolve.

        Args:
            x: Features, dense or sparse, or a pair of those of S sources and N targets (or None).
            edge_index: Sources and targets [2, E], PyG `EdgeIndex`, torch CSR or graphkit CSR (rows are targets).
            edge_weight: Weights of an `edge_index`.
            size: (S, N), for an `edge_index` and a pair without targets.

        Returns:
            The new features of the targets.

        Raises:
            ValueError: Sizes that contradict each other or are missing.
        """
        source, target = x if isinstance(x, tuple) else (x, x)
        mean = operator(x, edge_index, edge_weight, norm="mean", size=size)
        out = propagate_and_map(mean, source, self.lin_l.weight)
        if target is not None:
            out = out + linear(target, self.lin_r.weight)
        # Outside of the mean, so that a node without neighbors gets it too.
        return out if self.lin_l.bias is None else out + self.lin_l.bias

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.in_channels}, {self.out_channels})"
