"""Unordered pairs of nodes that come many times, each kept once, with values looked up by pair."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

_CELLS = 2**25  # N^2 up to which a table of all pairs is made: N up to 5,792


class DistinctPairs:
    """The distinct unordered pairs among those that are added.

    Dense graphs have fewer pairs of nodes than a batch has occurrences of them: up to 2^25 cells N^2 each pair is a cell of a
    table. Larger graphs keep sorted keys min(a, b) N + max(a, b), and search in them.

    Args:
        num_nodes: Number of nodes N.
        device: Where the pairs lie.
    """

    def __init__(self, num_nodes: int, device: torch.device) -> None:
        self.num_nodes = num_nodes
        self._seen = torch.zeros(num_nodes**2, dtype=torch.bool, device=device) if num_nodes**2 <= _CELLS else None
        self._keys = torch.zeros(0, dtype=torch.int64, device=device)
        self._place: Tensor | None = None

    def add(self, a: Int[Tensor, " M"], b: Int[Tensor, " M"]) -> None:
        """Add the pairs {a, b}; not after `pairs`."""
        keys = self._key(a, b)
        if self._seen is None:
            self._keys = torch.unique(torch.cat([self._keys, keys]))
        else:
            self._seen.index_fill_(0, keys, True)

    def pairs(self) -> Int[Tensor, "2 U"]:
        """All pairs, each once, the smaller id first, ascending."""
        if self._seen is not None:
            self._keys = self._seen.nonzero().flatten()
            self._place = self._seen.cumsum(0, dtype=torch.int32)
            self._seen = None
        first = torch.div(self._keys, self.num_nodes, rounding_mode="floor")
        return torch.stack([first, self._keys - first * self.num_nodes])

    def values(self, values: Tensor, a: Int[Tensor, " M"], b: Int[Tensor, " M"]) -> Tensor:
        """Values [M] of pairs that were added.

        Args:
            values: A value for each of `pairs()` [U].
            a: Node ids.
            b: Node ids.
        """
        keys = self._key(a, b)
        if self._place is not None:
            return values[self._place[keys] - 1]
        return values[torch.searchsorted(self._keys, keys)]

    def _key(self, a: Tensor, b: Tensor) -> Tensor:
        return torch.minimum(a, b) * self.num_nodes + torch.maximum(a, b)
