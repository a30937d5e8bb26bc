"""Full ranking as the reference code evaluates: users in batches of 100, masks and metrics by Python lists."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from benchmarks.speed.lightgcn_peer import SparsePeer

_BATCH = 100
Lists = dict[int, list[int]]


@torch.no_grad()
def evaluate(model: SparsePeer, users: list[int], seen: Lists, relevant: Lists, k: int) -> dict[str, float]:
    """Recall, ndcg and precision at K in percent, averaged over these users, who all have relevant items.

    The embeddings are propagated once, where the reference code does so for every batch.
    """
    user, item = model.embeddings()
    sums = {"recall": 0.0, "ndcg": 0.0, "precision": 0.0}
    gains = 1 / np.log2(np.arange(2, k + 2))
    for start in range(0, len(users), _BATCH):
        part = users[start : start + _BATCH]
        top = _top(user[part] @ item.t(), [seen.get(one, []) for one in part], k)
        for one, own in zip(part, top.numpy(), strict=True):
            wanted = relevant[one]
            hits = np.array([float(candidate in wanted) for candidate in own])
            sums["recall"] += hits.sum() / len(wanted)
            sums["precision"] += hits.sum() / k
            sums["ndcg"] += (hits * gains).sum() / gains[: min(k, len(wanted))].sum()
    return {f"{name}@{k}": 100.0 * total / len(users) for name, total in sums.items()}


def _top(scores: Tensor, seen: list[list[int]], k: int) -> Tensor:
    ratings = torch.sigmoid(scores)
    rows: list[int] = []
    columns: list[int] = []
    for row, items in enumerate(seen):
        rows.extend([row] * len(items))
        columns.extend(items)
    ratings[rows, columns] = -1024.0
    return torch.topk(ratings, k).indices
