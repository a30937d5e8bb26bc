"""AIR: adaptive initial residuals on SGC, APPNP and GCN."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from graphkit.layers import AdaptiveHops, Dropout, GCNConv, GraphFreeLinear, InitialResidual
from graphkit.layers.checks import check_at_least, check_choice, check_probability
from graphkit.models.node.base import AfterLayer, NodeModel
from graphkit.models.node.network import Network
from graphkit.sparse import CSR

BASES = ("sgc", "appnp", "gcn")


class AIR(NodeModel):
    """Adaptive initial residual, a way to make one of three networks deep.

    - `sgc`: logits = W sum_k c_k * A_hat^k X + b, a linear model but for the weights c_k of each node's hops.
    - `appnp`: logits = sum_k c_k * H_k with H_0 = Z = MLP(X), of one hidden layer, and H_k = (1 - t) A_hat H_k-1 + t Z.
    - `gcn`: H <- conv(dropout(relu((1 - a) * H + a * H_0))), one gate a of each node for all layers, from H_0 = conv(X) on;
      logits = W dropout(relu(H)) + b.

    `AdaptiveHops` says what c_k is, `InitialResidual` what a is. X is dropped from first. For `sgc` and `appnp` what `embed`
    gives are the scores themselves; the head is the identity.

    Args:
        in_channels: Feature width F.
        out_channels: Number of classes C.
        base: `sgc`, `appnp` or `gcn`.
        hidden_channels: Width of the hidden layer of `appnp` and of the convolutions of `gcn`.
        num_hops: Hops K of `sgc` and `appnp`, convolutions of `gcn`, at least 1; residuals begin before the third
            convolution, since before the second one H is H_0.
        teleport: t in [0, 1], of `appnp`.
        dropout: Probability in [0, 1) of dropping an entry of every layer's input.
        input_dropout: The same of the features; None: `dropout`.

    Raises:
        ValueError: If a number is out of its range or `base` is unknown.

    Source: Zhang et al., Model Degradation Hinders Deep Graph Neural Networks, KDD 2022. The layers say what the authors' code
    loses. It also drops features of `sgc` after propagation, hop by hop; here they are dropped once, before it.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        base: str = "sgc",
        hidden_channels: int = 64,
        num_hops: int = 10,
        teleport: float = 0.1,
        dropout: float = 0.5,
        input_dropout: float | None = None,
    ) -> None:
        super().__init__()
        check_choice(BASES, base=base)
        check_at_least(1, num_hops=num_hops)
        input_dropout = dropout if input_dropout is None else input_dropout
        check_probability(dropout=dropout, input_dropout=input_dropout)
        self.input_dropout = Dropout(input_dropout)
        self.body: nn.Module
        self.head = nn.Identity() if base != "gcn" else nn.Linear(hidden_channels, out_channels)
        if base == "sgc":
            self.body = AdaptiveHops(in_channels, out_channels, num_hops=num_hops)
        elif base == "appnp":
            self.body = _Scores(
                in_channels, out_channels, width=hidden_channels, num_hops=num_hops, teleport=teleport, dropout=dropout
            )
        else:
            self.body = _Convolutions(in_channels, hidden_channels, num_layers=num_hops, dropout=dropout)
        self._width = hidden_channels if base == "gcn" else out_channels

    @property
    def embedding_channels(self) -> int:
        """Width of the states of `gcn`, else the number of classes, see `NodeModel.embedding_channels`."""
        return self._width

    @property
    def layer_channels(self) -> tuple[int, ...]:
        """Widths after the convolutions of `gcn`, which alone has layers to look into, see `NodeModel.layer_channels`."""
        return (self._width,) * (1 + len(self.body.later)) if isinstance(self.body, _Convolutions) else ()

    def hidden(self, x: Tensor | CSR, adj: CSR) -> Tensor:
        """The scores, or the states after the last convolution of `gcn`, see `NodeModel.hidden`."""
        dropped = self.input_dropout(x)
        extra = (self.after_layer,) if isinstance(self.body, _Convolutions) else ()
        h: Tensor = self.body(dropped, adj, *extra)
        return h


class _Scores(nn.Module):
    """A perceptron, whose scores are then propagated: APPNP with weights of each node's hops."""

    def __init__(self, in_channels: int, classes: int, *, width: int, num_hops: int, teleport: float, dropout: float) -> None:
        super().__init__()
        self.network = Network(
            GraphFreeLinear, in_channels, classes, hidden_channels=width, num_layers=2, dropout=dropout, input_dropout=0.0
        )
        self.hops = AdaptiveHops(classes, num_hops=num_hops, teleport=teleport)

    def forward(self, x: Tensor | CSR, adj: CSR) -> Tensor:
        """Scores [N, C] of features [N, F]."""
        scores: Tensor = self.hops(self.network(x), adj)
        return scores


class _Convolutions(nn.Module):
    """Convolutions with a step back to the first one's result before each of the others."""

    def __init__(self, in_channels: int, width: int, *, num_layers: int, dropout: float) -> None:
        super().__init__()
        self.first = GCNConv(in_channels, width)
        self.later = nn.ModuleList(GCNConv(width, width) for _ in range(num_layers - 1))
        self.residual = InitialResidual(width)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor | CSR, adj: CSR, after_layer: AfterLayer | None = None) -> Tensor:
        """States [N, width] of features [N, F], in training after dropout."""
        h = initial = self.first(x, adj)
        h = h if after_layer is None else after_layer(h, 0)
        for number, layer in enumerate(self.later, start=1):
            h = layer(self.dropout(F.relu(self.residual(h, initial))), adj)
            h = h if after_layer is None else after_layer(h, number)
        out: Tensor = self.dropout(F.relu(h))
        return out
