"""Dropout as a layer, for dense and sparse features."""

from __future__ import annotations

from torch import Tensor, nn

from graphkit.layers.checks import check_probability
from graphkit.sparse import CSR, dropout


def drop(x: Tensor | CSR, p: float, training: bool) -> Tensor | CSR:
    """Dropout(X) of features, dense or sparse: entries of a sparse X that are not stored are zero with or without it."""
    if isinstance(x, Tensor):
        return dropout(x, p, training)
    return x.dropout(p) if training else x


class Dropout(nn.Module):
    """Dropout(X): in training each entry is zero with probability p, else divided by 1 - p.

    `torch.nn.Dropout` for sparse X too, of which only stored entries are drawn. On the CPU the mask comes from the engine's
    counter-based generator (`graphkit.sparse.dropout`), which takes one pass over memory.

    Args:
        p: Probability in [0, 1).

    Raises:
        ValueError: If p is out of its range.

    Source: Srivastava et al., Dropout, JMLR 2014.

    Example:
        >>> Dropout(0.5)(x)  # [N, C] -> [N, C]
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        check_probability(p=p)
        self.p = p

    def reset_parameters(self) -> None:
        """Do nothing; the layer has no parameters."""

    def forward(self, x: Tensor | CSR) -> Tensor | CSR:
        """Drop entries of a tensor of any shape, or of an operator."""
        return drop(x, self.p, self.training)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p:g})"
