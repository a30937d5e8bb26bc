"""Normalization over the rows of each graph. Parameters are named as in PyG, so that its state dicts load."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least
from graphkit.sparse import Structure, at_rows, segment_mean


class GraphNorm(nn.Module):
    """y = w (x - a m) / sqrt(v + eps) + b, with m the mean of x over the rows of its graph and v the mean of (x - a m)^2.

    a learns how much of the mean is taken away; channel by channel. The rows may be nodes, or pairs of nodes.

    Args:
        channels: Width C.
        eps: Added to the variance.

    Raises:
        ValueError: A width below 1.

    Source: Cai et al., "GraphNorm: A Principled Approach to Accelerating Graph Neural Network Training", ICML 2021. At first
    w = a = 1 and b = 0.

    Example:
        >>> GraphNorm(64)(x, ptr)  # [N, 64] -> [N, 64]
    """

    def __init__(self, channels: int, *, eps: float = 1e-5) -> None:
        super().__init__()
        check_at_least(1, channels=channels)
        self.channels, self.eps = channels, eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.mean_scale = nn.Parameter(torch.ones(channels))

    def reset_parameters(self) -> None:
        """Set w and a to one and b to zero."""
        nn.init.ones_(self.weight)
        nn.init.zeros_(self.bias)
        nn.init.ones_(self.mean_scale)

    def forward(self, x: Tensor, ptr: Tensor) -> Tensor:
        """Normalize rows [N, channels] by the boundaries of the graphs [G + 1]."""
        rows = Structure(ptr, torch.arange(x.size(0), device=x.device), (ptr.numel() - 1, x.size(0)))
        centered = x - at_rows(segment_mean(x, ptr, rows.row), rows) * self.mean_scale
        variance = segment_mean(centered.square(), ptr, rows.row)
        return centered * at_rows((variance + self.eps).rsqrt(), rows) * self.weight + self.bias

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.channels})"
