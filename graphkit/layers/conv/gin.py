"""The graph isomorphism network. Parameters are named as in PyG, so that state dicts of its `GINConv` and `GINEConv` load."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least, check_one_graph
from graphkit.sparse import CSR, Adjacency, EdgeList, as_csr, as_entries, at_cols, propagate_and_keep, segment_sum


class GINConv(nn.Module):
    """Graph isomorphism layer: a perceptron on the sum of a node and its neighbors.

    x'_i = MLP((1 + eps) x_i + sum over edges j -> i of w_ji x_j),   MLP = Linear, BatchNorm, ReLU, Linear

    With `edge_channels` (GINE) the sum is that of w_ji ReLU(x_j + W e_ji + b), with e_ji the features of the edge.

    Args:
        in_channels: Input width.
        out_channels: Output width, also inside the perceptron.
        edge_channels: Width of edge features; 0 for none.
        eps: The first eps.
        train_eps: Learn eps.
        norm: Batch normalization inside the perceptron.

    Raises:
        ValueError: If a width is below 1, or `edge_channels` below 0.

    Source: Xu et al., "How Powerful are Graph Neural Networks?", ICLR 2019; edge features as Hu et al., "Strategies for
    Pre-training Graph Neural Networks", ICLR 2020. The first linear map has no bias where a normalization takes it away again.

    Example:
        >>> layer = GINConv(16, 32)
        >>> layer(x, edge_index)  # [N, 16] -> [N, 32]
    """

    eps: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        edge_channels: int = 0,
        eps: float = 0.0,
        train_eps: bool = False,
        norm: bool = True,
    ) -> None:
        super().__init__()
        check_at_least(1, in_channels=in_channels, out_channels=out_channels)
        check_at_least(0, edge_channels=edge_channels)
        self.in_channels, self.out_channels, self.edge_channels = in_channels, out_channels, edge_channels
        self.initial_eps = eps
        first = nn.Linear(in_channels, out_channels, bias=not norm)
        middle = [nn.BatchNorm1d(out_channels)] if norm else []
        self.nn = nn.Sequential(first, *middle, nn.ReLU(inplace=True), nn.Linear(out_channels, out_channels))
        if train_eps:
            self.eps = nn.Parameter(torch.full((1,), eps))
        else:
            self.register_buffer("eps", torch.full((1,), eps))
        self.lin = nn.Linear(edge_channels, in_channels) if edge_channels else None

    def reset_parameters(self) -> None:
        """Draw new weights; set eps to its first value and the normalization to the identity."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.BatchNorm1d):
                module.reset_parameters()
        with torch.no_grad():
            self.eps.fill_(self.initial_eps)

    def forward(
        self,
        x: Float[Tensor, "N {self.in_channels}"],
        edge_index: Adjacency,
        edge_weight: Float[Tensor, " E"] | None = None,
        edge_attr: Float[Tensor, "E D"] | None = None,
    ) -> Float[Tensor, "N {self.out_channels}"]:
        """Convolve.

        Args:
            x: Features.
            edge_index: Sources and targets [2, E], PyG `EdgeIndex`, torch CSR or graphkit CSR (rows are targets).
            edge_weight: Weights of an `edge_index`.
            edge_attr: Features of the edges, in the order of `edge_index` or of the entries of a sparse layout; with
                `edge_channels` alone.

        Returns:
            The new features.

        Raises:
            ValueError: `edge_attr` without `edge_channels` or the other way round, or x is [B, N, C].
        """
        if (edge_attr is None) != (self.lin is None):
            raise ValueError("edge_attr and edge_channels come together: give both or neither.")
        check_one_graph(x=x)
        adj = as_csr(edge_index, x.size(0), edge_weight)
        if edge_attr is not None and self.lin is not None:
            sent = (at_cols(x, adj.structure) + self.lin(as_entries(edge_index, x.size(0)).gather(edge_attr))).relu()
            if adj.value is not None or adj.mask is not None:
                sent = sent * adj.weights(sent.dtype).unsqueeze(1)
            return cast(Tensor, self.nn(torch.addcmul(segment_sum(sent, adj.rowptr, adj.row), x, 1 + self.eps)))
        if self.in_channels <= self.out_channels:
            return cast(Tensor, self.nn(_kept(adj, x, self.eps)))
        # The first linear map goes before the sparse product, which then has fewer channels.
        first = cast(nn.Linear, self.nn[0])
        mapped = F.linear(x, first.weight)
        total = _kept(adj, mapped, self.eps)
        return cast(Tensor, self.nn[1:](total if first.bias is None else total + first.bias))

    def __repr__(self) -> str:
        edges = f", edge_channels={self.edge_channels}" if self.edge_channels else ""
        return f"{type(self).__name__}({self.in_channels}, {self.out_channels}{edges})"


def _kept(adj: CSR, x: Tensor, eps: Tensor) -> Tensor:
    """A x + (1 + eps) x."""
    return torch.addcmul(adj.matmul(x), x, 1 + eps) if isinstance(adj, EdgeList) else propagate_and_keep(adj, x, eps)
