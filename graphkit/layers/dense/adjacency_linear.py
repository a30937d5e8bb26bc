"""A linear map of each node's row of the adjacency matrix."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least
from graphkit.sparse import Adjacency, as_csr


class AdjacencyLinear(nn.Module):
    """A linear map of every node's row of the adjacency matrix: A W + b, by a sparse product.

    A[i, j] is the weight of the edge i -> j, so that node i gets the sum of the vectors of those it points to. A node that
    points to none gets b. The layer is bound to the nodes that it was made for and says nothing of others.

    Args:
        num_nodes: Number of nodes N, at least 1; W holds a vector for each.
        out_channels: Width of the output, at least 1.

    Raises:
        ValueError: If a size is below 1.

    Source: Lim et al., Large Scale Learning on Non-Homophilous Graphs (LINKX), NeurIPS 2021; weight and bias start as those
    of `nn.Linear`.

    Example:
        >>> AdjacencyLinear(12, 32)(edge_index)  # [12, 32]
    """

    def __init__(self, num_nodes: int, out_channels: int) -> None:
        super().__init__()
        check_at_least(1, num_nodes=num_nodes, out_channels=out_channels)
        self.num_nodes = num_nodes
        self.out_channels = out_channels
        self.weight = nn.Parameter(torch.empty(num_nodes, out_channels))
        self.bias = nn.Parameter(torch.empty(out_channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias as `nn.Linear` does for N inputs."""
        bound = self.num_nodes**-0.5
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(
        self, edge_index: Adjacency, edge_weight: Float[Tensor, " E"] | None = None
    ) -> Float[Tensor, "{self.num_nodes} {self.out_channels}"]:
        """Map the rows of A.

        Args:
            edge_index: Sources and targets [2, E], PyG `EdgeIndex`, torch CSR or graphkit CSR (rows are targets, as elsewhere).
            edge_weight: Weights of an `edge_index`.

        Returns:
            The features of the nodes.

        Raises:
            ValueError: If the graph has other nodes.
        """
        return as_csr(edge_index, self.num_nodes, edge_weight).t().matmul(self.weight) + self.bias

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.num_nodes}, {self.out_channels})"
