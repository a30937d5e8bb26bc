"""SIR-GCN: convolutions of contextualized messages, each inside a residual block."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from graphkit.layers import Dropout, FeatureLinear, SIRConv
from graphkit.layers.checks import check_at_least, check_probability
from graphkit.models.node.base import NodeModel
from graphkit.models.node.network import make_norm
from graphkit.sparse import CSR


class SIRGCN(NodeModel):
    """Soft-isomorphic relational graph convolution network.

    H_0 = gelu(dropout(W_0 X + b_0)), H <- H + dropout(W gelu(dropout(conv(norm(H)))) + b) for every layer, and
    logits = W norm(H) + b, with conv a `SIRConv` whose messages pass through gelu; without `residual` H is not added.

    Args:
        in_channels: Feature width F.
        out_channels: Number of classes C.
        hidden_channels: Width of states and messages.
        num_layers: Layers, at least 1.
        aggregation: `sum`, `mean`, `symmetric` or `max`.
        norm: `none`, `layer` or `batch`.
        residual: Add a layer's input to its output.
        dropout: Probability in [0, 1) of dropping an entry, at the places above.
        input_dropout: The same in H_0; None: `dropout`.
        message_dropout: The same of what messages are made of.

    Raises:
        ValueError: If a number is out of its range, or `aggregation` or `norm` is unknown.

    Source: Lim et al., Contextualized Messages Boost Graph Representations, arXiv:2403.12529; the model of its code for
    heterophilic graphs.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        hidden_channels: int = 64,
        num_layers: int = 2,
        aggregation: str = "symmetric",
        norm: str = "layer",
        residual: bool = True,
        dropout: float = 0.2,
        input_dropout: float | None = None,
        message_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_at_least(1, num_layers=num_layers)
        input_dropout = dropout if input_dropout is None else input_dropout
        check_probability(dropout=dropout, input_dropout=input_dropout)
        width = hidden_channels
        self.encoder = FeatureLinear(in_channels, width)
        self.norms = nn.ModuleList(make_norm(norm, width) for _ in range(num_layers + 1))
        self.convs = nn.ModuleList(
            SIRConv(width, width, aggregation=aggregation, activation="gelu", dropout=message_dropout)
            for _ in range(num_layers)
        )
        self.maps = nn.ModuleList(nn.Linear(width, width) for _ in range(num_layers))
        self.head = nn.Linear(width, out_channels)
        self.dropout, self.input_dropout = Dropout(dropout), Dropout(input_dropout)
        self.residual = residual

    @property
    def embedding_channels(self) -> int:
        """Width of the states, see `NodeModel.embedding_channels`."""
        return self.encoder.out_features

    @property
    def layer_channels(self) -> tuple[int, ...]:
        """Width of the states after every layer, see `NodeModel.layer_channels`."""
        return (self.encoder.out_features,) * len(self.convs)

    def hidden(self, x: Tensor | CSR, adj: CSR) -> Tensor:
        """The normalized state after the last layer, see `NodeModel.hidden`."""
        h: Tensor = F.gelu(self.input_dropout(self.encoder(x)))
        for number, (norm, conv, map) in enumerate(zip(self.norms, self.convs, self.maps, strict=False)):
            out = self.dropout(map(F.gelu(self.dropout(conv(norm(h), adj)))))
            h = h + out if self.residual else out
            h = h if self.after_layer is None else self.after_layer(h, number)
        normalized: Tensor = self.norms[-1](h)
        return normalized
