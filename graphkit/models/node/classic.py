"""Networks for node classification: GCN, GraphSAGE and the multilayer perceptron that every table needs beside them."""

from __future__ import annotations

from torch import Tensor

from graphkit.layers import GCNConv, SAGEConv
from graphkit.models.node.network import GraphFreeLinear, GraphNetwork, Network
from graphkit.sparse import CSR, Adjacency


class GCN(GraphNetwork):
    """Graph convolutional network.

    h <- relu(norm(A_hat dropout(h) W + b)) for every hidden layer, logits = A_hat dropout(h) W + b,
    with A_hat = D^-1/2 (A + I) D^-1/2.

    Args:
        in_channels: Feature width F.
        out_channels: Number of classes C.
        hidden_channels: Width of the hidden layers.
        num_layers: Convolutions, at least 1; with 1 and no `linear_head` the model is linear.
        dropout: Probability in [0, 1) of dropping an entry of every layer's input.
        input_dropout: The same of the features; None: `dropout`.
        norm: In every hidden layer: `none`, `layer` or `batch`.
        residual: Add to a hidden layer its input: `none`, `identity` or `linear`, see `Network`.
        pre_linear: A linear map of the features before the first convolution.
        linear_head: A linear map after the convolutions gives the logits; else the last convolution does.

    Raises:
        ValueError: If `num_layers` is below 1, or `norm` or `residual` is unknown.

    Source: Kipf and Welling, ICLR 2017; without their penalty on the first layer alone.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        hidden_channels: int = 64,
        num_layers: int = 2,
        dropout: float = 0.5,
        input_dropout: float | None = None,
        norm: str = "none",
        residual: str = "none",
        pre_linear: bool = False,
        linear_head: bool = False,
    ) -> None:
        super().__init__()
        sizes = (in_channels, out_channels, hidden_channels, num_layers)
        self.network = Network(GCNConv, *sizes, dropout, input_dropout, norm, residual, pre_linear, linear_head)


class SAGE(GraphNetwork):
    """GraphSAGE with mean aggregation over all neighbors.

    h_i <- relu(norm(W1 h_i + W2 mean_j h_j + b)) for every hidden layer, the same without relu and norm for the logits.

    Args:
        in_channels: Feature width F.
        out_channels: Number of classes C.
        hidden_channels: Width of the hidden layers.
        num_layers: Convolutions, at least 1; with 1 and no `linear_head` the model is linear.
        dropout: Probability in [0, 1) of dropping an entry of every layer's input.
        input_dropout: The same of the features; None: `dropout`.
        norm: In every hidden layer: `none`, `layer` or `batch`.
        residual: Add to a hidden layer its input: `none`, `identity` or `linear`, see `Network`.
        pre_linear: A linear map of the features before the first convolution.
        linear_head: A linear map after the convolutions gives the logits; else the last convolution does.

    Raises:
        ValueError: If `num_layers` is below 1, or `norm` or `residual` is unknown.

    Source: Hamilton, Ying and Leskovec, NeurIPS 2017; no neighbor sampling and no L2 normalization here.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        hidden_channels: int = 64,
        num_layers: int = 2,
        dropout: float = 0.5,
        input_dropout: float | None = None,
        norm: str = "none",
        residual: str = "none",
        pre_linear: bool = False,
        linear_head: bool = False,
    ) -> None:
        super().__init__()
        sizes = (in_channels, out_channels, hidden_channels, num_layers)
        self.network = Network(SAGEConv, *sizes, dropout, input_dropout, norm, residual, pre_linear, linear_head)


class MLP(GraphNetwork):
    """Multilayer perceptron on the features alone; it never sees an edge.

    h <- relu(norm(W dropout(h) + b)) for every hidden layer, logits = W dropout(h) + b.

    Args:
        in_channels: Feature width F.
        out_channels: Number of classes C.
        hidden_channels: Width of the hidden layers.
        num_layers: Linear layers, at least 1.
        dropout: Probability in [0, 1) of dropping an entry of every layer's input.
        input_dropout: The same of the features; None: `dropout`.
        norm: In every hidden layer: `none`, `layer` or `batch`.
        residual: Add to a hidden layer its input: `none`, `identity` or `linear`, see `Network`.

    Raises:
        ValueError: If `num_layers` is below 1, or `norm` or `residual` is unknown.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        hidden_channels: int = 64,
        num_layers: int = 2,
        dropout: float = 0.5,
        input_dropout: float | None = None,
        norm: str = "none",
        residual: str = "none",
    ) -> None:
        super().__init__()
        sizes = (in_channels, out_channels, hidden_channels, num_layers)
        self.network = Network(GraphFreeLinear, *sizes, dropout, input_dropout, norm, residual)

    def forward(self, x: Tensor | CSR, adj: Adjacency | None = None) -> Tensor:
        """Class scores of every node.

        Args:
            x: Features [N, F], dense or sparse.
            adj: Ignored; the call is that of the graph models.

        Returns:
            Logits [N, C].
        """
        output: Tensor = self.network(x, adj)
        return output
