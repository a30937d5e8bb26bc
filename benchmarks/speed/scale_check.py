"""LightGCN's loss and gradient in float64 by NumPy alone: right at any size, a channel at a time and not fast."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.speed.harness import Results
from graphkit.sparse import Triples

Floats = NDArray[np.float64]


class Oracle:
    """L = mean softplus(s_uj - s_ui) + weight / 2 * (squared norms of the batch's rows of E0) / B, E = mean_k A_hat^k E0.

    Args:
        pairs: (user, item) [2, P].
        num_users: Number of users.
        num_items: Number of items.
        layers: Rounds of propagation.
        weight: Weight of the penalty.
    """

    def __init__(self, pairs: Tensor, num_users: int, num_items: int, layers: int, weight: float) -> None:
        self._users, self._items = pairs[0].numpy(), pairs[1].numpy()
        self._num_users, self._num_items = num_users, num_items
        self._layers, self._weight = layers, weight
        counts = np.bincount(self._users, minlength=num_users), np.bincount(self._items, minlength=num_items)
        self._scale = np.maximum(np.concatenate(counts), 1) ** -0.5

    def loss_and_gradient(self, table: Tensor, batch: Triples) -> Results:
        """The loss of a batch and the gradient of the table [N, C]."""
        ego = table.double().numpy()
        final = self._propagate(ego)
        users = batch.users.numpy()
        positives, negatives = (ids.flatten().numpy() + self._num_users for ids in (batch.positives, batch.negatives))
        size = len(users)
        margin = (final[users] * (final[negatives] - final[positives])).sum(1)
        slope = (1 / (1 + np.exp(-margin)) / size)[:, None]
        of_final, of_ego = np.zeros_like(final), np.zeros_like(final)
        np.add.at(of_final, users, slope * (final[negatives] - final[positives]))
        np.add.at(of_final, positives, -slope * final[users])
        np.add.at(of_final, negatives, slope * final[users])
        penalty = 0.0
        for ids in (users, positives, negatives):
            penalty += (ego[ids] ** 2).sum()
            np.add.at(of_ego, ids, self._weight * ego[ids] / size)
        loss = np.logaddexp(0, margin).mean() + self._weight * penalty / (2 * size)
        gradient = self._propagate(of_final) + of_ego
        return {"loss": torch.tensor([loss]), "gradient": torch.from_numpy(gradient)}

    def _propagate(self, x: Floats) -> Floats:
        columns = [self._mean_of_powers(np.ascontiguousarray(column)) for column in x.T]
        return np.stack(columns, axis=1)

    def _mean_of_powers(self, x: Floats) -> Floats:
        total = x.copy()
        for _ in range(self._layers):
            sent = self._scale * x
            to_users = np.bincount(self._users, sent[self._num_users :][self._items], self._num_users)
            to_items = np.bincount(self._items, sent[: self._num_users][self._users], self._num_items)
            x = self._scale * np.concatenate([to_users, to_items])
            total += x
        return total / (self._layers + 1)
