"""Neural Common Neighbor: an encoder and the common-neighbor score."""

from __future__ import annotations

from functools import partial
from typing import Protocol, Unpack

import numpy as np
import torch
from torch import Tensor

from graphkit.layers import CommonNeighborScore
from graphkit.layers.pairs.completion import CommonNeighborOptions
from graphkit.models.link.base import EncodedPairs
from graphkit.models.link.encoder import LinkEncoder, LinkEncoderOptions
from graphkit.models.reasons import Reasons
from graphkit.sparse import CSR, NeighborSets

_POINTS = 256
"""Of the integral over the path; the head is piecewise smooth, so that what they leave over is small and stated."""


class MakeScore(Protocol):
    """Makes a score of common neighbors: `CommonNeighborScore`, or a kin of it."""

    def __call__(self, channels: int, **options: Unpack[CommonNeighborOptions]) -> CommonNeighborScore:
        """Make it from the arguments of `CommonNeighborScore`."""


class NCNOptions(LinkEncoderOptions, total=False):
    """Settings of `CommonNeighborModel`, which models of one score pass on."""

    hidden_channels: int
    encoder_norm: bool
    head_norm: bool
    transform_pooled: bool
    tail_activation: bool
    two_layer_head: bool
    head_dropout: float
    common_neighbor_dropout: float
    beta: float


class CommonNeighborModel(EncodedPairs):
    """Node embeddings by message passing, pairs scored with the embeddings of nodes that neighbor them.

    Args:
        in_channels: Width of node features; 0 for learned embeddings.
        num_nodes: Number of nodes.
        hidden_channels: Width of embeddings and head, at least 1.
        encoder_norm: Layer normalization in the encoder.
        head_norm: Layer normalization in the head.
        transform_pooled: See `CommonNeighborScore`.
        tail_activation: See `CommonNeighborScore`.
        two_layer_head: See `CommonNeighborScore`.
        head_dropout: Dropout in the head, in [0, 1).
        common_neighbor_dropout: See `CommonNeighborScore`.
        beta: Initial weight of the common-neighbor stream.
        make_score: Makes the score.
        **options: Arguments of `LinkEncoder`.

    Source: Wang, Yang and Zhang, ICLR 2024.
    """

    def __init__(
        self,
        in_channels: int,
        num_nodes: int,
        *,
        hidden_channels: int = 256,
        encoder_norm: bool = True,
        head_norm: bool = True,
        transform_pooled: bool = True,
        tail_activation: bool = True,
        two_layer_head: bool = False,
        head_dropout: float = 0.0,
        common_neighbor_dropout: float = 0.0,
        beta: float = 1.0,
        make_score: MakeScore = CommonNeighborScore,
        **options: Unpack[LinkEncoderOptions],
    ) -> None:
        super().__init__(
            encoder=LinkEncoder(in_channels, num_nodes, hidden_channels, norm=encoder_norm, **options),
            score=make_score(
                hidden_channels,
                norm=head_norm,
                transform_pooled=transform_pooled,
                tail_activation=tail_activation,
                two_layer=two_layer_head,
                dropout=head_dropout,
                common_neighbor_dropout=common_neighbor_dropout,
                beta=beta,
            ),
        )


class NCN(CommonNeighborModel):
    """NCN: node embeddings by message passing, pairs scored with their common neighbors' embeddings.

    Args:
        in_channels: Width of node features; 0 for learned embeddings.
        num_nodes: Number of nodes.
        extra_pool: What a third stream pools: `none`, `difference` (NCN-diff) or `second` (NCN2); see `CommonNeighborScore`.
        **options: Settings of `CommonNeighborModel`.

    Source: Wang, Yang and Zhang, ICLR 2024.
    """

    def __init__(self, in_channels: int, num_nodes: int, *, extra_pool: str = "none", **options: Unpack[NCNOptions]) -> None:
        super().__init__(in_channels, num_nodes, make_score=partial(CommonNeighborScore, extra_pool=extra_pool), **options)

    def reasons(self, x: Tensor | CSR | None, adj: CSR, pairs: Tensor) -> Reasons:
        """The common neighbors, by integrated gradients of the head, see `LinkModel.reasons`.

        s_ij = f(p, c) with p the pair's own product and c the sum of z_u over common neighbors u. Along the path from no common
        neighbors, f(p, c) - f(p, 0) = integral over t from 0 to 1 of <grad f(p, t c), c>, which is a sum over u:

        contribution of u = <z_u, integral of grad f(p, t c) dt>.

        The bias is f(p, 0), the score of the same pair if the two had nobody in common. The remainder is the error of the
        integral, of 256 points of Gauss and Legendre. With `extra_pool`, neighbors are left out in turn instead.

        Source: Sundararajan, Taly and Yan, Axiomatic Attribution for Deep Networks, ICML 2017.
        """
        self.check_evaluated()
        if isinstance(self.score, CommonNeighborScore) and self.score.extra_pool != "none":
            return super().reasons(x, adj, pairs)
        with torch.no_grad():
            nodes = self.encode(x, adj)
            product, pooled = self.pair_features(nodes, adj, pairs)
            score, bias = self.head(product, pooled), self.head(product, torch.zeros_like(pooled))
        gradient = torch.zeros_like(pooled, dtype=torch.float64)
        with torch.enable_grad():
            for point, weight in zip(*np.polynomial.legendre.leggauss(_POINTS), strict=True):
                at = (pooled * (float(point) + 1) / 2).requires_grad_()
                (slope,) = torch.autograd.grad(self.head(product, at).sum(), at)
                gradient += slope.double() * float(weight) / 2
        ptr, members = NeighborSets.of(adj).members(pairs)
        of_member = torch.arange(pairs.size(1), device=ptr.device).repeat_interleave(ptr.diff())
        return Reasons(
            ptr=ptr,
            ids=members,
            contributions=(nodes[1][members].double() * gradient[of_member]).sum(1),
            score=score.double(),
            bias=bias.double(),
            rule="A common neighbor contributes by integrated gradients, from the pair without common neighbors to the pair "
            "as it is. The remainder is the error of the integral.",
            exact=False,
        )
