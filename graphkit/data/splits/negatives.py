"""Negatives of link prediction: random pairs of different nodes that are not known to be connected."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_MAX_CELLS = 1 << 27  # 128 MB while the table is made, 16 MB as bits: N <= 11,585


def pair_keys(pairs: Tensor, num_nodes: int) -> Tensor:
    """One int64 per unordered pair: min(u, v) N + max(u, v).

    Args:
        pairs: Node ids [2, P].
        num_nodes: Number of nodes N.

    Returns:
        Keys [P] in the pairs' order; (u, v) and (v, u) have the same key.
    """
    return torch.minimum(pairs[0], pairs[1]) * num_nodes + torch.maximum(pairs[0], pairs[1])


def unpack_keys(keys: Tensor, num_nodes: int) -> Tensor:
    """Inverse of `pair_keys`: pairs [2, P] with the smaller id first."""
    first = torch.div(keys, num_nodes, rounding_mode="floor")
    return torch.stack([first, keys - first * num_nodes])


class NonEdges:
    """Uniform draws of unordered pairs {u, v}, u != v, that are not among known pairs.

    Draws are proposed uniformly from all N^2 ordered pairs and rejected by a table of N^2 bits, on large sparse graphs by
    binary search among the known keys; a graph with more edges than non-edges has its non-edges listed once instead. Work and
    results are on the CPU. Each call takes one number from the torch generator, which seeds NumPy's: torch draws integers
    several times slower.

    Args:
        num_nodes: Number of nodes N.
        known: Sorted, distinct keys [K] of `pair_keys` that no draw may hit.

    Raises:
        ValueError: If every pair of different nodes is known.
    """

    def __init__(self, num_nodes: int, known: Tensor) -> None:
        self.num_nodes = num_nodes
        self.num_pairs = num_nodes * (num_nodes - 1) // 2
        self.available = self.num_pairs - known.numel()
        if self.available <= 0:
            raise ValueError(f"the graph of {num_nodes} nodes is complete: no pair of different nodes is left as a negative")
        self._known: np.ndarray = known.cpu().numpy()
        listed = self.num_pairs <= 2 * self._known.size
        self._listed = self._list() if listed else None
        self._blocked = self._bits() if not listed and num_nodes * num_nodes <= _MAX_CELLS else None

    def sample(self, num: int, generator: torch.Generator) -> Tensor:
        """Draw independently, so that a pair may come twice.

        Args:
            num: How many.
            generator: Source of randomness.

        Returns:
            Pairs [2, num] with the smaller id first.
        """
        rng = _numpy_generator(generator)
        if self._listed is not None:
            return self._pairs(self._listed[rng.integers(self.available, size=num)])
        return self._pairs(self._draw(num, rng))

    def sample_distinct(self, num: int, generator: torch.Generator) -> Tensor:
        """Draw without replacement.

        Args:
            num: How many.
            generator: Source of randomness.

        Returns:
            Distinct pairs [2, num] with the smaller id first, in random order.

        Raises:
            ValueError: If there are fewer than `num` non-edges.
        """
        if num > self.available:
            raise ValueError(
                f"{num} distinct non-edges are asked for, the graph of {self.num_nodes} nodes has {self.available}"
            )
        rng = _numpy_generator(generator)
        if self.num_pairs <= 2 * (self._known.size + num):  # rejection would often hit what is known or drawn already
            keys = self._list() if self._listed is None else self._listed
        else:
            keys = np.empty(0, dtype=np.int64)
            while keys.size < num:
                keys = np.sort(np.concatenate([keys, self._draw(num - keys.size, rng)]))
                keys = keys[np.diff(keys, prepend=-1) != 0]  # np.unique hashes, which takes several times as long
        return self._pairs(rng.permutation(keys)[:num])

    def _draw(self, num: int, rng: np.random.Generator) -> np.ndarray:
        """Keys [num] of independent draws by rejection; at least half of all pairs are free."""
        cells = self.num_nodes * self.num_nodes
        dtype = np.int32 if cells <= np.iinfo(np.int32).max else np.int64
        accepted = [np.empty(0, dtype=np.int64)]
        missing = num
        while missing > 0:
            proposals = int(missing * cells / (2 * self.available) * 1.02) + 64
            accepted.append(self._accept(rng.integers(cells, size=proposals, dtype=dtype))[:missing])
            missing -= accepted[-1].size
        return np.concatenate(accepted)

    def _accept(self, codes: np.ndarray) -> np.ndarray:
        """Keys of those ordered pairs u N + v that are neither self-pairs nor known."""
        if self._blocked is not None:
            taken = (self._blocked.take(codes >> 3) >> (codes & 7).astype(np.uint8)) & 1
            return self._keys(np.compress(taken == 0, codes))
        keys = self._keys(np.compress(codes % (self.num_nodes + 1) != 0, codes))
        if self._known.size == 0:
            return keys
        order = np.argsort(keys)  # searches in ascending order find their places in the cache
        ascending = keys[order]
        found = self._known.searchsorted(ascending).clip(max=self._known.size - 1)
        free = np.empty(keys.size, dtype=bool)
        free[order] = self._known[found] != ascending
        kept: np.ndarray = keys[free]
        return kept

    def _keys(self, codes: np.ndarray) -> np.ndarray:
        """Keys of ordered pairs u N + v."""
        first = codes // self.num_nodes
        second = codes - first * self.num_nodes
        keys: np.ndarray = np.minimum(first, second).astype(np.int64) * self.num_nodes + np.maximum(first, second)
        return keys

    def _bits(self) -> np.ndarray:
        """Bits [N^2] of self-pairs and of known pairs in both directions."""
        n = self.num_nodes
        flags = np.zeros(n * n, dtype=bool)
        flags[:: n + 1] = True
        flags[self._known] = True
        flags[self._known % n * n + self._known // n] = True
        return np.packbits(flags, bitorder="little")

    def _list(self) -> np.ndarray:
        """Keys of all non-edges, ascending."""
        free = np.triu(np.ones((self.num_nodes, self.num_nodes), dtype=bool), 1).ravel()
        free[self._known] = False
        return np.flatnonzero(free)

    def _pairs(self, keys: np.ndarray) -> Tensor:
        first = keys // self.num_nodes
        return torch.from_numpy(np.stack([first, keys - first * self.num_nodes]))


def _numpy_generator(generator: torch.Generator) -> np.random.Generator:
    seed = torch.randint(2**63 - 1, (), generator=generator, device=generator.device)
    return np.random.default_rng(int(seed))


def sample_non_edges(num: int, num_nodes: int, known: Tensor, generator: torch.Generator, *, distinct: bool = False) -> Tensor:
    """Draw pairs of different nodes that are not known; for many calls on one graph keep a `NonEdges` instead.

    Args:
        num: How many pairs.
        num_nodes: Number of nodes N.
        known: Sorted, distinct keys [K] of `pair_keys` that no draw may hit.
        generator: Source of randomness.
        distinct: Draw without replacement.

    Returns:
        Pairs [2, num] with the smaller id first.

    Raises:
        ValueError: If the graph is complete, or has fewer than `num` non-edges where they are to be distinct.
    """
    sampler = NonEdges(num_nodes, known)
    return sampler.sample_distinct(num, generator) if distinct else sampler.sample(num, generator)
