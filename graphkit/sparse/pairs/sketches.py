"""Sketches of the balls around nodes, and how many nodes the balls of a pair share, as the sketches estimate it.

The ball of radius k around u holds the nodes within k edges, u among them. Two sketches of it are kept, each of a fixed size
and each the union of the neighbors' sketches of radius k - 1: MinHash, the least hash of a node under each of H functions, and
HyperLogLog, in M registers the longest run of zero bits. Equal least hashes tell the Jaccard similarity of two balls, registers
the size of a ball or of a union; their product is the size of the intersection.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TypedDict, Unpack

import torch
from torch import Tensor

from graphkit.sparse.compiled.work import parallel_for
from graphkit.sparse.csr import CSR
from graphkit.sparse.memo import remember
from graphkit.sparse.pairs.product import check_pairs
from graphkit.sparse.pairs.sketch_kernels import compare, unite
from graphkit.sparse.structure import untraced

MOST_REGISTER = 29
"""Hashes have 32 bits, of which the first name a register: balls of up to some 10^8 nodes are told apart."""
_CHUNK = 2**24  # numbers of the sketches of pairs that are gathered at a time, where no kernel runs
_GOLDEN = 0x9E3779B9


class _SketchOptions(TypedDict, total=False):
    num_hashes: int
    precision: int
    period: int
    seed: int


class BallSketches:
    """Sketches of the balls of radius 1 to `hops` around every node.

    `BallSketches.of(adj)` takes those that are kept with the operator's pattern and mask.

    Args:
        adj: A square operator; absent entries do not count, values do not matter. Balls follow its rows.
        hops: Largest radius K, at least 1.
        num_hashes: Functions H of MinHash; the deviation of a Jaccard similarity J is sqrt(J (1 - J) / H).
        precision: 2^precision registers M of HyperLogLog, 4 to 8; the relative deviation of a size is about 1.04 / sqrt(M).
        period: In a graph that holds copies of another one side by side, the number of nodes of that: node v is hashed as
            v mod period, so that all copies have the same sketches. 0: no copies.
        seed: Chooses the hash functions.

    Raises:
        ValueError: The operator is not square, or a number is out of its range.

    Source: Chamberlain et al., "Graph Neural Networks for Link Prediction with Subgraph Sketching", ICLR 2023, with 32-bit
        hashes where their code keeps 64, and Ertl's estimate of sizes, which needs no table of corrections ("New cardinality
        estimation algorithms for HyperLogLog sketches", arXiv:1702.01284, algorithm 4).
    """

    @untraced
    def __init__(
        self, adj: CSR, hops: int, *, num_hashes: int = 128, precision: int = 8, period: int = 0, seed: int = 0
    ) -> None:
        if adj.shape[0] != adj.shape[1]:
            raise ValueError(f"balls need a square operator, got shape {adj.shape}.")
        if hops < 1 or num_hashes < 1 or not 4 <= precision <= 8:
            raise ValueError(
                f"hops and num_hashes must be at least 1 and precision lie in [4, 8], got {hops}, {num_hashes} and {precision}."
            )
        self.num_nodes, self.hops = adj.shape[0], hops

        def first() -> tuple[Tensor, Tensor]:
            nodes = torch.arange(self.num_nodes, device=adj.device)
            return _first(nodes % period if period else nodes, num_hashes, precision, seed)

        key = ("node sketches", num_hashes, precision, period, seed)
        least, longest = remember(first, key, adj.structure)  # which is the same in every training step
        self.least = torch.empty(hops, self.num_nodes, num_hashes, dtype=torch.int32, device=adj.device)
        self.longest = torch.empty(hops, self.num_nodes, 2**precision, dtype=torch.uint8, device=adj.device)
        for k in range(hops):
            _unite(adj, least, longest, self.least[k], self.longest[k])
            least, longest = self.least[k], self.longest[k]
        blocks = self.longest.flatten(0, 1).split(_CHUNK // self.longest.size(2))
        self.sizes = torch.cat([_sizes(registers) for registers in blocks]).view(hops, -1).t()

    @classmethod
    @untraced
    def of(cls, adj: CSR, hops: int, **options: Unpack[_SketchOptions]) -> BallSketches:
        """The sketches of an operator, made when they are first asked for; arguments and errors as of the class."""
        sources = (adj.structure,) if adj.mask is None else (adj.structure, adj.mask)
        return remember(lambda: cls(adj, hops, **options), ("ball sketches", hops, *sorted(options.items())), *sources)

    @untraced
    def intersections(self, pairs: Tensor) -> Tensor:
        """Estimated sizes of |B_a(i) & B_b(j)| for radii a, b from 1 to K.

        Args:
            pairs: Node ids [2, P].

        Returns:
            [P, K, K], float32, at [p, a - 1, b - 1]. An estimate depends on its own pair alone.

        Raises:
            ValueError: Wrong shapes or ids out of range.
        """
        check_pairs(pairs, self.num_nodes)
        k = self.hops
        out = torch.empty(pairs.size(1), k * k, dtype=torch.float32, device=pairs.device)
        left, right = pairs
        if pairs.device.type == "cpu":
            parallel_for(compare, left, right, self.least, self.longest, _corrections(self.longest.size(2)), out)
        else:
            _plain_compare(left, right, self.least, self.longest, out)
        return out.view(-1, k, k)


def _first(nodes: Tensor, num_hashes: int, precision: int, seed: int) -> tuple[Tensor, Tensor]:
    """Sketches of single nodes: hashes [N, H], 31 bits, and registers [N, M]."""
    salts = torch.arange(1, num_hashes + 1, device=nodes.device) + seed * (num_hashes + 1)
    least = (_hash(nodes.unsqueeze(1), salts) >> 1).to(torch.int32)
    bits = _hash(nodes, torch.tensor((seed + 1) * _GOLDEN, device=nodes.device))
    register, rest = bits >> (32 - precision), bits & (2 ** (32 - precision) - 1)
    width = torch.where(rest > 0, torch.frexp(rest.double()).exponent, 0)
    longest = torch.zeros(nodes.numel(), 2**precision, dtype=torch.uint8, device=nodes.device)
    longest[torch.arange(nodes.numel(), device=nodes.device), register] = (33 - precision - width).to(torch.uint8)
    return least, longest


def _hash(values: Tensor, salts: Tensor) -> Tensor:
    """32 random-looking bits of each value and salt, broadcast, by the finalizer of MurmurHash3 (Appleby)."""
    mask = 2**32 - 1
    x = ((values + 1) * _GOLDEN ^ salts * 0x85EBCA6B) & mask
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        x = ((x ^ (x >> shift)) * factor) & mask
    x = x ^ (x >> 16)
    x = ((x + salts) * 0xCC9E2D51) & mask  # again, since the salts enter linearly before
    return x ^ (x >> 15)


def _unite(adj: CSR, least: Tensor, longest: Tensor, new_least: Tensor, new_longest: Tensor) -> None:
    """Write the unions of the sketches of each node and its neighbors."""
    if adj.device.type == "cpu":
        mask = torch.zeros(0, dtype=torch.bool) if adj.mask is None else adj.mask
        parallel_for(unite, adj.rowptr, adj.col, mask, least, longest, new_least, new_longest)
        return
    _plain_unite(adj, least, longest, new_least, new_longest)


def _plain_unite(adj: CSR, least: Tensor, longest: Tensor, new_least: Tensor, new_longest: Tensor) -> None:
    row, col = (adj.row, adj.col) if adj.mask is None else (adj.row[adj.mask], adj.col[adj.mask])
    new_least.copy_(least)
    new_longest.copy_(longest)
    step = max(1, _CHUNK // (least.size(1) + longest.size(1)))
    for rows, cols in zip(row.split(step), col.split(step), strict=True):
        new_least.scatter_reduce_(0, rows.unsqueeze(1).expand(-1, least.size(1)), least[cols], "amin")
        new_longest.scatter_reduce_(0, rows.unsqueeze(1).expand(-1, longest.size(1)), longest[cols], "amax")


def _plain_compare(left: Tensor, right: Tensor, least: Tensor, longest: Tensor, out: Tensor) -> None:
    hops = least.size(0)
    step = max(1, _CHUNK // (least.size(2) + longest.size(2)))
    for start in range(0, left.numel(), step):
        i, j = left[start : start + step], right[start : start + step]
        for a in range(hops):
            for b in range(hops):
                equal = (least[a, i] == least[b, j]).sum(1)
                union = _sizes(torch.maximum(longest[a, i], longest[b, j]))
                out[start : start + step, a * hops + b] = equal / least.size(2) * union


def _sizes(registers: Tensor) -> Tensor:
    """Estimated sizes [R], float32, of sets by their registers [R, M]."""
    count = registers.size(1)
    whole = (torch.ones((), dtype=torch.int64, device=registers.device) << (MOST_REGISTER - registers.long())).sum(1)
    empty = (registers == 0).sum(1)
    sums = (whole - (empty << MOST_REGISTER)).double() / 2**MOST_REGISTER
    sizes: Tensor = count * count / (2.0 * math.log(2.0)) / (sums + _corrections(count).to(registers.device)[empty])
    return sizes.float()


@cache
def _corrections(count: int) -> Tensor:
    """M sigma(c / M) for c = 0 to M empty registers; sigma(x) = x + the sum over k >= 1 of 2^(k - 1) x^(2^k)."""
    share = torch.arange(count + 1, dtype=torch.float64) / count
    total, power = share.clone(), share.clone()
    for k in range(64):
        power = power.square()
        total += 2.0**k * power
    total[-1] = math.inf
    return count * total
