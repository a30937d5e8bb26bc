"""Triples for pairwise ranking losses: a user, an item the user took, items the user did not take.

Every draw is a hash of (seed, triple, place), so that a triple depends neither on the number of threads nor on how an epoch
is cut into batches. Negatives come from the user's free items by rank and not by trial: no draw is ever thrown away, however
many items a user knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numba import prange
from torch import Tensor

from graphkit.sparse.compiled.kernel import kernel
from graphkit.sparse.compiled.threads import kernel_threads
from graphkit.sparse.csr import CSR

SAMPLERS = ("user-uniform", "interaction-uniform")

_BLOCK = 512  # triples per task


class Triples(NamedTuple):
    """Users [B], an item that each took [B], and items that each did not take [B, R]; int64, items numbered from 0."""

    users: Tensor
    positives: Tensor
    negatives: Tensor


class TripleSampler:
    """Draws as many triples per epoch as there are interactions.

    Negatives are uniform over the items without an interaction with the user, independent of each other (they may repeat).

    Args:
        interactions: Users x items, on the CPU, all entries present; values are not looked at.
        sampler: `user-uniform`: a user with interactions uniformly, with replacement, then one of the user's items
            uniformly, so that an interaction counts 1 / degree of its user; `interaction-uniform`: every interaction once,
            in random order.
        num_negatives: Negatives R per triple, at least 1.

    Raises:
        ValueError: Wrong arguments, no interactions, or a user who has interacted with every item (the user is named).

    Source:
        The two samplings are those of the LightGCN authors' PyTorch code and of most libraries (RecBole, the newer LightGCL).
    """

    def __init__(
        self,
        interactions: CSR,
        sampler: Literal["user-uniform", "interaction-uniform"] | str = "user-uniform",
        num_negatives: int = 1,
    ) -> None:
        if sampler not in SAMPLERS:
            raise ValueError(f"sampler must be one of {', '.join(SAMPLERS)}, got {sampler!r}.")
        if num_negatives < 1:
            raise ValueError(f"num_negatives must be at least 1, got {num_negatives}.")
        if interactions.device.type != "cpu" or interactions.mask is not None:
            raise ValueError("interactions must lie on the CPU and have all their entries.")
        if interactions.nnz == 0:
            raise ValueError("there is no interaction to sample.")
        degree = interactions.degree()
        if int(degree.max()) == interactions.shape[1]:
            raise ValueError(
                f"user {int(degree.argmax())} has interacted with all {interactions.shape[1]} items, which leaves no negative."
            )
        self.sampler = sampler
        self.num_negatives = num_negatives
        self._active = degree.nonzero().flatten()
        self._interactions = interactions

    def __len__(self) -> int:
        """Triples per epoch."""
        return self._interactions.nnz

    def epoch(self, generator: torch.Generator, batch_size: int = 0) -> Iterator[Triples]:
        """The triples of an epoch, batch by batch; the batch size does not change them.

        Args:
            generator: Source of randomness, on the CPU; advanced when the first batch is asked for.
            batch_size: Triples a batch; 0: all at once. The last batch may be smaller.
        """
        seed = int(torch.randint(2**62, (), generator=generator))
        by_user = self.sampler == "user-uniform"
        order = torch.zeros(0, dtype=torch.long) if by_user else torch.randperm(len(self), generator=generator)
        size = batch_size or len(self)
        for start in range(0, len(self), size):
            yield self._draw(seed, order, start, min(size, len(self) - start))

    def _draw(self, seed: int, order: Tensor, start: int, count: int) -> Triples:
        users, positives = torch.empty(2, count, dtype=torch.long)
        negatives = torch.empty(count, self.num_negatives, dtype=torch.long)
        structure = self._interactions.structure
        given = structure.rowptr, structure.col, structure.row, self._active, order
        made = users, positives, negatives
        with kernel_threads():
            _triples(*(x.numpy() for x in given), structure.shape[1], np.uint64(seed), start, *(x.numpy() for x in made))
        return Triples(users, positives, negatives)


@kernel(parallel=True)
def _triples(
    rowptr: Any,
    col: Any,
    row: Any,
    active: Any,
    order: Any,
    num_items: int,
    seed: Any,
    start: int,
    users: Any,
    positives: Any,
    negatives: Any,
) -> None:
    count, num_negatives = negatives.shape
    for block in prange((count + _BLOCK - 1) // _BLOCK):
        for t in range(block * _BLOCK, min(count, (block + 1) * _BLOCK)):
            state = _mix(seed ^ _mix(np.uint64(start + t)))
            if order.shape[0] > 0:
                entry = order[start + t]
                user = row[entry]
                first, last = rowptr[user], rowptr[user + 1]
            else:
                user = active[_below(state, np.uint64(0), active.shape[0])]
                first, last = rowptr[user], rowptr[user + 1]
                entry = first + _below(state, np.uint64(1), last - first)
            users[t] = user
            positives[t] = col[entry]
            free = num_items - (last - first)
            for r in range(num_negatives):
                negatives[t, r] = _free_item(col, first, last, _below(state, np.uint64(2 + r), free))


@kernel()
def _free_item(col: Any, first: int, last: int, rank: int) -> int:
    """The item with `rank` free items below it; `col[first:last]` are the taken ones, ascending."""
    low, high = first, last  # the number of taken items below the sought one is found by bisection
    while low < high:
        middle = (low + high) // 2
        if col[middle] - (middle - first) <= rank:
            low = middle + 1
        else:
            high = middle
    return rank + (low - first)


@kernel()
def _mix(x: Any) -> Any:
    """The finalizer of SplitMix64: a bijection of 64 bits without visible structure."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@kernel()
def _below(state: Any, place: Any, bound: int) -> Any:
    """A number in [0, bound), bound < 2^32, exactly uniform: the upper half of 32 random bits times bound (Lemire 2019)."""
    n = np.uint64(bound)
    low_half = np.uint64(0xFFFFFFFF)
    draw = _mix(state + place * np.uint64(0xD1342543DE82EF95))
    product = (draw >> np.uint64(32)) * n
    if product & low_half < n:
        uneven = (np.uint64(1) << np.uint64(32)) % n
        while product & low_half < uneven:
            draw = _mix(draw)
            product = (draw >> np.uint64(32)) * n
    return np.int64(product >> np.uint64(32))
