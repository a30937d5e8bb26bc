"""All ordered pairs of nodes inside each bag, bags in the order of their size: what tensors of order 2 on bags lie on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from graphkit.errors import RequestError
from graphkit.sparse.block_diagonal import Segments, take_blocks
from graphkit.sparse.counting_sort import counting_sort
from graphkit.sparse.csr import CSR
from graphkit.sparse.egonets.bags import Bags, select
from graphkit.sparse.egonets.budget import MAX_BYTES
from graphkit.sparse.egonets.lift import expand
from graphkit.sparse.structure import lasting, pointers


@dataclass(frozen=True)
class Run:
    """Bags of one size.

    Attributes:
        size: Nodes m of each bag.
        count: Number n of bags.
        rows: Where their rows lie, n m in a block [n, m].
        pairs: Where their pairs lie, n m^2 in a block [n, m, m].
    """

    size: int
    count: int
    rows: slice
    pairs: slice


class BagPairs:
    """Index of the tensors of orders 1 and 2 on bags of subgraphs, made once per batch.

    A tensor of order 1 on the batch has a row per node, one of order 2 a row per pair (i, j) that some bag holds. On bags they
    are blocks [n, m, C] and [n, m, m, C], a view for each size m, since bags of one size lie side by side.

    Args:
        bags: The bags.
        max_bytes: Most memory that the index arrays may take: 16 bytes per pair of each bag.

    Attributes:
        order: The bags by size [S].
        runs: The blocks, by ascending size.
        node: Node of each row, in the order of the bags by size [T].

    Raises:
        RequestError: The pairs would take more than `max_bytes`; told before they are built.
    """

    def __init__(self, bags: Bags, max_bytes: int = MAX_BYTES) -> None:
        sizes = bags.ptr.diff()
        count = int(sizes.square().sum())
        if 16 * count > max_bytes:
            raise RequestError(
                f"the pairs of nodes in {bags.num_bags:,} bags would take {16e-9 * count:.3g} GB ({count:.3g} pairs, the "
                f"largest bag has {int(sizes.max())} nodes), more than max_bytes={max_bytes:,}: keep a part of the bags of "
                "each graph with sample=BagSample(0.1) (in a run: model.sample=0.1), take smaller bags, or raise max_bytes."
            )
        self._lay(bags)

    def _lay(self, bags: Bags) -> None:
        """Where the bags, their rows and their pairs lie by size."""
        sizes = bags.ptr.diff()
        self.bags = bags
        self.order = counting_sort(sizes, int(sizes.max()) + 1 if sizes.numel() else 0)[1]
        ordered = sizes[self.order]
        self.node = bags.node[expand(bags.ptr[:-1][self.order], ordered)[0]]
        self._ptr = pointers(sizes.square())  # of the pairs, bag by bag
        self._place = expand(self._ptr[:-1][self.order], ordered.square())[0]
        self.runs = self._split(ordered)

    @staticmethod
    def _split(ordered: Tensor) -> list[Run]:
        runs, row, pair = [], 0, 0
        found, counts = torch.unique_consecutive(ordered, return_counts=True)
        for m, n in zip(found.tolist(), counts.tolist(), strict=True):
            runs.append(Run(m, n, slice(row, row + n * m), slice(pair, pair + n * m * m)))
            row, pair = row + n * m, pair + n * m * m
        return runs

    @cached_property
    @lasting
    def _found(self) -> tuple[Tensor, Tensor]:
        """The pairs (i, j) that some bag holds [2, U], ascending by i, then j, and the pair of each place, bag by bag [P]."""
        bags, n = self.bags, max(self.bags.num_nodes, 1)
        second, first = expand(bags.ptr[bags.bag], bags.ptr.diff()[bags.bag])
        keys, pair = torch.unique(bags.node[first] * n + bags.node[second], return_inverse=True)
        return torch.stack([keys // n, keys % n]), pair

    @property
    def num_pairs(self) -> int:
        """Number U of pairs that some bag holds."""
        return self.pairs.size(1)

    @property
    def pairs(self) -> Tensor:
        """The pairs (i, j) [2, U], ascending by i, then j."""
        return self._found[0]

    @cached_property
    @lasting
    def pair_ptr(self) -> Tensor:
        """Boundaries of the graphs' pairs [G + 1]."""
        return torch.searchsorted(self.pairs[0].contiguous(), self.bags.node_ptr)

    @cached_property
    @lasting
    def spread_nodes(self) -> CSR:
        """[T, N], ones: from nodes to their places in bags."""
        return select(self.node, self.bags.num_nodes)

    @cached_property
    @lasting
    def spread_pairs(self) -> CSR:
        """[P, U], ones: from pairs to their places in bags."""
        return select(self._found[1][self._place], self.num_pairs)

    def find(self, i: Tensor, j: Tensor) -> Tensor:
        """Where the pairs (i, j) lie among `pairs`, -1 where no bag holds one."""
        n = self.bags.num_nodes
        keys, wanted = self.pairs[0] * n + self.pairs[1], i * n + j
        if keys.numel() == 0:
            return torch.full_like(wanted, -1)
        found = torch.searchsorted(keys, wanted).clamp_(max=keys.numel() - 1)
        return torch.where(keys[found] == wanted, found, -1)

    @cached_property
    @lasting
    def entries(self) -> CSR:
        """[U, nnz], ones: from entries A_ij of the graph, and rows beside them, to their pairs (i, j)."""
        adj = self.bags.adj
        return select(self.find(adj.row, adj.col), self.num_pairs).t()

    @cached_property
    @lasting
    def loops(self) -> CSR:
        """[U, N], ones: from nodes v to the pairs (v, v)."""
        nodes = torch.arange(self.bags.num_nodes, device=self.node.device)
        return select(self.find(nodes, nodes), self.num_pairs).t()

    def take(self, graphs: Tensor) -> BagPairs:
        """The pairs in the bags of some of the graphs [B], in that order, with repeats, by copying blocks.

        Raises:
            ValueError: An id is out of range.
        """
        return _TakenPairs(self, graphs)

    def to(self, device: torch.device | str) -> BagPairs:
        """The same pairs on another device."""
        return BagPairs(self.bags.to(device), max_bytes=16 * self._place.numel())

    def __repr__(self) -> str:
        return f"BagPairs({self.bags!r}, pairs={self._place.numel()}, sizes={[run.size for run in self.runs]})"


class _TakenPairs(BagPairs):
    """Pairs in the bags of some graphs of a batch: which pairs there are is known, and where each place leads."""

    def __init__(self, whole: BagPairs, graphs: Tensor) -> None:
        self._whole = whole
        self._lay(whole.bags.take(graphs))
        bags = whole.bags
        self._nodes = Segments.of(bags.node_ptr, graphs)
        self._entries = self._nodes.inside(bags.adj.rowptr)
        self._places = Segments.of(bags.bag_ptr, graphs).inside(whole._ptr)
        self._pairs = Segments.of(whole.pair_ptr, graphs)

    @cached_property
    @lasting
    def _found(self) -> tuple[Tensor, Tensor]:
        pairs, pair = self._whole._found
        copied = torch.stack([self._pairs.copy(end, self._nodes.shift) for end in pairs])
        return copied, self._places.copy(pair, self._pairs.shift)

    @cached_property
    @lasting
    def entries(self) -> CSR:
        """As in `BagPairs`."""
        return take_blocks(self._whole.entries, self._pairs, self._entries)

    @cached_property
    @lasting
    def loops(self) -> CSR:
        """As in `BagPairs`."""
        return take_blocks(self._whole.loops, self._pairs, self._nodes)
