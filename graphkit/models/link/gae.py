"""Graph autoencoder: an encoder and a perceptron on the Hadamard product, the plain baseline of every link table."""

from __future__ import annotations

from torch import nn

from graphkit.layers import HadamardScore
from graphkit.models.link.encoder import LinkEncoder


class GAE(nn.Module):
    """GAE: node embeddings by message passing, pairs scored by MLP(h_i * h_j).

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
        head_layers: Linear maps of the head.
        feature_dropout: See `LinkEncoder`.
        dropout: See `LinkEncoder`.
        tail_dropout: See `LinkEncoder`.
        edge_dropout: See `LinkEncoder`.
        head_dropout: Dropout in the head.

    Source: Kipf and Welling, "Variational Graph Auto-Encoders", 2016, with the perceptron decoder that the link tables use.
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
        head_layers: int = 3,
        feature_dropout: float = 0.0,
        dropout: float = 0.0,
        tail_dropout: float = 0.0,
        edge_dropout: float = 0.0,
        head_dropout: float = 0.0,
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
        self.score = HadamardScore(hidden_channels, head_layers, head_norm, head_dropout)
