"""What the recommendation task, evaluation and serving ask of a model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least
from graphkit.models.reasons import Reasons, present_entries
from graphkit.sparse import CSR, Structure, pointers

_VALUES = 1 << 24
"""Entries of a block of dense rows: 64 MiB in float32."""


class Recommender(nn.Module, ABC):
    """A model that scores every item for a user.

    The order of calls: construct, `.to(device)`, `fit` once with the training interactions on that device, `loss` for
    every batch of a model that is `trained`, then `prepare` once and `scores` for block after block of users. Seen items
    are scored like all others: who asks masks them.

    Args:
        num_users: Number of users, at least 1.
        num_items: Number of items, at least 1.

    Raises:
        ValueError: If there are no users or no items.
    """

    trained: ClassVar[bool] = True
    """Whether `loss` exists; False for models that are done after `fit`."""
    folds_in: ClassVar[bool] = True
    """Whether `fold_in` has a rule for users that the model was not fitted with."""

    def __init__(self, num_users: int, num_items: int) -> None:
        super().__init__()
        check_at_least(1, num_users=num_users, num_items=num_items)
        self.num_users = num_users
        self.num_items = num_items
        self._interactions: CSR | None = None

    @property
    def batch_channels(self) -> int:
        """How many numbers `loss` reads for each id of a batch, at least; 0 where that is not known."""
        return 0

    def fit(self, interactions: CSR) -> None:
        """Take the training interactions; models without training learn here, the others keep what they propagate with.

        Args:
            interactions: Users x items [num_users, num_items], on the device of the model; values are weights, None for ones.

        Raises:
            ValueError: If the shape is another.
        """
        if interactions.shape != (self.num_users, self.num_items):
            raise ValueError(
                f"interactions must be users x items {self.num_users} x {self.num_items}, "
                f"got {interactions.shape[0]} x {interactions.shape[1]}."
            )
        self._interactions = interactions

    @property
    def interactions(self) -> CSR:
        """The training interactions, users x items; RuntimeError before `fit`."""
        if self._interactions is None:
            raise RuntimeError(f"call fit() with the training interactions before using {type(self).__name__}.")
        return self._interactions

    def loss(self, users: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
        """The training loss of a batch of triples.

        Args:
            users: User ids [B], int64.
            positives: An item each user has interacted with [B], int64, numbered from 0.
            negatives: Items that stand against it [B, R], int64, numbered from 0.

        Returns:
            The loss, a scalar.
        """
        raise NotImplementedError(f"{type(self).__name__} is not trained: call fit().")

    def prepare(self) -> None:
        """Do once, without gradients, what `scores` needs; again after parameters have changed."""

    @abstractmethod
    def scores(self, users: Tensor) -> Tensor:
        """Scores of all items, higher is better; without gradients.

        A user's scores do not depend on who else is asked for.

        Args:
            users: User ids [B], int64.

        Returns:
            [B, num_items].
        """

    def fold_in(self, items: Sequence[Tensor]) -> Tensor:
        """Scores of all items for new users, each known by the items interacted with alone; nothing is retrained.

        Args:
            items: For each new user distinct item ids [n_u], int64; may be empty.

        Returns:
            [len(items), num_items].

        Raises:
            NotImplementedError: If the model has no such rule.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot score users that it was not fitted with.")

    def pair_scores(self, users: Tensor, items: Tensor) -> Tensor:
        """Scores of single items, as `scores` gives them.

        Args:
            users: User ids [P], int64.
            items: Item ids [P], int64.

        Returns:
            [P].
        """
        size = rows_at_a_time(self.num_items)
        parts = zip(users.split(size), items.split(size), strict=True)
        return torch.cat([self.scores(some).gather(1, wanted.unsqueeze(1)).squeeze(1) for some, wanted in parts])

    def fold_in_pairs(self, histories: Sequence[Tensor], items: Tensor) -> Tensor:
        """Scores of single items for new users, as `fold_in` gives them.

        Args:
            histories: The items of each new user, as for `fold_in`.
            items: The item that is scored for each [len(histories)], int64.

        Returns:
            [len(histories)].
        """
        size = rows_at_a_time(self.num_items)
        starts = range(0, max(len(histories), 1), size)
        parts = zip((self.fold_in(histories[start : start + size]) for start in starts), items.split(size), strict=True)
        return torch.cat([scores.gather(1, wanted.unsqueeze(1)).squeeze(1) for scores, wanted in parts])

    @torch.no_grad()
    def reasons(self, users: Tensor, items: Tensor) -> Reasons:
        """Which of a user's items make the score of an item, and by how much.

        Models whose score is a sum over the user's items give its summands. The others are asked by occlusion: the contribution
        of item j is the score of a new user with all items of u (`fold_in`) minus that of one with all but j. The bias is then
        the score of a new user without items; the remainder holds interactions between items, and what u's own trained
        parameters add.

        Args:
            users: User ids [P], int64.
            items: The items whose scores are explained [P], int64.

        Raises:
            NotImplementedError: The model ties no score to the user's items.
        """
        ptr, own, _ = present_entries(take_rows(self.interactions, users))
        of_entry = torch.arange(users.numel(), device=own.device).repeat_interleave(ptr.diff())
        bags = list(own.split(ptr.diff().tolist()))
        whole = self.fold_in_pairs([*bags, *(own[:0],) * len(bags)], items.repeat(2)).double().view(2, -1)
        without = []
        for entries in torch.arange(own.numel(), device=own.device).split(rows_at_a_time(self.num_items)):
            left, sizes = _all_but(ptr, of_entry[entries], entries)
            without.append(self.fold_in_pairs(list(own[left].split(sizes.tolist())), items[of_entry[entries]]).double())
        return Reasons(
            ptr=ptr,
            ids=own,
            contributions=whole[0][of_entry] - torch.cat([whole[0].new_zeros(0), *without]),
            score=self.pair_scores(users, items).double(),
            bias=whole[1],
            rule="An item contributes what the score of a new user with all of the user's items loses when it is left out. The "
            "remainder is what items do together, and what was trained for this user alone.",
            exact=False,
        )


