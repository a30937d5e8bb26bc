"""User-item interactions and the bipartite graph of the training part."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from graphkit.data.graph import Graph
from graphkit.data.splits.edges import both_directions


@dataclass(frozen=True)
class Interactions:
    """Who took what, each pair once.

    Attributes:
        splits: `train`, `valid` and `test`, each [2, P] (user, item), sorted; items are numbered from 0.
        num_users: Number of users.
        num_items: Number of items.
        user_names: The publisher's ids of the users in index order, where known.
        item_names: The same of the items.
        split: Name of the split, for own interactions and where `data.time_split` applies; else empty.
        earlier: Of a split at one date, for `valid` and `test`: whether each pair is among the earlier half of its user's in
            that part [P], bool. By these a user without a past is known. Of another split empty.
        remarks: Sentences on what was left out while reading, and how the split was made.
        notes: Sentences on what may be meant otherwise.
        times: When each interaction of each split happened [P], where that is known.
    """

    splits: dict[str, Tensor]
    num_users: int
    num_items: int
    user_names: tuple[str, ...] = ()
    item_names: tuple[str, ...] = ()
    split: str = ""
    earlier: dict[str, Tensor] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    times: dict[str, Tensor] | None = None


def bipartite(interactions: Interactions) -> Graph:
    """The message passing graph of the P training interactions: U users first, then I items, both directions.

    Returns:
        `Data` with `edge_index` [2, 2P], `num_nodes` = U + I, `num_users` and `num_items`.
    """
    num_users, num_items = interactions.num_users, interactions.num_items
    users, items = interactions.splits["train"]
    edge_index = both_directions(torch.stack([users, items + num_users]), num_users + num_items)
    return Graph(edge_index=edge_index, num_nodes=num_users + num_items, num_users=num_users, num_items=num_items)


def unseen(interactions: Interactions) -> list[str]:
    """A sentence on users and items that no model can have learned about, where there are any."""
    train = interactions.splits["train"]
    sizes = ("users", interactions.num_users), ("items", interactions.num_items)
    unseen = [(total - train[side].unique().numel(), total, what) for side, (what, total) in enumerate(sizes)]
    counted = [f"{missing:,} of {total:,} {what}" for missing, total, what in unseen if missing]
    return [f"Without any training interaction: {' and '.join(counted)}."] if counted else []
