"""Users without a past at the date that ends training: known by what they took since, and judged apart, by fold-in."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from graphkit.data.dataset import InteractionData
from graphkit.models.recommend.base import Recommender, take_rows
from graphkit.sparse import CSR

PART = "new users"
"""How their figures are called, beside `valid` and `test`."""


@dataclass(frozen=True)
class NewUsers:
    """Users of test without a training interaction, numbered from 0 on.

    Attributes:
        users: Their ids [U], ascending.
        given: What each is known by, U x items: all that the user took before test, and the earlier half of what it took then.
        relevant: What is to be found, U x items: the other half.
        strangers: How many further users took nothing before the one item that is to be found: they are in no figure.
    """

    users: Tensor
    given: CSR
    relevant: CSR
    strangers: int

    @classmethod
    def of(cls, dataset: InteractionData, trained_on: Tensor, before: Tensor) -> NewUsers:
        """The new users of a split at one date.

        Args:
            dataset: The interactions, with `earlier`.
            trained_on: Pairs of training [2, P].
            before: Pairs before test that are not trained on [2, Q].
        """
        test, earlier = dataset.splits["test"], dataset.earlier["test"]
        known = has_past(trained_on, dataset.num_users)
        given = torch.cat([before, test[:, earlier]], dim=1)
        given, wanted = given[:, ~known[given[0]]], test[:, ~earlier]
        wanted = wanted[:, ~known[wanted[0]]]
        told = has_past(given, dataset.num_users)
        strangers = int(wanted[0][~told[wanted[0]]].unique().numel())
        users = wanted[0][told[wanted[0]]].unique()
        return cls(users, _rows(given, users, dataset), _rows(wanted, users, dataset), strangers)

    def to(self, device: torch.device) -> NewUsers:
        """The same on a device."""
        return NewUsers(self.users.to(device), self.given.to(device), self.relevant.to(device), self.strangers)

    def scores(self, model: Recommender, rows: Tensor) -> Tensor:
        """Scores of all items [B, num_items] for some of them [B], by their number here."""
        known = take_rows(self.given, rows)
        return model.fold_in(known.col.split(known.degree().tolist()))


def has_past(pairs: Tensor, num_users: int) -> Tensor:
    """Which users [num_users] have one of the pairs [2, P]."""
    return torch.zeros(num_users, dtype=torch.bool).index_fill(0, pairs[0], True)


def _rows(pairs: Tensor, users: Tensor, dataset: InteractionData) -> CSR:
    """The pairs [2, P] of some users [U], ascending, as U x items."""
    pairs = pairs[:, torch.isin(pairs[0], users)]
    edges = torch.stack([pairs[1], torch.searchsorted(users, pairs[0])])
    return CSR.from_edge_index(edges, (users.numel(), dataset.num_items))
