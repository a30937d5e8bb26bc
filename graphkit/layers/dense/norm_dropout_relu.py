"""Normalization, dropout and ReLU as one module: the step between two linear maps of every head here."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphkit.layers.checks import check_probability
from graphkit.sparse import norm_dropout_relu


class NormDropoutReLU(nn.Module):
    """ReLU(Dropout(LayerNorm(x))), computed in one sweep over memory on CPU.

    Args:
        channels: Width C.
        norm: Whether to normalize (with learned scale and shift [C]).
        dropout: Probability in [0, 1).
        eps: Added to the variance.

    Example:
        >>> NormDropoutReLU(64, dropout=0.5)(x)  # [R, 64] -> [R, 64]
    """

    def __init__(self, channels: int, *, norm: bool = True, dropout: float = 0.0, eps: float = 1e-5) -> None:
        super().__init__()
        check_probability(dropout=dropout)
        self.channels, self.dropout, self.eps = channels, dropout, eps
        self.weight = nn.Parameter(torch.ones(channels)) if norm else None
        self.bias = nn.Parameter(torch.zeros(channels)) if norm else None

    def reset_parameters(self) -> None:
        """Set the scale to one and the shift to zero."""
        if self.weight is not None and self.bias is not None:
            nn.init.ones_(self.weight)
            nn.init.zeros_(self.bias)

    def forward(self, x: Float[Tensor, "R {self.channels}"]) -> Float[Tensor, "R {self.channels}"]:
        """Apply to rows."""
        return norm_dropout_relu(x, self.weight, self.bias, self.dropout, self.training, self.eps)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.channels}, norm={self.weight is not None}, dropout={self.dropout})"
