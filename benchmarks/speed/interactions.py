"""Interactions of users and items with splits: Gowalla's where they lie on this machine, else drawn ones of the same size."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.speed.graphs import GOWALLA
from benchmarks.speed.harness import Options
from graphkit.data import load
from graphkit.data.dataset import InteractionData
from graphkit.data.graph import Graph

_USERS, _ITEMS, _SPLITS = 29_858, 40_981, (727_869, 82_259, 217_242)
_USER_SKEW, _ITEM_SKEW = 1.5, 2.0


def gowalla(options: Options) -> InteractionData:
    """Gowalla in LightGCN's split, or a data set of its sizes."""
    if options.quick:
        return _dataset("tiny", 300, 400, (2_700, 300, 800))
    if options.data is not None and all(
        (options.data / GOWALLA.with_name(name)).is_file() for name in ("train.txt", "test.txt")
    ):
        return load("gowalla", task="recommend", root=options.data)
    options.note(f"no {GOWALLA.parent} in the data folder: synthetic interactions of Gowalla's size are used")
    return _dataset("gowalla-sized", _USERS, _ITEMS, _SPLITS)


def of_size(count: int) -> InteractionData:
    """Synthetic interactions for training, and one to test, which a task asks for; 45 sqrt(P) users and as many items.

    That is about as many as Gowalla (8e5 interactions), MovieLens-20M and the Netflix prize (1e8) have. Ids are in random
    order, which is the order that caches like least.
    """
    size = round(45 * count**0.5)
    return _dataset(f"{count:,} interactions", size, size, (count, 0, 1))


def training_pairs(dataset: InteractionData) -> Tensor:
    """What `task.protocol=lightgcn` trains on: (user, item) [2, P], those held out for validation among them."""
    return torch.cat([part for name in ("train", "valid") if isinstance(part := dataset.splits[name], Tensor)], dim=1)


def power_law(num_users: int, num_items: int, count: int, generator: torch.Generator) -> Tensor:
    """Distinct (user, item) pairs [2, count], sorted.

    A user is drawn in proportion to rank^(-1/3), an item to rank^(-1/2); pairs that come twice are drawn anew.
    """
    user_ids, item_ids = (torch.randperm(size, generator=generator) for size in (num_users, num_items))
    keys = torch.empty(0, dtype=torch.int64)
    while keys.numel() < count:
        missing = count - keys.numel()
        drawn = missing + missing // 8 + 16
        users = user_ids[_ranks(num_users, _USER_SKEW, drawn, generator)]
        items = item_ids[_ranks(num_items, _ITEM_SKEW, drawn, generator)]
        keys = torch.unique(torch.cat([keys, users.mul_(num_items).add_(items)]))
    kept = torch.ones(keys.numel(), dtype=torch.bool)
    kept[torch.randperm(keys.numel(), generator=generator)[count:]] = False
    keys = keys[kept]
    return torch.stack([keys // num_items, keys % num_items])


def _ranks(size: int, skew: float, count: int, generator: torch.Generator) -> Tensor:
    """Ranks [count] below `size`: P(rank < r) = (r / size)^(1 / skew)."""
    return torch.rand(count, generator=generator, dtype=torch.float64).pow_(skew).mul_(size).long()


def _dataset(name: str, num_users: int, num_items: int, counts: tuple[int, int, int]) -> InteractionData:
    """The task builds its operator from the splits; the graph holds no second copy of them."""
    generator = torch.Generator().manual_seed(0)
    pairs = power_law(num_users, num_items, sum(counts), generator)
    if counts[0] < pairs.size(1):
        pairs = pairs[:, torch.randperm(pairs.size(1), generator=generator)]
    nothing = torch.empty(2, 0, dtype=torch.int64)
    graph = Graph(edge_index=nothing, num_nodes=num_users + num_items, num_users=num_users, num_items=num_items)
    splits = dict(zip(("train", "valid", "test"), pairs.split(counts, dim=1), strict=True))
    metrics = "recall@20", "ndcg@20", "precision@20"
    return InteractionData(
        name=name,
        protocol="synthetic, random split",
        metric=metrics[0],
        metrics=metrics,
        graph=graph,
        splits=splits,
    )
