"""Networks for node classification: GCN, GraphSAGE and the multilayer perceptron that every table needs beside them."""

from __future__ import annotations

from torch import Tensor, nn

from graphkit.layers import GCNConv, SAGEConv
from graphkit.models.node.network import Network
from graphkit.sparse.convert import Adjacency, as_csr


class _GraphFreeLinear(nn.Linear):
    """A linear map with the call of a convolution; it does not look at the graph."""

    def forward(self, x: Tensor, adj: Adjacency | None = None) -> Tensor:
        return super().forward(x)


class GCN(nn.Module):
    """Graph convolutional network.

    h <- relu(norm(A_hat dropout(h) W + b)) for every hidden layer, logits = A_hat dropout(h) W + b,
    with A_hat = D^-1/2 (A + I) D^-1/2.

    Args:
        in_channels: Feature width F.
        out_channels: Number of classes C.
        hidden_channels: Width of the hidden layers.
        num_layers: Convolutions, at least 1; with 1 the model is linear.
        dropout: Probability in [0, 1) of dropping an entry of every layer's input.
        norm: After every hidden layer: `none`, `layer` or `batch`.
        residual: Add a hidden layer's input to its output where the widths agree.

    Raises:
        ValueError: If `num_layers` is below 1 or `norm` is unknown.

    Source: Kipf and Welling, ICLR 2017; without their penalty on the first layer alone.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        hidden_channels: int = 64,
        num_layers: int = 2,
        dropout: float = 0.5,
        norm: str = "none",
        residual: bool = False,
    ) -> None:
        super().__init__()
        self.network = Network(GCNConv, in_channels, out_channels, hidden_channels, num_layers, dropout, norm, residual)

    @property
    def head(self) -> nn.Module:
        """The last layer."""
        return self.network.head

    def forward(self, x: Tensor, adj: Adjacency) -> Tensor:
        """Class scores of every node.

        Args:
            x: Features [N, F].
            adj: Adjacency: `edge_index` [2, E], PyG `EdgeIndex`, torch CSR or graphkit CSR (fastest: normalized once).

        Returns:
            Logits [N, C].
        """
        output: Tensor = self.network(x, as_csr(adj, x.size(0)))
        return output


class SAGE(nn.Module):
    """GraphSAGE with mean aggregation over all neighbors.

    h_i <- relu(norm(W1 h_i + W2 mean_j h_j + b)) for every hidden layer, the same without relu and norm for the logits.

    Args:
        in_channels: Feature width F.
        out_channels: Number of classes C.
        hidden_channels: Width of the hidden layers.
        num_layers: Convolutions, at least 1; with 1 the model is linear.
        dropout: Probability in [0, 1) of dropping an entry of every layer's input.
        norm: After every hidden layer: `none`, `layer` or `batch`.
        residual: Add a hidden layer's input to its output where the widths agree.

    Raises:
        ValueError: If `num_layers` is below 1 or `norm` is unknown.

    Source: Hamilton, Ying and Leskovec, NeurIPS 2017; no neighbor sampling and no L2 normalization here.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        hidden_channels: int = 64,
        num_layers: int = 2,
        dropout: float = 0.5,
        norm: str = "none",
        residual: bool = False,
    ) -> None:
        super().__init__()
        self.network = Network(SAGEConv, in_channels, out_channels, hidden_channels, num_layers, dropout, norm, residual)

    @property
    def head(self) -> nn.Module:
        """The last layer."""
        return self.network.head

    def forward(self, x: Tensor, adj: Adjacency) -> Tensor:
        """Class scores of every node.

        Args:
            x: Features [N, F].
            adj: Adjacency: `edge_index` [2, E], PyG `EdgeIndex`, torch CSR or graphkit CSR (fastest: normalized once).

        Returns:
            Logits [N, C].
        """
        output: Tensor = self.network(x, as_csr(adj, x.size(0)))
        return output


class MLP(nn.Module):
    """Multilayer perceptron on the features alone; it never sees an edge.

    h <- relu(norm(W dropout(h) + b)) for every hidden layer, logits = W dropout(h) + b.

    Args:
        in_channels: Feature width F.
        out_channels: Number of classes C.
        hidden_channels: Width of the hidden layers.
        num_layers: Linear layers, at least 1.
        dropout: Probability in [0, 1) of dropping an entry of every layer's input.
        norm: After every hidden layer: `none`, `layer` or `batch`.
        residual: Add a hidden layer's input to its output where the widths agree.

    Raises:
        ValueError: If `num_layers` is below 1 or `norm` is unknown.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        hidden_channels: int = 64,
        num_layers: int = 2,
        dropout: float = 0.5,
        norm: str = "none",
        residual: bool = False,
    ) -> None:
        super().__init__()
        args = (in_channels, out_channels, hidden_channels, num_layers, dropout, norm, residual)
        self.network = Network(_GraphFreeLinear, *args)

    @property
    def head(self) -> nn.Module:
        """The last layer."""
        return self.network.head

    def forward(self, x: Tensor, adj: Adjacency | None = None) -> Tensor:
        """Class scores of every node.

        Args:
            x: Features [N, F].
            adj: Ignored; the call is that of the graph models.

        Returns:
            Logits [N, C].
        """
        output: Tensor = self.network(x, adj)
        return output
