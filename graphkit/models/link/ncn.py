"""Neural Common Neighbor: an encoder and the common-neighbor score."""

from __future__ import annotations

from typing import Unpack

from graphkit.layers import CommonNeighborScore
from graphkit.models.link.base import EncodedPairs
from graphkit.models.link.encoder import LinkEncoder, LinkEncoderOptions


class NCN(EncodedPairs):
    """NCN: node embeddings by message passing, pairs scored with their common neighbors' embeddings.

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
        **options: Unpack[LinkEncoderOptions],
    ) -> None:
        super().__init__(
            encoder=LinkEncoder(in_channels, num_nodes, hidden_channels, norm=encoder_norm, **options),
            score=CommonNeighborScore(
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
