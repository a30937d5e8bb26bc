"""Networks for node classification: GCN, GraphSAGE and the multilayer perceptron that every table needs beside them."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from graphkit.layers import GCNConv, SAGEConv
from graphkit.sparse.convert import Adjacency, as_csr

_NORMS: dict[str, Callable[[int], nn.Module]] = {
    "none": lambda width: nn.Identity(),
    "layer": nn.LayerNorm,
    "batch": nn.BatchNorm1d,
}


class _Network(nn.Module):
    """Hidden layers `h <- relu(norm(layer(dropout(h))))` (plus h with `residual`), then `head(dropout(h))`."""

    def __init__(
        self,
        make_layer: Callable[[int, int], nn.Module],
        in_channels: int,
        out_channels: int,
        hidden_channels: int,
        num_layers: int,
        dropout: float,
        norm: str,
        residual: bool,
    ) -> None:
        super().__init__()
        if num_layers < 1:
            raise ValueError(f"num_layers must be at least 1, got {num_layers}")
        if norm not in _NORMS:
            raise ValueError(f"norm must be one of {', '.join(_NORMS)}, got {norm!r}")
        widths = [in_channels] + [hidden_channels] * (num_layers - 1)
        self.hidden = nn.ModuleList(make_layer(a, b) for a, b in zip(widths, widths[1:], strict=False))
        self.norms = nn.ModuleList(_NORMS[norm](width) for width in widths[1:])
        self.head = make_layer(widths[-1], out_channels)
        self.dropout = dropout
        self.residual = residual

    def forward(self, x: Tensor, adj: Adjacency) -> Tensor:
        for layer, norm in zip(self.hidden, self.norms, strict=True):
            h = F.relu(norm(layer(F.dropout(x, self.dropout, self.training), adj)))
            x = h + x if self.residual and h.shape == x.shape else h
        output: Tensor = self.head(F.dropout(x, self.dropout, self.training), adj)
        return output


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
        self.network = _Network(GCNConv, in_channels, out_channels, hidden_channels, num_layers, dropout, norm, residual)

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
        self.network = _Network(SAGEConv, in_channels, out_channels, hidden_channels, num_layers, dropout, norm, residual)

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
        self.network = _Network(_GraphFreeLinear, *args)

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
