"""Dropout and linear maps of node features, which may be sparse: bags of words are 1 % full, and the zeros cost nothing."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from graphkit.layers.checks import check_probability
from graphkit.layers.dense.dropout import drop
from graphkit.sparse import CSR


def linear(
    x: Float[Tensor, "*N F"] | CSR, weight: Float[Tensor, "C F"], bias: Float[Tensor, " C"] | None = None
) -> Float[Tensor, "*N C"]:
    """X W^T + b of features, dense or sparse."""
    if isinstance(x, Tensor):
        return F.linear(x, weight, bias)
    out = x.matmul(weight.t())
    return out if bias is None else out + bias


class FeatureLinear(nn.Linear):
    """Dropout(X) W^T + b for features X, dense or sparse.

    Dropping an entry that is zero changes nothing, so that with sparse X only the stored entries are drawn and multiplied: the
    same distribution at a cost proportional to them.

    Args:
        in_channels: Width of the features.
        out_channels: Width of the output.
        bias: Add b.
        dropout: Probability in [0, 1) with which each feature of each node is left out in training; the others are scaled up.

    Example:
        >>> FeatureLinear(1433, 64, dropout=0.5)(x)  # [N, 1433] -> [N, 64]
    """

    def __init__(self, in_channels: int, out_channels: int, *, bias: bool = True, dropout: float = 0.0) -> None:
        check_probability(dropout=dropout)
        super().__init__(in_channels, out_channels, bias)
        self.dropout = dropout

    def forward(self, x: Float[Tensor, "*N {self.in_features}"] | CSR) -> Float[Tensor, "*N {self.out_features}"]:
        """Map features, a tensor or an operator."""
        return linear(drop(x, self.dropout, self.training), self.weight, self.bias)

    def extra_repr(self) -> str:
        """What `repr` shows between the brackets."""
        return f"{self.in_features}, {self.out_features}, bias={self.bias is not None}, dropout={self.dropout}"
