"""Row intersection by sorted keys and binary search: how NCN's paper computes common neighbors, in plain torch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Rows:
    """Sorted rows of a square matrix: boundaries [N + 1] and columns [nnz]."""

    rowptr: Tensor
    col: Tensor

    def keys(self, nodes: Tensor) -> Tensor:
        """The rows of these nodes one after the other, each entry as position << 32 | column, ascending."""
        size = self.rowptr[nodes + 1] - self.rowptr[nodes]
        position = torch.arange(nodes.numel()).repeat_interleave(size)
        within = torch.arange(position.numel()) - (size.cumsum(0) - size)[position]
        return position << 32 | self.col[self.rowptr[nodes][position] + within]

    def common(self, pairs: Tensor) -> Tensor:
        """Keys (pair, column) of the common neighbors of pairs [2, P]: the shorter list is searched for in the longer."""
        short, long = self.keys(pairs[0]), self.keys(pairs[1])
        if short.numel() > long.numel():
            short, long = long, short
        return short[_is_in(short, long)]

    def left(self, pairs: Tensor) -> Tensor:
        """Keys of N(i) - N(j)."""
        own, other = self.keys(pairs[0]), self.keys(pairs[1])
        return own[~_is_in(own, other)]

    def indicator(self, keys: Tensor, num_pairs: int) -> Tensor:
        """The sparse 0/1 matrix [P, N] of keys."""
        pointer = torch.zeros(num_pairs + 1, dtype=torch.int64)
        torch.cumsum(torch.bincount(keys >> 32, minlength=num_pairs), 0, out=pointer[1:])
        shape = num_pairs, self.rowptr.numel() - 1
        return torch.sparse_csr_tensor(pointer, keys & 0xFFFFFFFF, torch.ones(keys.numel()), shape, check_invariants=False)

    def pool(self, keys: Tensor, num_pairs: int, x: Tensor) -> Tensor:
        """Sum of the features [N, C] over the set of each pair [P, C]."""
        return torch.sparse.mm(self.indicator(keys, num_pairs), x, "sum")


def _is_in(keys: Tensor, sorted_keys: Tensor) -> Tensor:
    if sorted_keys.numel() == 0:
        return torch.zeros_like(keys, dtype=torch.bool)
    place = torch.searchsorted(sorted_keys, keys).clamp_(max=sorted_keys.numel() - 1)
    return sorted_keys[place] == keys