class EmbeddingRecommender(Recommender):
    """A recommender whose score is the inner product of a user's and an item's embedding."""

    def __init__(self, num_users: int, num_items: int) -> None:
        super().__init__(num_users, num_items)
        self._prepared: tuple[Tensor, Tensor] | None = None

    @abstractmethod
    def compute_embeddings(self) -> tuple[Tensor, Tensor]:
        """User [num_users, d] and item [num_items, d] embeddings from the parameters as they are."""

    def prepare(self) -> None:
        """Compute the embeddings that `scores` and `embeddings` answer from."""
        with torch.no_grad():
            users, items = self.compute_embeddings()
        self._prepared = users.detach(), items.detach()

    def embeddings(self) -> tuple[Tensor, Tensor]:
        """User [num_users, d] and item [num_items, d] embeddings as of the last `prepare`; RuntimeError before it."""
        if self._prepared is None:
            raise RuntimeError(f"call prepare() before asking {type(self).__name__} for scores or embeddings.")
        return self._prepared

    def scores(self, users: Tensor) -> Tensor:
        """Inner products of the users' embeddings with those of all items, see `Recommender.scores`."""
        user, item = self.embeddings()
        with torch.no_grad():
            return user[users] @ item.t()

    def embed_users(self, items: Sequence[Tensor]) -> Tensor:
        """Embeddings [len(items), d] of new users, each known by its items alone, to be used with the items' `embeddings`.

        Args:
            items: For each new user distinct item ids [n_u], int64; may be empty.

        Raises:
            NotImplementedError: If the model has no such rule.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot embed users that it was not fitted with.")

    def fold_in(self, items: Sequence[Tensor]) -> Tensor:
        """Scores of all items for new users by `embed_users`, see `Recommender.fold_in`."""
        users = self.embed_users(items)
        return users @ self.embeddings()[1].t()


class TableRecommender(EmbeddingRecommender):
    """A recommender that is trained by its `embedding`: a row for every user, then one for every item."""

    embedding: nn.Parameter

    @property
    def batch_channels(self) -> int:
        """Width of the table, see `Recommender.batch_channels`."""
        return self.embedding.size(1)


def bipartite(interactions: CSR) -> CSR:
    """The symmetric graph of users and items: nodes 0 to U - 1 are users, item i is node U + i; weights are kept."""
    num_users, num_items = interactions.shape
    items, users = interactions.edge_index()
    value = interactions.value
    if value is not None:
        value = (value if interactions.mask is None else value[interactions.mask]).repeat(2)
    pairs = torch.stack([items + num_users, users])
    return CSR.from_edge_index(torch.cat([pairs, pairs.flip(0)], dim=1), num_users + num_items, value)


def item_bags(items: Sequence[Tensor], num_items: int, device: torch.device) -> CSR:
    """Lists of item ids as rows of a matrix [len(items), num_items] of ones; repeats count once.

    Raises:
        ValueError: If an id is no item.
    """
    counts = torch.tensor([ids.numel() for ids in items], dtype=torch.int64)
    ids = torch.cat([torch.empty(0, dtype=torch.int64), *(ids.cpu().long() for ids in items)])
    if ids.numel() and not 0 <= int(ids.min()) <= int(ids.max()) < num_items:
        raise ValueError(f"items must be ids in [0, {num_items}).")
    pairs = torch.stack([ids, torch.arange(len(items)).repeat_interleave(counts)])
    return CSR.from_edge_index(pairs.to(device), (len(items), num_items), duplicates="first")


def _all_but(ptr: Tensor, segment: Tensor, entries: Tensor) -> tuple[Tensor, Tensor]:
    """For each entry [B] the other entries of its segment, side by side, and how many these are [B]."""
    counts = ptr.diff()[segment]
    bounds = pointers(counts)
    owner = torch.arange(entries.numel(), device=ptr.device).repeat_interleave(counts)
    position = torch.arange(owner.numel(), device=ptr.device) - bounds[owner] + ptr[segment][owner]
    return position[position != entries[owner]], counts - 1


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
