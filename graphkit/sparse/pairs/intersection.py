"""Row intersection: what two nodes' neighborhoods share, and what they do not, for many pairs at a time.

    common  N(i) & N(j)        left  N(i) - N(j)        right  N(j) - N(i)

where N(i) are the columns of the present entries of row i. Exact, batched, without a Python loop over pairs.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from graphkit.sparse.compiled.threads import kernel_threads
from graphkit.sparse.csr import CSR
from graphkit.sparse.memo import remember
from graphkit.sparse.pairs import kernels
from graphkit.sparse.pairs.product import check_pairs
from graphkit.sparse.structure import untraced

Which = Literal["common", "left", "right"]
Method = Literal["auto", "bitset", "sorted", "dense", "search"]

_WHICH = {"common": kernels.COMMON, "left": kernels.LEFT, "right": kernels.RIGHT}
_PACKED_LIMIT = 2**29  # bytes of packed or 0/1 rows that `auto` allows
_CACHE = 2**19  # bytes of features that should stay in a core's cache
_CHUNK = 2**26  # elements of a temporary [pairs, columns] block of `dense` and `search`

# Cost on CPU of a 64-column word of two packed rows against a step of a merge of two sorted rows, by
# `python -m benchmarks.speed intersection`.
_WORDS_PER_STEP = 2.0


class NeighborSets:
    """The neighbor sets of an operator's rows, laid out for intersecting many pairs of them.

    `NeighborSets.of(adj)` takes the layout that is kept with the operator.

    Args:
        adj: A square operator; absent entries (`mask`) do not count, values do not matter.
        method: How to intersect. On CPU `bitset` (packed rows: dense graphs) or `sorted` (merge of sorted rows: sparse
            graphs); on any device `dense` (0/1 rows and a matrix product) or `search` (binary search of sorted keys).
            `auto` takes the cheaper one for this graph and device.

    Raises:
        ValueError: The operator is not square, or the method is unknown or not for this device.
    """

    @untraced
    def __init__(self, adj: CSR, method: Method = "auto") -> None:
        if adj.shape[0] != adj.shape[1]:
            raise ValueError(f"neighbor sets need a square operator, got shape {adj.shape}.")
        if method not in ("auto", "bitset", "sorted", "dense", "search"):
            raise ValueError(f"method must be auto, bitset, sorted, dense or search, got {method!r}.")
        if method in ("bitset", "sorted") and adj.device.type != "cpu":
            raise ValueError(f"method {method!r} runs on the CPU; on {adj.device} use 'auto', 'dense' or 'search'.")
        self.adj = adj
        self.method = cheapest_method(adj) if method == "auto" else method
        self._width = max(int(adj.rowptr.diff().max()), 1) if adj.shape[0] else 1
        self._rows = self._lay_out()

    @classmethod
    @untraced
    def of(cls, graph: CSR | NeighborSets) -> NeighborSets:
        """The neighbor sets of an operator by the cheapest method, laid out when they are first asked for.

        The layout belongs to the pattern, which keeps it. Where entries are absent, packed rows are a copy of the pattern's
        with those entries cleared; it is kept as long as the operator's `mask`.

        Args:
            graph: A square operator; neighbor sets are returned as they are.

        Raises:
            ValueError: The operator is not square.
        """
        if isinstance(graph, NeighborSets):
            return graph
        structure, mask = graph.structure, graph.mask

        def lay_out() -> tuple[Method, int, Tensor | None]:
            sets = cls(CSR(structure))
            return sets.method, sets._width, sets._rows

        method, width, rows = remember(lay_out, "neighbor sets", structure)
        if rows is not None and mask is not None:
            whole = rows
            rows = remember(lambda: _cleared(whole, method, graph), "neighbor sets", structure, mask)
        return cls._laid_out(graph, method, width, rows)

    @classmethod
    def _laid_out(cls, adj: CSR, method: Method, width: int, rows: Tensor | None) -> NeighborSets:
        sets = object.__new__(cls)
        sets.adj, sets.method, sets._width, sets._rows = adj, method, width, rows
        return sets

    @property
    def num_nodes(self) -> int:
        """Number of rows."""
        return self.adj.shape[0]

    def _lay_out(self) -> Tensor | None:
        """Packed rows [N, words] int64, or 0/1 rows [N, N] bool, or None where the operator's own arrays serve."""
        n = self.num_nodes
        if self.method == "bitset":
            bits = torch.zeros(n, (n + 63) // 64, dtype=torch.int64)
            with kernel_threads():
                kernels.pack(_array(self.adj.rowptr), _array(self.adj.col), _mask(self.adj), _bits(bits))
            return bits
        if self.method == "dense":
            present = torch.ones(self.adj.nnz, dtype=torch.bool, device=self.adj.device)
            rows = torch.zeros(n, n, dtype=torch.bool, device=self.adj.device)
            rows[self.adj.row, self.adj.col] = present if self.adj.mask is None else self.adj.mask
            return rows
        return None

    @untraced
    def without(self, entries: Tensor, mirror: bool = False) -> NeighborSets:
        """The sets with some entries of the operator absent, as `CSR.without`; packed rows are copied, not rebuilt."""
        adj = self.adj.without(entries, mirror=mirror)
        rows = None if self._rows is None else _cleared(self._rows, self.method, adj)
        return self._laid_out(adj, self.method, self._width, rows)

    @untraced
    def count(self, pairs: Tensor, which: Which = "common") -> Tensor:
        """Size of each pair's set.

        Args:
            pairs: Node ids [2, P].
            which: `common`, `left` or `right`.

        Returns:
            Sizes [P], int64.
        """
        left, right = self._check(pairs, which)
        if self.method in ("bitset", "sorted"):
            out = torch.empty(left.numel(), dtype=torch.int64)
            with kernel_threads():
                kernels.count(*self._sets(), _array(left), _array(right), _WHICH[which], self._width, _array(out))
            return out
        if self.method == "dense":
            blocks = [self._block(i, j, which).sum(dim=1) for i, j in self._chunks(left, right)]
        else:
            blocks = [torch.bincount(self._search(i, j, which)[0], minlength=i.numel()) for i, j in self._chunks(left, right)]
        return torch.cat(blocks) if blocks else left.new_zeros(0)

    @untraced
    def members(self, pairs: Tensor, which: Which = "common") -> tuple[Tensor, Tensor]:
        """The sets themselves.

        Args:
            pairs: Node ids [2, P].
            which: `common`, `left` or `right`.

        Returns:
            Boundaries [P + 1] and members [M], int64: pair p owns members[boundaries[p]:boundaries[p + 1]], ascending.
        """
        left, right = self._check(pairs, which)
        if self.method in ("bitset", "sorted"):
            pointer = torch.zeros(left.numel() + 1, dtype=torch.int64)
            torch.cumsum(self.count(pairs, which), 0, out=pointer[1:])
            found = torch.empty(int(pointer[-1]), dtype=torch.int64)
            ends = _array(left), _array(right)
            with kernel_threads():
                kernels.fill(*self._sets(), *ends, _WHICH[which], self._width, _array(pointer), _array(found))
            return pointer, found
        counts, found_blocks = [left.new_zeros(1)], [left.new_zeros(0)]
        for i, j in self._chunks(left, right):
            pair, member = (
                self._search(i, j, which) if self.method == "search" else self._block(i, j, which).nonzero().unbind(1)
            )
            counts.append(torch.bincount(pair, minlength=i.numel()))
            found_blocks.append(member)
        return torch.cat(counts).cumsum(0), torch.cat(found_blocks)

    @untraced
    def pool(self, pairs: Tensor, x: Tensor, which: Which = "common") -> Tensor:
        """Sum of features over each pair's set: out_p = sum_{u in set(p)} x_u. Differentiable in x.

        Nothing of the size of the sets is stored. A row depends on its own pair alone, to the last bit, on CPU.

        Args:
            pairs: Node ids [2, P].
            x: Features [N, C] or [N], floating point; bfloat16 and float16 are summed in float32.
            which: `common`, `left` or `right`.

        Returns:
            [P, C] or [P], in the dtype of x; empty sets give 0.

        Raises:
            ValueError: Wrong shapes or ids out of range.
        """
        self._check(pairs, which)
        if x.dim() not in (1, 2) or x.size(0) != self.num_nodes:
            raise ValueError(f"x must have shape [{self.num_nodes}, C] or [{self.num_nodes}], got {list(x.shape)}.")
        features = x if x.dim() == 2 else x.unsqueeze(1)
        wide = features.dtype in (torch.float32, torch.float64)
        out: Tensor = _Pool.apply(features if wide else features.float(), self, pairs, which)  # type: ignore[no-untyped-call]
        out = out.to(x.dtype)
        return out if x.dim() == 2 else out.squeeze(1)

    # ------------------------------------------------------------------------------------------------------- inside

    def _check(self, pairs: Tensor, which: str) -> tuple[Tensor, Tensor]:
        if which not in _WHICH:
            raise ValueError(f"which must be common, left or right, got {which!r}.")
        if pairs.device != self.adj.device:
            raise ValueError(f"pairs lie on {pairs.device} and the operator on {self.adj.device}; move one of them with .to().")
        check_pairs(pairs, self.num_nodes)
        return pairs[0], pairs[1]

    def _sets(self) -> tuple[Any, Any, Any, Any]:
        bits = torch.zeros(0, 0, dtype=torch.int64) if self._rows is None else self._rows
        return _bits(bits), _array(self.adj.rowptr), _array(self.adj.col), _mask(self.adj)

    def _bounds(self, num_ranges: int) -> Any:
        """Boundaries of about equal shares of the entries among ranges of columns, at multiples of 64 columns."""
        n = self.num_nodes
        words = (n + 63) // 64
        num_ranges = max(1, min(num_ranges, words))
        if num_ranges == 1:
            return np.array([0, n])
        share = np.cumsum(np.bincount(_array(self.adj.col) // 64, minlength=words))
        cuts = np.searchsorted(share, share[-1] * np.arange(1, num_ranges) / num_ranges)
        return np.unique(np.concatenate([[0], np.minimum(cuts * 64, n), [n]]))

    def _forward(self, pairs: Tensor, x: Tensor, which: Which) -> Tensor:
        left, right = pairs[0], pairs[1]
        if self.method in ("bitset", "sorted"):
            out = x.new_empty(left.numel(), x.size(1))
            ranges = -(-x.numel() * x.element_size() // _CACHE) if self.method == "bitset" else 1
            ends = _array(left), _array(right)
            arrays = self._bounds(ranges), _array(x), _array(out)
            with kernel_threads():
                kernels.pool(*self._sets(), *ends, _WHICH[which], self._width, *arrays)
            return out
        if self.method == "dense":
            blocks = [self._block(i, j, which).to(x.dtype) @ x for i, j in self._chunks(left, right)]
        else:
            blocks = []
            for i, j in self._chunks(left, right, x.size(1)):
                pair, member = self._search(i, j, which)
                blocks.append(x.new_zeros(i.numel(), x.size(1)).index_add_(0, pair, x[member]))
        return torch.cat(blocks) if blocks else x.new_zeros(0, x.size(1))

    def _backward(self, pairs: Tensor, g: Tensor, which: Which) -> Tensor:
        left, right = pairs[0], pairs[1]
        out = g.new_zeros(self.num_nodes, g.size(1))
        if self.method in ("bitset", "sorted"):
            ends = _array(left), _array(right)
            arrays = self._bounds(4 * torch.get_num_threads()), _array(g), _array(out)
            with kernel_threads():
                kernels.spread(*self._sets(), *ends, _WHICH[which], self._width, *arrays)
            return out
        start = 0
        for i, j in self._chunks(left, right, 1 if self.method == "dense" else g.size(1)):
            block = g[start : start + i.numel()]
            if self.method == "dense":
                out.addmm_(self._block(i, j, which).to(g.dtype).t(), block)
            else:
                pair, member = self._search(i, j, which)
                out.index_add_(0, member, block[pair])
            start += i.numel()
        return out

    def _block(self, left: Tensor, right: Tensor, which: Which) -> Tensor:
        """0/1 rows [P, N] of the sets."""
        assert self._rows is not None
        a, b = self._rows[left], self._rows[right]
        return a & b if which == "common" else a & ~b if which == "left" else b & ~a

    def _search(self, left: Tensor, right: Tensor, which: Which) -> tuple[Tensor, Tensor]:
        """(pair, member) of every member, in order, by binary search for each column of one row in the other."""
        if which == "right":
            left, right = right, left
        adj = self.adj
        degree = adj.rowptr.diff()
        if which == "common":
            swap = degree[left] > degree[right]
            left, right = torch.where(swap, right, left), torch.where(swap, left, right)
        size = degree[left]
        pair = torch.arange(left.numel(), device=left.device).repeat_interleave(size)
        entry = adj.rowptr[left].repeat_interleave(size) + _ranks(size)
        if adj.nnz == 0:
            return pair, entry
        if adj.mask is not None:
            present = adj.mask[entry]
            pair, entry = pair[present], entry[present]
        member = adj.col[entry]
        place, hit = adj.structure.find(right[pair] * self.num_nodes + member)
        if adj.mask is not None:
            hit &= adj.mask[place]
        if which != "common":
            hit = ~hit
        return pair[hit], member[hit]

    def _chunks(self, left: Tensor, right: Tensor, channels: int = 1) -> list[tuple[Tensor, Tensor]]:
        """Blocks of pairs whose temporaries stay below a fixed size."""
        per_pair = self.num_nodes if self.method == "dense" else self._width * max(channels, 4)
        size = max(1, _CHUNK // max(per_pair, 1))
        return list(zip(left.split(size), right.split(size), strict=True)) if left.numel() else []

    def __repr__(self) -> str:
        return f"NeighborSets({self.num_nodes} nodes, {self.adj.nnz} entries, method={self.method!r})"


class _Pool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, sets: NeighborSets, pairs: Tensor, which: Which) -> Tensor:
        ctx.sets, ctx.which = sets, which
        ctx.save_for_backward(pairs)
        return sets._forward(pairs, x.contiguous(), which)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        (pairs,) = ctx.saved_tensors
        gradient: Tensor = _Spread.apply(grads[0], ctx.sets, pairs, ctx.which)  # type: ignore[no-untyped-call]
        return gradient, None, None, None


class _Spread(torch.autograd.Function):
    """The adjoint of `_Pool`, and `_Pool` is its own."""

    @staticmethod
    def forward(ctx: Any, g: Tensor, sets: NeighborSets, pairs: Tensor, which: Which) -> Tensor:
        ctx.sets, ctx.which = sets, which
        ctx.save_for_backward(pairs)
        return sets._backward(pairs, g.contiguous(), which)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        (pairs,) = ctx.saved_tensors
        gradient: Tensor = _Pool.apply(grads[0], ctx.sets, pairs, ctx.which)  # type: ignore[no-untyped-call]
        return gradient, None, None, None


def cheapest_method(adj: CSR) -> Method:
    """The method that costs least for pairs drawn like the operator's own entries, on its device."""
    n = adj.shape[0]
    degree = adj.rowptr.diff().double()
    steps = 2 * float((degree**2).sum() / degree.sum().clamp(min=1))  # both rows of a pair, met in proportion to degree
    words = (n + 63) // 64
    if adj.device.type == "cpu":
        return "bitset" if words * 8 * n <= _PACKED_LIMIT and words <= _WORDS_PER_STEP * steps else "sorted"
    return "dense" if n * n <= _PACKED_LIMIT and words <= _WORDS_PER_STEP * steps else "search"


def _cleared(rows: Tensor, method: Method, adj: CSR) -> Tensor:
    """A copy of packed or 0/1 rows without the operator's absent entries."""
    rows = rows.clone()
    if method == "bitset":
        absent = np.flatnonzero(~_mask(adj))  # in half the time of torch's nonzero
        kernels.clear(_array(adj.row)[absent], _array(adj.col)[absent], _bits(rows))
    elif adj.mask is not None:
        rows[adj.row, adj.col] = adj.mask
    return rows


def _ranks(size: Tensor) -> Tensor:
    """0, 1, ..., size[p] - 1 for each p, one after the other."""
    ends = size.cumsum(0)
    return torch.arange(int(ends[-1]) if ends.numel() else 0, device=size.device) - (ends - size).repeat_interleave(size)


def _array(tensor: Tensor) -> Any:
    return tensor.detach().contiguous().numpy()


def _bits(tensor: Tensor) -> Any:
    return tensor.numpy().view(np.uint64)


def _mask(adj: CSR) -> Any:
    return np.zeros(0, np.bool_) if adj.mask is None else _array(adj.mask)
