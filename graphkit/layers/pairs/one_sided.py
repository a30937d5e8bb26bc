"""The neighbors of one node of a pair alone, listed: which edges a pair lacks to have them as common neighbors."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from graphkit.sparse import CSR, NeighborSets, Structure, pointers

_GOLDEN = -0x61C8864680B583EB  # 2^64 / the golden ratio, as a signed number


@dataclass(frozen=True)
class OneSided:
    """Members u of N(i) - N(j) of all pairs (i, j), and then of N(j) - N(i) of all pairs.

    Attributes:
        rowptr: Boundaries [2 P + 1] of the sets.
        member: u [M], ascending inside a set.
        lacking: The node [M] of the pair that has no edge to u.
        times: How often each member counts [M]; None: once.
        num_nodes: Number of nodes N.
    """

    rowptr: Tensor
    member: Tensor
    lacking: Tensor
    times: Tensor | None
    num_nodes: int

    def scaled(self, weight: Float[Tensor, " M"]) -> Float[Tensor, " M"]:
        """Weights times how often each member counts."""
        return weight if self.times is None else weight * self.times.to(weight.dtype)

    def pool(self, z: Float[Tensor, "N C"], weight: Float[Tensor, " M"]) -> Float[Tensor, "P C"]:
        """Weighted sums of z_u over both sets of each pair; differentiable in z."""
        structure = Structure(self.rowptr, self.member, (self.rowptr.numel() - 1, self.num_nodes))
        left, right = CSR(structure, weight, symmetric=False).matmul(z).chunk(2)
        return left + right


def one_sided(sets: NeighborSets, pairs: Int[Tensor, "2 P"], cap: int, seed: int) -> OneSided:
    """List the neighbors of one node alone.

    Args:
        sets: The neighbor sets.
        pairs: Node ids.
        cap: Of a larger set so many members are drawn with replacement, which then weigh its size / cap; 0: all are taken.
        seed: Decides the draws, together with the ordered ids of the pair, so that a pair draws the same in any batch.

    Returns:
        The sets, members that were drawn several times listed once.
    """
    left_ends, left = sets.members(pairs, "left")
    right_ends, right = sets.members(pairs, "right")
    rowptr, member = torch.cat([left_ends, right_ends[1:] + left_ends[-1]]), torch.cat([left, right])
    having, lacking = pairs.flatten(), pairs.flip(0).flatten()
    times = None
    if cap > 0:
        rowptr, member, times = _drawn(rowptr, member, having * sets.num_nodes + lacking, cap, seed)
    return OneSided(
        rowptr=rowptr,
        member=member,
        lacking=lacking.repeat_interleave(rowptr.diff()),
        times=times,
        num_nodes=sets.num_nodes,
    )


def _drawn(rowptr: Tensor, member: Tensor, keys: Tensor, cap: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Boundaries, members and their weights, where a set larger than `cap` is drawn from; `keys` [rows] name the sets."""
    size = rowptr.diff()
    width = max(int(size.max()), 1) if size.numel() else 1
    small, large = (size <= cap).nonzero().flatten(), (size > cap).nonzero().flatten()
    kept = small.repeat_interleave(size[small])
    place = torch.arange(kept.numel(), device=size.device) - (pointers(size[small])[:-1]).repeat_interleave(size[small])
    number = torch.arange(cap, device=size.device)
    draws = _hash(_hash(keys[large] + seed).unsqueeze(1) + number).remainder(size[large].unsqueeze(1))
    codes = torch.cat([kept * width + place, (large.unsqueeze(1) * width + draws).flatten()])
    codes, count = torch.unique(codes, return_counts=True)
    row = torch.div(codes, width, rounding_mode="floor")
    chosen = rowptr[row] + codes - row * width
    times = count * torch.where(size > cap, size / cap, 1.0)[row]
    return pointers(torch.bincount(row, minlength=size.numel())), member[chosen], times


def _hash(x: Tensor) -> Tensor:
    """63 random-looking bits of each integer, by the finalizer of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    x = x + _GOLDEN
    for shift, factor in ((30, -0x40A7B892E31B1A47), (27, -0x6B2FB644ECCEEE15)):
        x = (x ^ _shifted(x, shift)) * factor
    return (x ^ _shifted(x, 31)) & (2**63 - 1)


def _shifted(x: Tensor, bits: int) -> Tensor:
    """Logical right shift: torch's fills with the sign."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)
