"""ADPA: attention over what six directed patterns bring, and a linear map."""

from __future__ import annotations

from typing import Unpack

from torch import Tensor, nn

from graphkit.layers import DirectedPatternAggregation
from graphkit.layers.conv.adpa import PatternOptions
from graphkit.models.node.base import NodeModel
from graphkit.sparse import CSR


class ADPA(NodeModel):
    """Adaptive directed pattern aggregation for node classification; logits = W (branches of the patterns) + b.

    Args:
        in_channels: Feature width F.
        out_channels: Number of classes C.
        hidden_channels: Width of every branch.
        dropout: Probability in [0, 1) of dropping an entry of a branch, after each of its layers.
        **options: Arguments of `DirectedPatternAggregation`; the authors tune `exponent`.

    Raises:
        ValueError: If a number is out of its range or `pattern_attention` is unknown.

    Source: Sun et al., ICDE 2024. The authors' code breaks ties in validation accuracy by test accuracy; nothing here sees it.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        hidden_channels: int = 32,
        dropout: float = 0.5,
        **options: Unpack[PatternOptions],
    ) -> None:
        super().__init__()
        self.aggregation = DirectedPatternAggregation(in_channels, hidden_channels, dropout=dropout, **options)
        self.head = nn.Linear(7 * hidden_channels, out_channels)

    @property
    def embedding_channels(self) -> int:
        """Width of all branches side by side, see `NodeModel.embedding_channels`."""
        return 7 * self.aggregation.out_channels

    def hidden(self, x: Tensor | CSR, adj: CSR) -> Tensor:
        """The branches of the patterns and of x, side by side, see `NodeModel.hidden`."""
        h: Tensor = self.aggregation(x, adj)
        return h
