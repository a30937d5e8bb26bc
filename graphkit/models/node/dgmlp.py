"""DGMLP: features smoothed once, each node as far as it should be, and a perceptron on them."""

from __future__ import annotations

from typing import ClassVar, Unpack

from torch import Tensor

from graphkit.layers import GraphFreeLinear, NodeAdaptiveSmoothing
from graphkit.models.node.network import GraphNetwork, Network, NetworkOptions
from graphkit.sparse import CSR


class DGMLP(GraphNetwork):
    """Deep graph multilayer perceptron: logits = MLP(smoothed X), see `NodeAdaptiveSmoothing` and, for the perceptron, `MLP`.

    Smoothing has no parameters and is computed once per graph: at any depth an epoch costs what one of a perceptron costs. With
    `num_layers=1` the model is linear in the smoothed features. Edges are read as undirected.

    Args:
        in_channels: Feature width F.
        out_channels: Number of classes C.
        hidden_channels: Width of the perceptron's hidden layers.
        num_hops: Hops of the smoothing, at least 0.
        temperature: Of the weights of hops, above 0.
        **options: Arguments of `Network`; `input_dropout` acts on the smoothed features, and the paper has
            `residual=identity`.

    Raises:
        ValueError: If a number is out of its range, or `norm` or `residual` is unknown.

    Source: Zhang et al., Evaluating Deep Graph Neural Networks, arXiv:2108.00955; the layer says in what the authors' code
    differs. The code itself has `num_layers=1`.
    """

    undirected: ClassVar[bool] = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        hidden_channels: int = 64,
        num_hops: int = 20,
        temperature: float = 1.0,
        **options: Unpack[NetworkOptions],
    ) -> None:
        super().__init__()
        self.smoothing = NodeAdaptiveSmoothing(num_hops=num_hops, temperature=temperature)
        self.network = Network(GraphFreeLinear, in_channels, out_channels, hidden_channels=hidden_channels, **options)

    def hidden(self, x: Tensor | CSR, adj: CSR) -> Tensor | CSR:
        """What the perceptron gives its last layer, see `NodeModel.hidden`."""
        return super().hidden(self.smoothing(x, adj), adj)
