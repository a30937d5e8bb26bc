"""Nearest neighbors by cosine, among items and among users."""

from __future__ import annotations

import torch
from torch import Tensor

from graphkit.layers.checks import check_at_least
from graphkit.models.reasons import Reasons, present_entries
from graphkit.models.recommend.base import rows_at_a_time, take_rows
from graphkit.models.recommend.history import HistoryRecommender, LinearRecommender
from graphkit.sparse import CSR, dense_product, top_columns


class NeighborRecommender(HistoryRecommender):
    """A recommender that adds up similarities of nearest neighbors.

    Args:
        num_users: Number of users.
        num_items: Number of items.
        num_neighbors: Neighbors that are added up, at least 1.
        shrinkage: Added to the denominator of the cosine, at least 0.
    """

    def __init__(self, num_users: int, num_items: int, *, num_neighbors: int = 100, shrinkage: float = 0.0) -> None:
        super().__init__(num_users, num_items)
        check_at_least(1, num_neighbors=num_neighbors)
        check_at_least(0, shrinkage=shrinkage)
        self.num_neighbors, self.shrinkage = num_neighbors, shrinkage


class ItemKNN(NeighborRecommender, LinearRecommender):
    """s_ui = sum over the items j of user u among the k nearest neighbors of item i of sim(i, j).

    sim(i, j) = <r_i, r_j> / (|r_i| |r_j| + shrinkage), with r_i item i's column of the interactions. An item is no neighbor
    of itself, and neither are items without a common user; of equally similar ones those with lower ids are the neighbors.

    Args:
        num_users: Number of users.
        num_items: Number of items.
        num_neighbors: Neighbors k of an item, at least 1.
        shrinkage: Added to the denominator, at least 0: similarities that rest on few users count less.

    Source: Sarwar et al., Item-based Collaborative Filtering Recommendation Algorithms, WWW 2001.
    """

    def fit(self, interactions: CSR) -> None:
        """Find every item's nearest neighbors, a block of items at a time; k similarities an item are kept."""
        super().fit(interactions)
        columns = interactions.t()
        lengths = squared_lengths(columns, self.dtype)
        parts = []
        for items in torch.arange(self.num_items, device=columns.device).split(rows_at_a_time(self.num_items)):
            products = dense_product(take_rows(columns, items), interactions, self.dtype)
            similar = cosine(products, lengths[items], lengths, self.shrinkage)
            similar[items - items[0], items] = 0.0
            parts.append(nearest(similar, self.num_neighbors))
        neighbors, weights = (torch.cat(part) for part in zip(*parts, strict=True))
        self.similarity = sparse_rows(neighbors, weights, self.num_items)

    def score_histories(self, histories: CSR) -> Tensor:
        """Scores [n, num_items], see `HistoryRecommender.score_histories`."""
        return dense_product(histories, self.similarity.t(), self.dtype)

    def influence(self, sources: Tensor, targets: Tensor) -> Tensor:
        """sim(i, j) where j is a neighbor of i, else 0, see `LinearRecommender.influence`."""
        found, present = self.similarity.structure.find(targets * self.num_items + sources)
        values = self.similarity.weights(self.dtype)
        return torch.where(present, values[found], 0.0) if values.numel() else torch.zeros_like(sources, dtype=self.dtype)


