"""Scores as sums of contributions, for many predictions at once: the account that recommenders and link models give."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from graphkit.sparse import CSR, segment_sum


@dataclass(frozen=True)
class Reasons:
    """P scores as sums: score_p = bias_p + the contributions of p + remainder_p.

    Attributes:
        ptr: Boundaries [P + 1], int64: prediction p owns contributions ptr[p] to ptr[p + 1].
        ids: What each contribution is of [K], int64: an item of the user, or a node of the graph.
        contributions: What each adds to the score [K], float64.
        score: The scores as the model gave them [P], float64.
        bias: What there is without any contribution [P], float64.
        rule: How contributions are attributed, in a sentence.
        exact: Whether the score is this sum by itself, so that the remainder is rounding alone.
    """

    ptr: Tensor
    ids: Tensor
    contributions: Tensor
    score: Tensor
    bias: Tensor
    rule: str
    exact: bool

    @property
    def prediction(self) -> Tensor:
        """The prediction that each contribution belongs to [K]."""
        return torch.arange(self.score.numel(), device=self.ptr.device).repeat_interleave(self.ptr.diff())

    @property
    def remainder(self) -> Tensor:
        """What bias and contributions leave of each score [P]."""
        return self.score - self.bias - segment_sum(self.contributions, self.ptr)

    def ranks(self) -> Tensor:
        """Place of each contribution among those of its prediction [K], 0 for the largest; of equal ones the first."""
        order = self.contributions.sort(descending=True, stable=True).indices
        order = order[self.prediction[order].sort(stable=True).indices]
        place = torch.arange(order.numel(), device=order.device) - self.ptr[:-1].repeat_interleave(self.ptr.diff())
        return torch.empty_like(order).scatter_(0, order, place)

    def of(self, prediction: int) -> list[tuple[int, float]]:
        """The contributions of a prediction as (id, contribution), the largest in either direction first."""
        own = slice(int(self.ptr[prediction]), int(self.ptr[prediction + 1]))
        pairs = zip(self.ids[own].tolist(), self.contributions[own].tolist(), strict=True)
        return sorted(pairs, key=lambda pair: -abs(pair[1]))


def present_entries(matrix: CSR) -> tuple[Tensor, Tensor, Tensor]:
    """Boundaries of the rows, columns and values of the entries that are present.

    Returns:
        Boundaries [num_rows + 1], columns [E] and values [E], float64, without gradients.
    """
    value = matrix.weights(torch.float64).detach()
    if matrix.mask is None:
        return matrix.rowptr, matrix.col, value
    counts = matrix.degree()
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)]), matrix.col[matrix.mask], value[matrix.mask]
