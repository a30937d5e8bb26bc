"""Neural Common Neighbor: an encoder and the common-neighbor score."""

from __future__ import annotations

from torch import nn

from graphkit.layers import CommonNeighborScore
from graphkit.models.link.encoder import LinkEncoder


class NCN(nn.Module):
    """NCN: node embeddings by message passing, pairs scored with their common neighbors' embeddings.

    Args:
        in_channels: Width of node features; 0 for learned embeddings.
        num_nodes: Number of nodes.
        hidden_channels: Width of embeddings and head.
        num_layers: Rounds of message passing.
        conv: Kind of message passing, see `LinkEncoder`.
        jumping_knowledge: See `LinkEncoder`.
        residual: See `LinkEncoder`.
        encoder_norm: Layer normalization in the encoder.
        head_norm: Layer normalization in the head.
        transform_pooled: See `CommonNeighborScore`.
        tail_activation: See `CommonNeighborScore`.
        two_layer_head: See `CommonNeighborScore`.
        feature_dropout: See `LinkEncoder`.
        dropout: See `LinkEncoder`.
        tail_dropout: See `LinkEncoder`.
        edge_dropout: See `LinkEncoder`.
        head_dropout: Dropout in the head.
        common_neighbor_dropout: See `CommonNeighborScore`.
        beta: Initial weight of the common-neighbor stream.

    Source: Wang, Yang and Zhang, ICLR 2024.
    """

    def __init__(
        self,
        in_channels: int,
        num_nodes: int,
        hidden_channels: int = 256,
        num_layers: int = 1,
        conv: str = "puregcn",
        jumping_knowledge: bool = False,
        residual: bool = False,
        encoder_norm: bool = True,
        head_norm: bool = True,
        transform_pooled: bool = True,
        tail_activation: bool = True,
        two_layer_head: bool = False,
        feature_dropout: float = 0.0,
        dropout: float = 0.0,
        tail_dropout: float = 0.0,
        edge_dropout: float = 0.0,
        head_dropout: float = 0.0,
        common_neighbor_dropout: float = 0.0,
        beta: float = 1.0,
    ) -> None:
        super().__init__()
        self.encoder = LinkEncoder(
            in_channels,
            num_nodes,
            hidden_channels,
            num_layers,
            conv,
            jumping_knowledge,
            residual,
            encoder_norm,
            feature_dropout,
            dropout,
            tail_dropout,
            edge_dropout,
        )
        self.score = CommonNeighborScore(
            hidden_channels,
            head_norm,
            transform_pooled,
            tail_activation,
            two_layer_head,
            head_dropout,
            common_neighbor_dropout,
            beta,
        )
