"""Graph autoencoder: an encoder and a perceptron on the Hadamard product, the plain baseline of every link table."""

from __future__ import annotations

from typing import Unpack

from graphkit.layers import HadamardScore
from graphkit.models.link.base import EncodedPairs
from graphkit.models.link.encoder import LinkEncoder, LinkEncoderOptions


class GAE(EncodedPairs):
    """GAE: node embeddings by message passing, pairs scored by MLP(h_i * h_j).

    Args:
        in_channels: Width of node features; 0 for learned embeddings.
        num_nodes: Number of nodes.
        hidden_channels: Width of embeddings and head, at least 1.
        encoder_norm: Layer normalization in the encoder.
        head_norm: Layer normalization in the head.
        head_layers: Linear maps of the head, at least 1.
        head_dropout: Dropout in the head, in [0, 1).
        **options: Arguments of `LinkEncoder`.

    Source: Kipf and Welling, "Variational Graph Auto-Encoders", 2016, with the perceptron decoder that the link tables use.
    """

    def __init__(
        self,
        in_channels: int,
        num_nodes: int,
        *,
        hidden_channels: int = 256,
        encoder_norm: bool = True,
        head_norm: bool = True,
        head_layers: int = 3,
        head_dropout: float = 0.0,
        **options: Unpack[LinkEncoderOptions],
    ) -> None:
        super().__init__(
            encoder=LinkEncoder(in_channels, num_nodes, hidden_channels, norm=encoder_norm, **options),
            score=HadamardScore(hidden_channels, num_layers=head_layers, norm=head_norm, dropout=head_dropout),
        )
