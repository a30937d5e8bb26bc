"""Graph attention network for node classification."""

from __future__ import annotations

from typing import Unpack

from graphkit.layers import GATConv
from graphkit.models.node.network import GraphNetwork, GraphNetworkOptions, Network


class GAT(GraphNetwork):
    """Graph attention network.

    h <- relu(norm(conv(dropout(h)))) for every hidden layer, with the attention heads of a layer side by side; logits =
    conv(dropout(h)), the mean of its heads. Every node also attends to itself.

    Args:
        in_channels: Feature width F.
        out_channels: Number of classes C.
        hidden_channels: Width of the hidden layers, all heads together; a multiple of `heads`.
        heads: Attention heads of a hidden layer, each of width hidden_channels / heads.
        output_heads: Attention heads of the last convolution, each of width C, where that gives the logits.
        attention_dropout: Probability in [0, 1) of dropping the attention of a node to a neighbor.
        **options: Arguments of `Network`.

    Raises:
        ValueError: If `hidden_channels` is no multiple of `heads`, `num_layers`, `heads` or `output_heads` is below 1,
            `attention_dropout` no probability, or `norm` or `residual` is unknown.

    Source: Velickovic et al., ICLR 2018; relu where they have elu. Their heads are 8 of width 8, then 1, or 8 on PubMed.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        hidden_channels: int = 64,
        heads: int = 8,
        output_heads: int = 1,
        attention_dropout: float = 0.0,
        **options: Unpack[GraphNetworkOptions],
    ) -> None:
        super().__init__()
        if heads < 1 or hidden_channels % heads:
            raise ValueError(f"hidden_channels must be a multiple of heads, got {hidden_channels} channels and {heads} heads")

        def hidden(width: int, out: int) -> GATConv:
            return GATConv(width, out // heads, heads=heads, dropout=attention_dropout)

        def last(width: int, out: int) -> GATConv:
            return GATConv(width, out, heads=output_heads, concat=False, dropout=attention_dropout)

        self.network = Network(hidden, in_channels, out_channels, hidden_channels=hidden_channels, make_head=last, **options)
