"""HiGCN: filters of the flower-petal Laplacians of several orders, and a linear map."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from graphkit.layers import Dropout, FlowerPetalConv
from graphkit.layers.checks import check_probability
from graphkit.models.node.base import NodeModel
from graphkit.sparse import CSR


class HiGCN(NodeModel):
    """Higher-order graph convolutional network: logits = W dropout([P_1 H_1, ..., P_M H_M]) + b, H_p = W_p dropout(X) + b_p.

    P_p is a learned polynomial of the Laplacian of cliques of p + 1 nodes, see `FlowerPetalConv`. Edges are read as undirected.

    Args:
        in_channels: Feature width F.
        out_channels: Number of classes C.
        hidden_channels: Width of every order.
        max_order: Largest order M, at least 1: 1 for edges, 2 also for triangles.
        degree: Degree K of the polynomials, at least 0.
        alpha: Where the filters start, in [0, 1].
        dropout: Probability in [0, 1) of dropping an entry of what the last map is given.
        input_dropout: The same of the features; None: `dropout`.
        propagation_dropout: The same of H_p, before it is propagated.

    Raises:
        ValueError: If a number is out of its range.

    Source: Huang et al., AAAI 2024, see the layer.
    """

    undirected: ClassVar[bool] = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        hidden_channels: int = 32,
        max_order: int = 2,
        degree: int = 10,
        alpha: float = 0.5,
        dropout: float = 0.5,
        input_dropout: float | None = None,
        propagation_dropout: float = 0.5,
    ) -> None:
        super().__init__()
        input_dropout = dropout if input_dropout is None else input_dropout
        check_probability(dropout=dropout, input_dropout=input_dropout, propagation_dropout=propagation_dropout)
        self.input_dropout = Dropout(input_dropout)
        self.conv = FlowerPetalConv(
            in_channels, hidden_channels, max_order=max_order, degree=degree, alpha=alpha, dropout=propagation_dropout
        )
        self.dropout = Dropout(dropout)
        self.head = nn.Linear(self.conv.out_channels, out_channels)

    @property
    def embedding_channels(self) -> int:
        """Width of all orders side by side, see `NodeModel.embedding_channels`."""
        return self.conv.out_channels

    def hidden(self, x: Tensor | CSR, adj: CSR) -> Tensor:
        """The filtered states of all orders side by side, see `NodeModel.hidden`."""
        h: Tensor = self.dropout(self.conv(self.input_dropout(x), adj))
        return h