class UserKNN(NeighborRecommender):
    """s_ui = sum over the k nearest neighbors v of user u of sim(u, v) r_vi.

    sim(u, v) = <r_u, r_v> / (|r_u| |r_v| + shrinkage), with r_u user u's row of the interactions. A user is no neighbor of
    itself, and neither are users without a common item; of equally similar ones those with lower ids are the neighbors.
    Neighbors are looked up when scores are asked for: fitting costs nothing and a new user is scored like a known one.

    Args:
        num_users: Number of users.
        num_items: Number of items.
        num_neighbors: Neighbors k of a user, at least 1.
        shrinkage: Added to the denominator, at least 0: similarities that rest on few items count less.

    Source: Sarwar et al., Analysis of Recommendation Algorithms for E-Commerce, EC 2000.
    """

    def fit(self, interactions: CSR) -> None:
        """Take the interactions and the length of every user's row."""
        super().fit(interactions)
        self._lengths = squared_lengths(interactions, self.dtype)

    def scores(self, users: Tensor) -> Tensor:
        """Scores of all items by each user's nearest other users, see `Recommender.scores`."""
        with torch.no_grad(), torch.autocast(users.device.type, enabled=False):
            return self._score(take_rows(self.interactions, users), users)

    def score_histories(self, histories: CSR) -> Tensor:
        """Scores [n, num_items] of users who are none of the known ones."""
        return self._score(histories, None)

    @torch.no_grad()
    def reasons(self, users: Tensor, items: Tensor) -> Reasons:
        """The items that the user shares with neighbors who have the scored item, see `Recommender.reasons`.

        sim(u, v) is itself a sum over common items, so s_ui is one over the items of u: item j contributes
        r_uj sum over the neighbors v of r_vj r_vi / (|r_u| |r_v| + shrinkage). Neighbors and lengths are those of the whole
        row: without an item they would be others, so a removal changes the score by more or less than the contribution.
        """
        histories = take_rows(self.interactions, users)
        ptr, own, weight = present_entries(histories)
        of_entry = torch.arange(users.numel(), device=own.device).repeat_interleave(ptr.diff())
        contributions = torch.empty_like(weight)
        columns = self.interactions.t()
        size = rows_at_a_time(max(self.num_users, self.num_items))
        for start in range(0, users.numel(), size):
            rows = torch.arange(start, min(start + size, users.numel()), device=own.device)
            part = take_rows(histories, rows)
            lengths = squared_lengths(part, self.dtype)
            chosen = sparse_rows(*nearest(self._similar(part, users[rows], lengths), self.num_neighbors), self.num_users)
            denominator = cosine(torch.ones_like(self._lengths).unsqueeze(0), lengths, self._lengths, self.shrinkage)
            voters = take_rows(columns, items[rows]).to_dense(self.dtype) * chosen.with_value(None).to_dense(self.dtype)
            shared = (self.interactions.t() @ (voters * denominator).t()).t()
            inside = slice(int(ptr[start]), int(ptr[start + rows.numel()]))
            contributions[inside] = weight[inside] * shared[of_entry[inside] - start, own[inside]].double()
        score = self.pair_scores(users, items).double()
        return Reasons(
            ptr=ptr,
            ids=own,
            contributions=contributions,
            score=score,
            bias=torch.zeros_like(score),
            rule="The score adds up similarities of neighbors who have the item, and a similarity adds up the items in common: "
            "each of the user's items contributes its share of these. Neighbors are kept as they are.",
            exact=True,
        )

    def _score(self, histories: CSR, users: Tensor | None) -> Tensor:
        out = torch.empty(histories.shape, dtype=self.dtype, device=histories.device)
        for rows in torch.arange(histories.shape[0], device=out.device).split(rows_at_a_time(self.num_users)):
            part = take_rows(histories, rows)
            similar = self._similar(part, None if users is None else users[rows], squared_lengths(part, self.dtype))
            near = sparse_rows(*nearest(similar, self.num_neighbors), self.num_users)
            out[rows] = dense_product(near, self.interactions, self.dtype)
        return out

    def _similar(self, histories: CSR, users: Tensor | None, lengths: Tensor) -> Tensor:
        """sim(u, v) of rows, of these users or of new ones, to all users [n, num_users]; 0 to themselves."""
        products = dense_product(histories, self.interactions.t(), self.dtype)
        similar = cosine(products, lengths, self._lengths, self.shrinkage)
        if users is not None:
            similar[torch.arange(len(users), device=users.device), users] = 0.0
        return similar


def squared_lengths(matrix: CSR, dtype: torch.dtype) -> Tensor:
    """Sum of the squared entries of each row [num_rows]; 1 for rows without any, whose products are 0 anyway."""
    total = matrix.with_value(matrix.weights(dtype).detach().square()).row_sum(dtype)
    return torch.where(total > 0, total, 1.0)


def cosine(products: Tensor, lengths: Tensor, others: Tensor, shrinkage: float) -> Tensor:
    """products_ij / (sqrt(lengths_i others_j) + shrinkage) [B, n]; both lengths are squared."""
    # The root of the product, not the product of roots: ties of whole numbers stay ties.
    return products / (lengths.unsqueeze(1) * others).sqrt_().add_(shrinkage)


def sparse_rows(columns: Tensor, values: Tensor, num_columns: int) -> CSR:
    """The positive ones of values [n, k] at their columns [n, k], as an operator [n, num_columns]."""
    found = values > 0
    rows = torch.arange(len(values), device=values.device).unsqueeze(1).expand_as(columns)[found]
    return CSR.from_edge_index(torch.stack([columns[found], rows]), (len(values), num_columns), values[found])


def nearest(similarity: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest positive entries of each row of [B, n], equal ones by ascending column.

    Returns:
        Their columns [B, k] and their values [B, k]; value 0 where a row has fewer.
    """
    values, columns = top_columns(similarity, k)
    return columns.clamp_(min=0), values.clamp_(min=0.0)
