"""Dropout and linear maps of node features, which may be sparse: bags of words are 1 % full, and the zeros cost nothing."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from graphkit.layers.checks import check_probability
from graphkit.layers.dense.dropout import drop
from graphkit.sparse import CSR


def linear(x: Tensor | CSR, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """X W^T + b of features [N, F], dense or sparse, with W [C, F]."""
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

    def forward(self, x: Tensor | CSR) -> Tensor:
        """Map features [N, in_channels], a tensor or an operator of that shape, to [N, out_channels]."""
        return linear(drop(x, self.dropout, self.training), self.weight, self.bias)

    def extra_repr(self) -> str:
        """What `repr` shows between the brackets."""
        return f"{self.in_features}, {self.out_features}, bias={self.bias is not None}, dropout={self.dropout}"
