"""Graph attention network for node classification."""

from __future__ import annotations

from graphkit.layers import GATConv
from graphkit.models.node.network import GraphNetwork, Network


class GAT(GraphNetwork):
    """Graph attention network.

    h <- relu(norm(conv(dropout(h)))) for every hidden layer, with the attention heads of a layer side by side; logits =
    conv(dropout(h)), the mean of its heads. Every node also attends to itself.

    Args:
        in_channels: Feature width F.
        out_channels: Number of classes C.
        hidden_channels: Width of the hidden layers, all heads together; a multiple of `heads`.
        num_layers: Convolutions, at least 1.
        heads: Attention heads of a hidden layer, each of width hidden_channels / heads.
        output_heads: Attention heads of the last convolution, each of width C, where that gives the logits.
        attention_dropout: Probability in [0, 1) of dropping the attention of a node to a neighbor.
        dropout: Probability in [0, 1) of dropping an entry of every layer's input.
        input_dropout: The same of the features; None: `dropout`.
        norm: In every hidden layer: `none`, `layer` or `batch`.
        residual: Add to a hidden layer its input: `none`, `identity` or `linear`, see `Network`.
        pre_linear: A linear map of the features before the first convolution.
        linear_head: A linear map after the convolutions gives the logits; else the last convolution does.

    Raises:
        ValueError: If `hidden_channels` is no multiple of `heads`, `num_layers`, `heads` or `output_heads` is below 1,
            `attention_dropout` no probability, or `norm` or `residual` is unknown.

    Source: Velickovic et al., ICLR 2018; relu where they have elu. Their heads are 8 of width 8, then 1, or 8 on PubMed.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        hidden_channels: int = 64,
        num_layers: int = 2,
        heads: int = 8,
        output_heads: int = 1,
        attention_dropout: float = 0.0,
        dropout: float = 0.5,
        input_dropout: float | None = None,
        norm: str = "none",
        residual: str = "none",
        pre_linear: bool = False,
        linear_head: bool = False,
    ) -> None:
        super().__init__()
        if heads < 1 or hidden_channels % heads:
            raise ValueError(f"hidden_channels must be a multiple of heads, got {hidden_channels} channels and {heads} heads")

        def hidden(width: int, out: int) -> GATConv:
            return GATConv(width, out // heads, heads, dropout=attention_dropout)

        def last(width: int, out: int) -> GATConv:
            return GATConv(width, out, output_heads, concat=False, dropout=attention_dropout)

        sizes = (in_channels, out_channels, hidden_channels, num_layers)
        self.network = Network(hidden, *sizes, dropout, input_dropout, norm, residual, pre_linear, linear_head, make_head=last)
