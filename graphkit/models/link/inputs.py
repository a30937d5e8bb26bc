"""What encoders of link predictors begin with: given features, or an embedding of each node that is learned."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from graphkit.sparse import CSR


class NodeInput(nn.Module):
    """Features where the data has them, else a table with an embedding of each node.

    Args:
        in_channels: Width F of node features; 0 for a table.
        num_nodes: Number of nodes N, read only without features.
        channels: Width C of the table.
        fill: Draws the table's first values in place.
    """

    def __init__(self, in_channels: int, num_nodes: int, channels: int, *, fill: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.channels = in_channels or channels
        self.table = None if in_channels else nn.Parameter(torch.empty(num_nodes, channels))
        if self.table is not None:
            fill(self.table)

    def forward(self, x: Tensor | CSR | None) -> Tensor | CSR:
        """Features [N, F] as they are, or the table [N, C].

        Raises:
            ValueError: If features are missing.
        """
        if self.table is not None:
            return self.table
        if x is None:
            raise ValueError("this encoder was built for node features; pass x [N, in_channels].")
        return x
