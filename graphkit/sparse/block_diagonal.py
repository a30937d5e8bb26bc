"""Block-diagonal operators: chosen blocks copied side by side, without sorting or checking anything again."""

from __future__ import annotations

import weakref
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from graphkit.sparse.compiled.kernel import kernel
from graphkit.sparse.compiled.work import next_block, parallel_for
from graphkit.sparse.csr import CSR
from graphkit.sparse.gathering import gather
from graphkit.sparse.structure import Structure, lasting, pointers


class Segments:
    """Chosen segments of an axis, and where they lie once they stand side by side.

    Args:
        start: Where each of them begins [B].
        stop: Where it ends [B].

    Attributes:
        start: As given.
        stop: As given.
        ptr: Their boundaries side by side [B + 1].
        shift: What is added to an old position to get the new one [B].
        size: How many positions there are in all.
    """

    def __init__(self, start: Tensor, stop: Tensor) -> None:
        self.start, self.stop = start, stop
        self.ptr = pointers(stop - start)
        self.shift = self.ptr[:-1] - start
        self.size = int(self.ptr[-1])

    @classmethod
    def of(cls, ptr: Tensor, chosen: Tensor) -> Segments:
        """The segments `chosen` [B] of an axis with these boundaries [G + 1]."""
        return cls(ptr.index_select(0, chosen), ptr.index_select(0, chosen + 1))

    def inside(self, ptr: Tensor) -> Segments:
        """The same segments one level deeper, where position i of this axis holds ptr[i] to ptr[i + 1]: rows to entries."""
        return Segments(ptr.index_select(0, self.start), ptr.index_select(0, self.stop))

    def copy(self, ids: Tensor, shift: Tensor | None = None) -> Tensor:
        """The segments of ids along this axis [n], int64, side by side [size], plus `shift` of their segment [B]."""
        shift = torch.zeros_like(self.start) if shift is None else shift
        if ids.device.type != "cpu":
            segment = torch.arange(shift.numel(), device=ids.device).repeat_interleave(self.ptr.diff(), output_size=self.size)
            return ids[self.positions] + shift[segment]
        out = torch.empty(self.size, dtype=torch.long)
        parallel_for(_copied, ids, self.start, self.ptr, shift, out, alone=self.size < 2**18)
        return out

    @cached_property
    def positions(self) -> Tensor:
        """The old position of each new one [size]."""
        segment = torch.arange(self.shift.numel(), device=self.ptr.device)
        segment = segment.repeat_interleave(self.ptr.diff(), output_size=self.size)
        return torch.arange(self.size, device=self.ptr.device) - self.shift[segment]

    def rows(self, x: Tensor) -> Tensor:
        """The segments of the rows of x [n, ...] side by side [size, ...]; differentiable."""
        return gather(x, self.positions)


class _Taken(Structure):
    """Blocks of another structure. Its transpose is made of the blocks of the other's, once it is asked for."""

    def __init__(self, whole: Structure, rows: Segments, cols: Segments) -> None:
        self._whole, self._rows, self._cols = whole, rows, cols
        self.entries = rows.inside(whole.rowptr)
        rowptr = torch.empty(rows.size + 1, dtype=torch.long, device=whole.rowptr.device)
        rowptr[0] = 0
        rowptr[1:] = rows.copy(whole.rowptr[1:], self.entries.shift)
        super().__init__(rowptr, self.entries.copy(whole.col, cols.shift), (rows.size, cols.size))

    @cached_property
    @lasting
    def perm(self) -> Tensor:
        """As in `Structure`: blocks of a transpose hold the same entries as those of the structure."""
        return self.entries.copy(self._whole.perm, self.entries.shift)

    @lasting
    def t(self) -> Structure:
        """As in `Structure`."""
        if self._origin is None and self._transposed is None:
            if self._whole.t() is self._whole and self._rows is self._cols:
                self._origin = weakref.ref(self)
                return self
            turned = _Taken(self._whole.t(), self._cols, self._rows)
            if self.shape[0] == self.shape[1] and torch.equal(turned.rowptr, self.rowptr) and torch.equal(turned.col, self.col):
                self._origin = weakref.ref(self)
                return self
            turned._origin = weakref.ref(self)
            self._transposed = turned
        return super().t()


def take_blocks(whole: CSR, rows: Segments, cols: Segments) -> CSR:
    """Chosen blocks of a block-diagonal operator as a block-diagonal operator; differentiable in the values.

    Args:
        whole: The operator [R, K]; block b joins segment b of the rows and segment b of the columns, and nothing else.
        rows: The chosen segments of rows.
        cols: The same ones of columns; the same object where both axes are one.

    Returns:
        [rows.size, cols.size]. Its transpose is copied as well, when it is first needed.
    """
    structure = _Taken(whole.structure, rows, cols)
    value = None if whole.value is None else structure.entries.rows(whole.value)
    mask = None if whole.mask is None else whole.mask[structure.entries.positions]
    return CSR(structure, value, mask, (rows is cols and whole.symmetric) or None)


def check_blocks(csr: CSR, ptr: Tensor) -> None:
    """Raise ValueError where an entry of a square operator joins two blocks with these boundaries [G + 1]."""
    block_of = torch.arange(ptr.numel() - 1, device=ptr.device).repeat_interleave(ptr.diff(), output_size=csr.shape[0])
    crossing = block_of[csr.row] != block_of[csr.col]
    if bool(crossing.any()):
        e = int(crossing.nonzero()[0])
        raise ValueError(
            f"edge {int(csr.col[e])} -> {int(csr.row[e])} joins two graphs of the batch; ptr must keep them apart."
        )


def check_ptr(ptr: Tensor) -> None:
    """Raise ValueError where boundaries do not ascend from 0."""
    if ptr.dim() != 1 or ptr.numel() < 1 or int(ptr[0]) != 0 or bool((ptr.diff() < 0).any()):
        raise ValueError("ptr must be [G + 1], the boundaries of the graphs' nodes, ascending from 0.")


def check_chosen(chosen: Tensor, count: int) -> None:
    """Raise ValueError where ids [B] are no graphs of a batch of this many."""
    if chosen.dim() != 1 or chosen.dtype != torch.int64:
        raise ValueError(f"graphs must be ids [B], int64, got {chosen.dtype} of shape {list(chosen.shape)}.")
    if chosen.numel():
        low, high = (int(bound) for bound in torch.aminmax(chosen))
        if low < 0 or high >= count:
            raise ValueError(f"graph {low if low < 0 else high} is out of range: ids must lie in [0, {count}).")


@kernel(nogil=True)
def _copied(counter: Any, ids: Any, start: Any, ptr: Any, shift: Any, out: Any) -> None:
    b = next_block(counter)
    while b < start.shape[0]:
        size, by = ptr[b + 1] - ptr[b], shift[b]
        source, target = ids[start[b] : start[b] + size], out[ptr[b] : ptr[b + 1]]  # so that the loop below is vectorized
        for i in range(size):
            target[i] = source[i] + by
        b = next_block(counter)
