"""Neural Common Neighbor: an encoder and the common-neighbor score."""

from __future__ import annotations

from functools import partial
from typing import Protocol, Unpack

from graphkit.layers import CommonNeighborScore
from graphkit.layers.pairs.completion import CommonNeighborOptions
from graphkit.models.link.base import EncodedPairs
from graphkit.models.link.encoder import LinkEncoder, LinkEncoderOptions


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
