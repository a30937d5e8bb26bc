"""Networks for node classification: GCN, GraphSAGE and the multilayer perceptron that every table needs beside them."""

from __future__ import annotations

from typing import Unpack

from torch import Tensor

from graphkit.layers import GCNConv, GraphFreeLinear, SAGEConv
from graphkit.models.node.network import GraphNetwork, GraphNetworkOptions, Network, NetworkOptions
from graphkit.sparse import CSR, Adjacency


class GCN(GraphNetwork):
    """Graph convolutional network.

    h <- relu(norm(A_hat dropout(h) W + b)) for every hidden layer, logits = A_hat dropout(h) W + b,
    with A_hat = D^-1/2 (A + I) D^-1/2.

    Args:
        in_channels: Feature width F.
        out_channels: Number of classes C.
        hidden_channels: Width of the hidden layers.
        **options: Arguments of `Network`; with `num_layers=1` and no `linear_head` the model is linear.

    Raises:
        ValueError: If `num_layers` is below 1, or `norm` or `residual` is unknown.

    Source: Kipf and Welling, ICLR 2017; without their penalty on the first layer alone.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, hidden_channels: int = 64, **options: Unpack[GraphNetworkOptions]
    ) -> None:
        super().__init__()
        self.network = Network(GCNConv, in_channels, out_channels, hidden_channels=hidden_channels, **options)


class SAGE(GraphNetwork):
    """GraphSAGE with mean aggregation over all neighbors.

    h_i <- relu(norm(W1 h_i + W2 mean_j h_j + b)) for every hidden layer, the same without relu and norm for the logits.

    Args:
        in_channels: Feature width F.
        out_channels: Number of classes C.
        hidden_channels: Width of the hidden layers.
        **options: Arguments of `Network`; with `num_layers=1` and no `linear_head` the model is linear.

    Raises:
        ValueError: If `num_layers` is below 1, or `norm` or `residual` is unknown.

    Source: Hamilton, Ying and Leskovec, NeurIPS 2017; no neighbor sampling and no L2 normalization here.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, hidden_channels: int = 64, **options: Unpack[GraphNetworkOptions]
    ) -> None:
        super().__init__()
        self.network = Network(SAGEConv, in_channels, out_channels, hidden_channels=hidden_channels, **options)


class MLP(GraphNetwork):
    """Multilayer perceptron on the features alone; it never sees an edge.

    h <- relu(norm(W dropout(h) + b)) for every hidden layer, logits = W dropout(h) + b.

    Args:
        in_channels: Feature width F.
        out_channels: Number of classes C.
        hidden_channels: Width of the hidden layers.
        **options: Arguments of `Network`, without `pre_linear` and `linear_head`.

    Raises:
        ValueError: If `num_layers` is below 1, or `norm` or `residual` is unknown.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, hidden_channels: int = 64, **options: Unpack[NetworkOptions]
    ) -> None:
        super().__init__()
        self.network = Network(GraphFreeLinear, in_channels, out_channels, hidden_channels=hidden_channels, **options)

    def forward(self, x: Tensor | CSR, adj: Adjacency | None = None) -> Tensor:
        """Class scores of every node.

        Args:
            x: Features [N, F], dense or sparse.
            adj: Ignored; the call is that of the graph models.

        Returns:
            Logits [N, C].
        """
        logits: Tensor = self.head(self.network.embed(x, after_layer=self.after_layer))
        return logits

    def embed(self, x: Tensor | CSR, adj: Adjacency | None = None) -> Tensor:
        """The last hidden representation of every node, see `NodeModel.embed`; `adj` is ignored."""
        return self._dense(self.network.embed(x, after_layer=self.after_layer))
