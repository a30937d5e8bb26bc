"""Positions sorted by small ids, in linear time."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphkit.sparse.compiled.kernel import kernel


def counting_sort(ids: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Sort positions by id; positions of one id stay in their order.

    Args:
        ids: [P], int64 or int32, in [0, count); not checked.
        count: Number of ids there are.

    Returns:
        Boundaries [count + 1] and positions [P]: those of id i lie from boundary i to boundary i + 1.
    """
    if ids.device.type != "cpu":
        counts = torch.bincount(ids, minlength=count)
        return torch.cat([counts.new_zeros(1), counts.cumsum(0)]), torch.argsort(ids, stable=True)
    ptr, order = np.zeros(count + 1, np.int64), np.empty(ids.numel(), np.int64)
    _count_and_sort(ids.contiguous().numpy(), ptr, order)
    return torch.from_numpy(ptr), torch.from_numpy(order)


@kernel(nogil=True)
def _count_and_sort(ids: Any, ptr: Any, order: Any) -> None:
    """Positions of id i become order[ptr[i] : ptr[i + 1]], ascending; ptr holds zeros at first."""
    count = ptr.shape[0] - 1
    for p in range(ids.shape[0]):
        ptr[ids[p] + 1] += 1
    for i in range(count):
        ptr[i + 1] += ptr[i]
    for p in range(ids.shape[0]):
        i = ids[p]
        order[ptr[i]] = p
        ptr[i] += 1
    for i in range(count, 0, -1):  # each boundary has moved to the next one
        ptr[i] = ptr[i - 1]
    ptr[0] = 0
