"""The graph convolution of GCN. Parameters are named as in PyG, so that its state dicts load."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least, check_choice
from graphkit.layers.conv.lazy_widths import LazyWidths
from graphkit.layers.conv.operators import NORMS, operator, propagate_and_map
from graphkit.sparse import CSR, Adjacency


class GCNConv(LazyWidths):
    """Graph convolution: a normalized sum over neighbors and one linear map.

    X' = A_hat X W^T + b with A_hat = D^-1/2 (A + I) D^-1/2 (`gcn`), D^-1 A (`mean`), A (`sum`) or D^-1/2 A O^-1/2 (`directed`),
    where D holds the weights that arrive and O those that leave.

    Two node sets come as a pair (x_src, x_dst). The features of the targets are not read, their number is. `gcn` needs one
    node set.

    Args:
        in_channels: Input width; -1 takes it from the first input.
        out_channels: Output width.
        bias: Add b, initially zero.
        norm: `gcn`, `mean`, `sum` or `directed`; all but `gcn` add no self-loop: a node aggregates its neighbors only.
        add_self_loops: Whether `gcn` adds I (a node that has a self-loop keeps its own); None: with `gcn` only.

    Raises:
        ValueError: If a width is below 1, `norm` is unknown, or self-loops are asked for with another norm than `gcn`.

    Source: Kipf and Welling, ICLR 2017. W [out_channels, in_channels] is Glorot uniform at first. As `mean` we divide by the
    sum of the arriving weights, where PyG divides by their number; without weights this is the same.

    Example:
        >>> layer = GCNConv(16, 32)
        >>> layer(x, edge_index)  # [N, 16] -> [N, 32]
    """

    ENDS = {"lin": 0}

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        bias: bool = True,
        norm: str = "gcn",
        add_self_loops: bool | None = None,
    ) -> None:
        super().__init__(in_channels)
        check_at_least(1, out_channels=out_channels)
        check_choice(NORMS, norm=norm)
        self.norm = norm
        self.add_self_loops = norm == "gcn" if add_self_loops is None else add_self_loops
        if self.add_self_loops and norm != "gcn":
            raise ValueError(f"add_self_loops needs norm='gcn', got norm={norm!r}")
        self.out_channels = out_channels
        self.lin = self._map(0, out_channels)
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw Glorot uniform weights and set the bias to zero."""
        if self._waits:
            return
        nn.init.xavier_uniform_(self.lin.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(
        self,
        x: Float[Tensor, "N {self._widths[0]}"]
        | CSR
        | tuple[Float[Tensor, "S {self._widths[0]}"] | CSR, Float[Tensor, "N D"] | CSR | None],
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
            ValueError: A pair with `gcn`, or sizes that contradict each other or are missing.
        """
        a_hat = operator(x, edge_index, edge_weight, norm=self.norm, self_loops=self.add_self_loops, size=size)
        out = propagate_and_map(a_hat, x[0] if isinstance(x, tuple) else x, self.lin.weight)
        return out if self.bias is None else out + self.bias

    def __repr__(self) -> str:
        loops = "" if self.norm != "gcn" or self.add_self_loops else ", add_self_loops=False"
        return f"{type(self).__name__}({self.in_channels}, {self.out_channels}, norm={self.norm!r}{loops})"
