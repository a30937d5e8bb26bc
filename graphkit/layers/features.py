"""Dropout and a linear map on node features, which may be sparse: bags of words are 1 % full, and the zeros cost nothing."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from graphkit.sparse.csr import CSR


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

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True, dropout: float = 0.0) -> None:
        if not 0.0 <= dropout < 1.0:
            raise ValueError(f"dropout must lie in [0, 1), got {dropout}")
        super().__init__(in_channels, out_channels, bias)
        self.dropout = dropout

    def forward(self, x: Tensor | CSR) -> Tensor:
        """Map features [N, in_channels], a tensor or an operator of that shape, to [N, out_channels]."""
        if isinstance(x, Tensor):
            return F.linear(F.dropout(x, self.dropout, self.training), self.weight, self.bias)
        kept = x.dropout(self.dropout) if self.training else x
        out = kept.matmul(self.weight.t())
        return out if self.bias is None else out + self.bias

    def extra_repr(self) -> str:
        """What `repr` shows between the brackets."""
        return f"{self.in_features}, {self.out_features}, bias={self.bias is not None}, dropout={self.dropout}"
