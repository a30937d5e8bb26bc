"""DAGNN: a perceptron, whose scores are then propagated, each node deciding how far."""

from __future__ import annotations

from torch import Tensor, nn

from graphkit.layers import GatedPropagation, GraphFreeLinear
from graphkit.models.node.base import NodeModel
from graphkit.models.node.network import Network
from graphkit.sparse import CSR


class DAGNN(NodeModel):
    """Deep adaptive graph neural network: logits = sum_k s_k * A_hat^k Z, Z = MLP(X), see `GatedPropagation` for the gates s_k.

    Transformation comes before propagation, so that depth costs no parameters. What `embed` gives are the scores themselves;
    the head is the identity.

    Args:
        in_channels: Feature width F.
        out_channels: Number of classes C.
        hidden_channels: Width of the perceptron's hidden layers.
        num_layers: Layers of the perceptron, at least 1.
        num_hops: Hops K of the propagation, at least 0.
        dropout: Probability in [0, 1) of dropping an entry of every layer's input.
        input_dropout: The same of the features; None: `dropout`.

    Raises:
        ValueError: If a number is out of its range.

    Source: Liu, Gao and Ji, Towards Deeper Graph Neural Networks, KDD 2020. The authors stop when the validation loss exceeds
    the mean of the last hundred, after half of 1,000 epochs; here `train.patience` stops.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        hidden_channels: int = 64,
        num_layers: int = 2,
        num_hops: int = 10,
        dropout: float = 0.5,
        input_dropout: float | None = None,
    ) -> None:
        super().__init__()
        self.network = Network(
            GraphFreeLinear,
            in_channels,
            out_channels,
            hidden_channels=hidden_channels,
            num_layers=num_layers,
            dropout=dropout,
            input_dropout=input_dropout,
        )
        self.propagation = GatedPropagation(out_channels, num_hops=num_hops)
        self.head = nn.Identity()

    @property
    def embedding_channels(self) -> int:
        """The number of classes, see `NodeModel.embedding_channels`."""
        return self.propagation.in_channels

    @property
    def layer_channels(self) -> tuple[int, ...]:
        """Widths of the perceptron's hidden layers, see `NodeModel.layer_channels`."""
        return (self.network.embedding_channels,) * len(self.network.hidden)

    def hidden(self, x: Tensor | CSR, adj: CSR) -> Tensor:
        """The propagated scores, see `NodeModel.hidden`."""
        scores: Tensor = self.network.head(self.network.embed(x, after_layer=self.after_layer))
        propagated: Tensor = self.propagation(scores, adj)
        return propagated
