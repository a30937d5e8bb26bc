"""A finished recommendation run that answers by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from graphkit.conf.predict import Prediction
from graphkit.data.dataset import InteractionData
from graphkit.errors import RequestError
from graphkit.models.recommend.base import EmbeddingRecommender, Recommender, item_bags, take_rows
from graphkit.serving.files import Columns
from graphkit.serving.index import ItemIndex
from graphkit.serving.names import Names
from graphkit.serving.opened import Array, Opened
from graphkit.sparse import CSR
from graphkit.tasks.ranking import rank_items

BLOCK = 4096
"""Users whose lists are in memory at a time."""

Ranking = tuple[Tensor, Tensor]
"""Scores [B, k], best first, and items [B, k]; -inf and -1 where no item is left."""


class Ranked(NamedTuple):
    """An item of a list, best first."""

    item: str
    score: float


class Embeddings(NamedTuple):
    """Embeddings whose inner product is the score, and the names of their rows."""

    users: Tensor
    items: Tensor
    user_names: tuple[str, ...]
    item_names: tuple[str, ...]


class Served:
    """A finished recommendation run, ready to answer; `graphkit.predict.load` makes one.

    Users and items go by the names that the data has, else by their numbers, from 0 on. Lists are those of the run's own
    evaluation, bit for bit on the same machine; of equal scores the lower item comes first.

    Args:
        opened: A seed of the run.

    Attributes:
        users: Names of users.
        items: Names of items.
        index: The approximate index that lists are taken from; None: exact search.

    Raises:
        CheckpointError: If the lists that the run left cannot come from its data as it is now.
    """

    def __init__(self, opened: Opened) -> None:
        dataset = opened.dataset
        assert isinstance(dataset, InteractionData)
        self._trainer, self.seed, self.data_files = opened.restored, opened.seed, opened.data_files
        self._model: Recommender = opened.model
        opened.require_same_data(lambda arrays: _same_lists(dataset, self._model, arrays))
        self.users = Names("user", self._model.num_users, dataset.user_names)
        self.items = Names("item", self._model.num_items, dataset.item_names)
        self.index: ItemIndex | None = None
        with self._trainer.evaluating():
            self._model.prepare()

    def split(self, request: Prediction) -> list[str]:
        """The names that a request asks for."""
        return self.users.split(request.asked)

    def top(self, user: str | int, k: int = 20, *, seen: str = "hide") -> list[Ranked]:
        """The best items for a user.

        Args:
            user: The user's name.
            k: Items wanted, at least 1; fewer are returned where fewer are left.
            seen: `hide` leaves out the items that the user has in the training graph, `show` does not.

        Raises:
            RequestError: If there is no such user.
        """
        return self.tops([user], k, seen=seen)[0]

    def tops(self, users: Sequence[str | int], k: int = 20, *, seen: str = "hide") -> list[list[Ranked]]:
        """As `top`, of several users at once."""
        numbers = torch.tensor(self.users.find_all(users), dtype=torch.int64, device=self._device)
        return [one for block in numbers.split(BLOCK) for one in self._named(self._rank(block, k, seen))]

    def fold_in(self, items: Sequence[str | int], k: int = 20, *, seen: str = "hide") -> list[Ranked]:
        """The best items for a new user, known by some items alone; nothing is retrained.

        Args:
            items: Names of the user's items.
            k: Items wanted, at least 1.
            seen: `hide` leaves out the given items, `show` does not.

        Raises:
            RequestError: If there is no such item, or the model has no rule for new users.
        """
        bag = torch.tensor(self.items.find_all(items), dtype=torch.int64, device=self._device).unique()
        hidden = item_bags([bag], len(self.items.array), self._device) if seen == "hide" else None
        try:
            with self._trainer.evaluating():
                if self.index is not None:
                    found = self.index.search(self._embedding_model().embed_users([bag]), k, hidden)
                else:
                    found = self._rank_new(bag, k, hidden)
        except NotImplementedError as error:
            raise RequestError(f"{error} Ask for a known one by user=, or take a model that can.") from error
        return self._named(found)[0]

    def embeddings(self) -> Embeddings:
        """The embeddings of all users [U, d] and items [I, d], with their names.

        Raises:
            RequestError: If the model's scores are no inner products of embeddings.
        """
        users, items = self._embedding_model().embeddings()
        return Embeddings(users, items, tuple(self.users.array.tolist()), tuple(self.items.array.tolist()))

    def build_index(self, kind: str = "hnsw", effort: int = 64) -> None:
        """Take all lists from an approximate index from now on, see `ItemIndex`."""
        self.index = ItemIndex(self._embedding_model().embeddings()[1], kind, effort)

    def recall(self, k: int = 20, *, sample: int = 1000, seen: str = "hide") -> tuple[float, int]:
        """How much of exact search the index finds.

        Args:
            k: Items in a list.
            sample: Users it is measured on, evenly spaced among all.
            seen: As in `top`.

        Returns:
            The share of the k best items that the index finds, and the number of users it was measured on, without those whose
            embedding is zero.

        Raises:
            RequestError: If there is no index.
        """
        if self.index is None:
            raise RequestError("there is no index to measure: build_index() first")
        count = len(self.users.array)
        sample = min(sample, count)
        users = torch.arange(sample, device=self._device) * count // sample
        queries = self._embedding_model().embeddings()[0][users]
        return self.index.recall(queries, k, self._seen_rows(users, seen))

    def rows(self, users: Sequence[int] | None = None, k: int = 20, *, seen: str = "hide") -> Iterator[Columns]:
        """The lists of many users, a block of users at a time: columns `user`, `rank` from 1 on, `item` and `score`.

        Args:
            users: Numbers of users as `users.find` gives them; None: all.
            k: Items in a list.
            seen: As in `top`.
        """
        asked = torch.arange(len(self.users.array)) if users is None else torch.tensor(users, dtype=torch.int64)
        for part in asked.split(BLOCK):
            scores, items = (array.cpu() for array in self._rank(part.to(self._device), k, seen))
            place, rank = (items >= 0).nonzero(as_tuple=True)
            item, score = items[place, rank].numpy(), scores[place, rank].numpy()
            users_of = self.users.array[part[place].numpy()]
            yield {"user": users_of, "rank": rank.numpy() + 1, "item": self.items.array[item], "score": score}

    @property
    def _device(self) -> torch.device:
        return self._model.interactions.device

    def _rank(self, users: Tensor, k: int, seen: str) -> Ranking:
        with self._trainer.evaluating():
            if self.index is not None:
                return self.index.search(self._embedding_model().embeddings()[0][users], k, self._seen_rows(users, seen))
            hidden = self._model.interactions if seen == "hide" else None
            return rank_items(self._model.scores, users, len(self.items.array), k, hidden)

    def _rank_new(self, bag: Tensor, k: int, hidden: CSR | None) -> Ranking:
        first = torch.zeros(1, dtype=torch.int64, device=self._device)
        return rank_items(lambda rows: self._model.fold_in([bag] * len(rows)), first, len(self.items.array), k, hidden)

    def _seen_rows(self, users: Tensor, seen: str) -> CSR | None:
        return take_rows(self._model.interactions, users) if seen == "hide" else None

    def _embedding_model(self) -> EmbeddingRecommender:
        if not isinstance(self._model, EmbeddingRecommender):
            raise RequestError(
                f"{type(self._model).__name__} scores without embeddings, which export= and index=faiss need: take a run of "
                "lightgcn, bpr-mf or another model of embeddings"
            )
        return self._model

    def _named(self, found: Ranking) -> list[list[Ranked]]:
        lists = []
        for scores, items in zip(*(part.tolist() for part in found), strict=True):
            pairs = zip(items, scores, strict=True)
            lists.append([Ranked(str(self.items.array[item]), score) for item, score in pairs if item >= 0])
        return lists


def _same_lists(dataset: InteractionData, model: Recommender, arrays: Mapping[str, Array]) -> bool:
    """Whether lists can come from this data: of these users, without items that they have seen."""
    judged = {split: dataset.splits[split][0].unique() for split in ("valid", "test")}
    interactions = model.interactions.to("cpu")
    split = "valid" if "valid_users" in arrays else "test"  # with task.protocol=lightgcn there is no validation
    users, items = (torch.from_numpy(arrays[f"{split}_{name}"]) for name in ("users", "items"))
    if items.dtype != torch.int64:
        raise ValueError("items are numbers")
    same = torch.equal(users, judged[split]) and int(items.max()) < interactions.shape[1]
    return same and not bool(interactions.structure.contains(users.unsqueeze(1), items).any())
