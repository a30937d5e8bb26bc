"""What models without training share: the scores of a user follow from the user's items, so new users are scored alike."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from graphkit.models.recommend.base import Recommender, item_bags
from graphkit.sparse import CSR, Structure, pointers

BLOCK = 64
"""Users propagated at a time: a dense block has this many columns, whatever is asked for."""

_VALUES = 1 << 24
"""Entries of a block of dense rows: 64 MiB in float32."""


class HistoryRecommender(Recommender):
    """A recommender that is done after `fit` and scores a user by the row of items interacted with."""

    trained: ClassVar[bool] = False

    @property
    def dtype(self) -> torch.dtype:
        """What is computed in: the dtype of the interactions' weights, or torch's default where there are none."""
        return self.interactions.dtype or torch.get_default_dtype()

    @abstractmethod
    def score_histories(self, histories: CSR) -> Tensor:
        """Scores [n, num_items] of users whose items are the rows of `histories` [n, num_items]."""

    def scores(self, users: Tensor) -> Tensor:
        """Scores of all items by the users' training items, see `Recommender.scores`; ValueError for an unknown id."""
        with torch.no_grad(), torch.autocast(users.device.type, enabled=False):
            return self.score_histories(take_rows(self.interactions, users))

    def fold_in(self, items: Sequence[Tensor]) -> Tensor:
        """Scores of all items by the given items, see `Recommender.fold_in`; ValueError for an unknown id."""
        with torch.no_grad(), torch.autocast(self.interactions.device.type, enabled=False):
            return self.score_histories(item_bags(items, self.num_items, self.interactions.device))


class FilterRecommender(HistoryRecommender):
    """A recommender whose scores are a linear map of the user's row of interactions, applied to a few users at a time."""

    @abstractmethod
    def filter(self, x: Tensor) -> Tensor:
        """Scores [num_items, C] of C users from their columns of interactions x [num_items, C]."""

    def score_histories(self, histories: CSR) -> Tensor:
        """Scores [n, num_items] by `filter`, see `HistoryRecommender.score_histories`."""
        out = torch.empty(histories.shape, dtype=self.dtype, device=histories.device)
        for start in range(0, histories.shape[0], BLOCK):
            part = out[start : start + BLOCK]
            part.copy_(self.filter(dense_columns(histories, start, self.dtype)).t()[: part.size(0)])
        return out


def take_rows(matrix: CSR, rows: Tensor) -> CSR:
    """The given rows [B] of an operator, in that order, as an operator [B, num_cols]; ValueError for a row it lacks."""
    if rows.numel() and not 0 <= int(rows.min()) <= int(rows.max()) < matrix.shape[0]:
        raise ValueError(f"ids must lie in [0, {matrix.shape[0]}), got {int(rows.min())} to {int(rows.max())}.")
    counts = matrix.rowptr.diff()[rows]
    rowptr = pointers(counts)
    shift = (matrix.rowptr[rows] - rowptr[:-1]).repeat_interleave(counts)
    entries = shift + torch.arange(shift.numel(), device=matrix.device)
    structure = Structure(rowptr, matrix.col[entries], (rows.numel(), matrix.shape[1]))
    value = None if matrix.value is None else matrix.value.detach()[entries]
    return CSR(structure, value, None if matrix.mask is None else matrix.mask[entries])


def rows_at_a_time(columns: int) -> int:
    """Dense rows of that many columns held at a time, where a row costs the same whichever others are asked for."""
    return max(1, _VALUES // max(1, columns))


def dense_columns(matrix: CSR, start: int, dtype: torch.dtype) -> Tensor:
    """The BLOCK rows of an operator from `start` on as the columns of a dense [num_cols, BLOCK]; 0 past the last row.

    Always as wide: matrix products of another width may round differently, and a score must not depend on who else is asked.
    """
    rows = slice(int(matrix.rowptr[start]), int(matrix.rowptr[min(start + BLOCK, matrix.shape[0])]))
    x = torch.zeros(matrix.shape[1], BLOCK, dtype=dtype, device=matrix.device)
    x[matrix.col[rows], matrix.row[rows] - start] = matrix.weights(dtype).detach()[rows]
    return x
