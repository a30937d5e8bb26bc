"""The frame that the plain networks for node classification share."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from graphkit.sparse.convert import Adjacency

_NORMS: dict[str, Callable[[int], nn.Module]] = {
    "none": lambda width: nn.Identity(),
    "layer": nn.LayerNorm,
    "batch": nn.BatchNorm1d,
}


class Network(nn.Module):
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
        """Class scores [N, C] of features x [N, F]."""
        for layer, norm in zip(self.hidden, self.norms, strict=True):
            h = F.relu(norm(layer(F.dropout(x, self.dropout, self.training), adj)))
            x = h + x if self.residual and h.shape == x.shape else h
        output: Tensor = self.head(F.dropout(x, self.dropout, self.training), adj)
        return output
