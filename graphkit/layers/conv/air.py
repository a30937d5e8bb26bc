"""AIR: what a node was at first stays in reach, however deep the propagation, by weights of the node."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least, check_within
from graphkit.layers.conv.operators import operator
from graphkit.layers.dense.feature_linear import linear
from graphkit.sparse import CSR, Adjacency


class AdaptiveHops(nn.Module):
    r"""A mean over hops with weights of each node, and a linear map.

    x'_i = W sum_k c_ik h^(k)_i + d over k = 0, ..., K, with

    c_i = softmax over k of sigmoid(<u, h^(0)_i> + <v, h^(k)_i> + b),

    H^(0) = X, H^(k) = (1 - t) A_hat H^(k-1) + t X, A_hat = D^-1/2 (A + I) D^-1/2

    All is linear in X but the weights, so that W X and X v are propagated instead of X: one sparse product per hop, as wide as
    the output and one. X itself may be sparse.

    Args:
        in_channels: Width F of x.
        out_channels: Width of the output; None leaves out W and d, and the output is as wide as x.
        num_hops: Hops K, at least 0.
        teleport: t in [0, 1]: how much of x each hop gets anew; 0 propagates as SGC does, above as APPNP.

    Raises:
        ValueError: If a width is below 1, `num_hops` negative, or `teleport` outside [0, 1].

    Source: Zhang et al., Model Degradation Hinders Deep Graph Neural Networks, KDD 2022. The authors' code weighs K + 1 hops
    and adds up the first K: the weight of the last hop is lost, and weights sum to less than one. Here all K + 1 count.

    Example:
        >>> layer = AdaptiveHops(1433, 7, num_hops=10)
        >>> layer(x, edge_index)  # [N, 1433] -> [N, 7]
    """

    def __init__(self, in_channels: int, out_channels: int | None = None, *, num_hops: int = 10, teleport: float = 0.0) -> None:
        super().__init__()
        check_at_least(1, in_channels=in_channels)
        check_at_least(0, num_hops=num_hops)
        check_within(0.0, 1.0, teleport=teleport)
        self.lin = None if out_channels is None else nn.Linear(in_channels, out_channels)
        self.in_channels, self.num_hops, self.teleport = in_channels, num_hops, teleport
        self.out_channels = in_channels if out_channels is None else out_channels
        self.score = nn.Linear(2 * in_channels, 1)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw W, d, u and v; set b to zero."""
        if self.lin is not None:
            self.lin.reset_parameters()
        nn.init.xavier_uniform_(self.score.weight)
        nn.init.zeros_(self.score.bias)

    def forward(
        self,
        x: Float[Tensor, "N {self.in_channels}"] | CSR,
        edge_index: Adjacency,
        edge_weight: Float[Tensor, " E"] | None = None,
    ) -> Float[Tensor, "N {self.out_channels}"]:
        """Propagate.

        Args:
            x: Features, dense or sparse; sparse ones need a map, that is `out_channels`.
            edge_index: Sources and targets [2, E], PyG `EdgeIndex`, torch CSR or graphkit CSR (rows are targets).
            edge_weight: Weights of an `edge_index`.

        Returns:
            The weighted mean over hops, mapped.

        Raises:
            ValueError: Sparse features without a map.
        """
        a_hat = operator(x, edge_index, edge_weight, norm="gcn")
        first, later = self.score.weight.split(self.in_channels, dim=1)
        if self.lin is not None:
            own, h = linear(x, torch.cat([first, later, self.lin.weight])).tensor_split([1], dim=1)
        elif isinstance(x, CSR):
            raise ValueError("sparse features need a map: give out_channels")
        else:
            own, h = linear(x, first), torch.cat([linear(x, later), x], dim=1)
        hops = [h]
        for _ in range(self.num_hops):
            h = a_hat.matmul(h)
            h = torch.lerp(h, hops[0], self.teleport) if self.teleport else h
            hops.append(h)
        stacked = torch.stack(hops)  # the first column is <v, h>, the others are W h
        weights = torch.sigmoid(own + self.score.bias + stacked[:, :, :1]).softmax(dim=0)
        out = (weights * stacked[:, :, 1:]).sum(0)
        return out if self.lin is None else out + self.lin.bias

    def __repr__(self) -> str:
        teleport = f", teleport={self.teleport:g}" if self.teleport else ""
        return f"{type(self).__name__}({self.in_channels}, {self.out_channels}, num_hops={self.num_hops}{teleport})"


class InitialResidual(nn.Module):
    r"""A step back to what a node was at first, as far as the node needs it.

    x'_i = (1 - a_i) x_i + a_i x^(0)_i with a_i = sigmoid(<u, x_i> + <v, x^(0)_i> + b)

    Put before each convolution of a deep network, x^(0) being the state that its first one made.

    Args:
        channels: Width of the states.

    Raises:
        ValueError: If `channels` is below 1.

    Source: Zhang et al., Model Degradation Hinders Deep Graph Neural Networks, KDD 2022.

    Example:
        >>> InitialResidual(64)(x, x_initial)  # [N, 64], [N, 64] -> [N, 64]
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        check_at_least(1, channels=channels)
        self.channels = channels
        self.score = nn.Linear(2 * channels, 1)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw u and v; set b to zero."""
        nn.init.xavier_uniform_(self.score.weight)
        nn.init.zeros_(self.score.bias)

    def forward(
        self, x: Float[Tensor, "N {self.channels}"], x_initial: Float[Tensor, "N {self.channels}"]
    ) -> Float[Tensor, "N {self.channels}"]:
        """Mix.

        Args:
            x: The states.
            x_initial: The first states.

        Returns:
            The new states.
        """
        return torch.lerp(x, x_initial, torch.sigmoid(self.score(torch.cat([x, x_initial], dim=1))))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.channels})"
