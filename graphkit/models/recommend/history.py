"""What models without training share: the scores of a user follow from the user's items, so new users are scored alike."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from graphkit.models.reasons import Reasons, present_entries
from graphkit.models.recommend.base import Recommender, item_bags, take_rows
from graphkit.sparse import CSR

BLOCK = 64
"""Users propagated at a time: a dense block has this many columns, whatever is asked for."""


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


class LinearRecommender(HistoryRecommender):
    """A recommender whose scores are a linear map of the user's row of interactions: s_ui = sum over j of r_uj M_ji."""

    @abstractmethod
    def influence(self, sources: Tensor, targets: Tensor) -> Tensor:
        """M_ji: what an interaction of weight one with item j adds to the score of item i.

        Args:
            sources: Items j [K], int64.
            targets: Items i [K], int64.

        Returns:
            [K].
        """

    @torch.no_grad()
    def reasons(self, users: Tensor, items: Tensor) -> Reasons:
        """The items of the user, each with r_uj M_ji: the score is their sum, see `Recommender.reasons`.

        The fitted model kept, a user without the item gets a score that is smaller by its contribution (`fold_in`).
        """
        ptr, own, weight = present_entries(take_rows(self.interactions, users))
        influence = self.influence(own, items.repeat_interleave(ptr.diff()))
        score = self.pair_scores(users, items).double()
        return Reasons(
            ptr=ptr,
            ids=own,
            contributions=weight * influence.double(),
            score=score,
            bias=torch.zeros_like(score),
            rule="The score is a sum over the user's items: each contributes the weight of its interaction times the "
            "number that the fitted model has for it and the scored item.",
            exact=True,
        )


class FilterRecommender(LinearRecommender):
    """A recommender whose scores are a linear map of the user's row of interactions, applied to a few users at a time."""

    @abstractmethod
    def filter(self, x: Tensor) -> Tensor:
        """Scores [num_items, C] of C users from their columns of interactions x [num_items, C]."""

    @abstractmethod
    def adjoint(self, x: Tensor) -> Tensor:
        """The transposed map of `filter` [num_items, C]."""

    def influence(self, sources: Tensor, targets: Tensor) -> Tensor:
        """Entries of the transposed map of single items, some at a time, see `LinearRecommender.influence`."""
        distinct, place = targets.unique(return_inverse=True)
        out = torch.empty(sources.shape, dtype=self.dtype, device=sources.device)
        for number, part in enumerate(distinct.split(BLOCK)):
            x = torch.zeros(self.num_items, BLOCK, dtype=self.dtype, device=sources.device)
            x[part, torch.arange(part.numel(), device=part.device)] = 1.0
            inside = (place // BLOCK == number).nonzero().flatten()
            out[inside] = self.adjoint(x)[sources[inside], place[inside] % BLOCK]
        return out

    def score_histories(self, histories: CSR) -> Tensor:
        """Scores [n, num_items] by `filter`, see `HistoryRecommender.score_histories`."""
        out = torch.empty(histories.shape, dtype=self.dtype, device=histories.device)
        for start in range(0, histories.shape[0], BLOCK):
            part = out[start : start + BLOCK]
            part.copy_(self.filter(dense_columns(histories, start, self.dtype)).t()[: part.size(0)])
        return out


def dense_columns(matrix: CSR, start: int, dtype: torch.dtype) -> Tensor:
    """The BLOCK rows of an operator from `start` on as the columns of a dense [num_cols, BLOCK]; 0 past the last row.

    Always as wide: matrix products of another width may round differently, and a score must not depend on who else is asked.
    """
    rows = slice(int(matrix.rowptr[start]), int(matrix.rowptr[min(start + BLOCK, matrix.shape[0])]))
    x = torch.zeros(matrix.shape[1], BLOCK, dtype=dtype, device=matrix.device)
    x[matrix.col[rows], matrix.row[rows] - start] = matrix.weights(dtype).detach()[rows]
    return x
