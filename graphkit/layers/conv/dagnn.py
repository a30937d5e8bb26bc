"""DAGNN's propagation: each node decides by a gate how much of every hop it takes."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least
from graphkit.layers.conv.operators import operator
from graphkit.sparse import Adjacency


class GatedPropagation(nn.Module):
    r"""A sum over hops, each weighed by a gate of the node.

    x'_i = sum_k s_ik h^(k)_i over k = 0, ..., K, with H^(k) = A_hat^k X, A_hat = D^-1/2 (A + I) D^-1/2, and the gates

    s_ik = sigmoid(<w, h^(k)_i> + b), one w and b for all hops

    The gates of a node do not sum to one: each hop is taken or left for itself.

    Args:
        in_channels: Width of x and of the output.
        num_hops: Hops K, at least 0.

    Raises:
        ValueError: If `in_channels` is below 1 or `num_hops` negative.

    Source: Liu, Gao and Ji, Towards Deeper Graph Neural Networks, KDD 2020. w is Glorot uniform and b zero at first.

    Example:
        >>> layer = GatedPropagation(7, num_hops=10)
        >>> layer(x, edge_index)  # [N, 7] -> [N, 7]
    """

    def __init__(self, in_channels: int, *, num_hops: int = 10) -> None:
        super().__init__()
        check_at_least(1, in_channels=in_channels)
        check_at_least(0, num_hops=num_hops)
        self.in_channels, self.num_hops = in_channels, num_hops
        self.gate = nn.Linear(in_channels, 1)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw w and set b to zero."""
        nn.init.xavier_uniform_(self.gate.weight)
        nn.init.zeros_(self.gate.bias)

    def forward(
        self,
        x: Float[Tensor, "N {self.in_channels}"],
        edge_index: Adjacency,
        edge_weight: Float[Tensor, " E"] | None = None,
    ) -> Float[Tensor, "N {self.in_channels}"]:
        """Propagate.

        Args:
            x: Features.
            edge_index: Sources and targets [2, E], PyG `EdgeIndex`, torch CSR or graphkit CSR (rows are targets).
            edge_weight: Weights of an `edge_index`.

        Returns:
            The gated sum.
        """
        a_hat = operator(x, edge_index, edge_weight, norm="gcn")
        out = torch.sigmoid(self.gate(x)) * x
        for _ in range(self.num_hops):
            x = a_hat.matmul(x)
            out = out + torch.sigmoid(self.gate(x)) * x
        return out

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.in_channels}, num_hops={self.num_hops})"
