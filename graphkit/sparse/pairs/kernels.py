"""CPU kernels of row intersection: walk the members of N(i) op N(j) without ever storing them, on every core.

One walker serves two layouts of the same graph. Packed rows (a bit a column) suit dense graphs: 64 columns an instruction.
Sorted rows suit sparse ones: a merge, or a binary search of the longer row when the lengths differ much. All loops here are
compiled; results do not depend on the number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, prange, types
from numba.extending import intrinsic

from graphkit.sparse.compiled.kernel import kernel
from graphkit.sparse.compiled.row_sums import add_close_rows, add_to_close_rows

COMMON, LEFT, RIGHT = 0, 1, 2
_GALLOP = 16  # a row this many times longer is searched instead of merged
_BLOCK = 128  # pairs pooled together while a slice of the features stays in cache


@intrinsic
def _trailing_zeros(context: Any, word: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), generate


@intrinsic
def _popcount(context: Any, word: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.uint64(types.uint64), generate


@njit(inline="always")
def _combine(a: Any, b: Any, which: int) -> Any:
    if which == COMMON:
        return a & b
    if which == LEFT:
        return a & ~b
    return b & ~a


@kernel()
def _lower_bound(col: Any, lo: int, hi: int, value: int) -> int:
    while lo < hi:
        middle = (lo + hi) // 2
        if col[middle] < value:
            lo = middle + 1
        else:
            hi = middle
    return lo


@kernel()
def _walk_bits(bits: Any, i: int, j: int, which: int, start: int, stop: int, out: Any) -> int:
    """Write the members with columns in 64-column words [start, stop) to `out`, return how many."""
    count = 0
    for w in range(start, stop):
        word = _combine(bits[i, w], bits[j, w], which)
        base = np.uint64(w * 64)
        while word != np.uint64(0):
            out[count] = base + _trailing_zeros(word)
            count += 1
            word &= word - np.uint64(1)
    return count


@kernel()
def _walk_sorted(rowptr: Any, col: Any, mask: Any, i: int, j: int, which: int, start: int, stop: int, out: Any) -> int:
    """Write the members with columns in [start, stop) to `out`, return how many."""
    if which == RIGHT:
        i, j = j, i
        which = LEFT
    a, a_end = rowptr[i], rowptr[i + 1]
    b, b_end = rowptr[j], rowptr[j + 1]
    if which == COMMON and a_end - a > b_end - b:
        a, a_end, b, b_end = b, b_end, a, a_end
    a = _lower_bound(col, a, a_end, start)
    b = _lower_bound(col, b, b_end, start)
    search = (b_end - b) > _GALLOP * (a_end - a)
    masked = mask.shape[0] > 0
    count = 0
    while a < a_end and col[a] < stop:
        if not masked or mask[a]:
            if search:
                b = _lower_bound(col, b, b_end, col[a])
            else:
                while b < b_end and col[b] < col[a]:
                    b += 1
            hit = b < b_end and col[b] == col[a] and (not masked or mask[b])
            if hit == (which == COMMON):
                out[count] = np.uint64(col[a])
                count += 1
        a += 1
    return count


@kernel()
def _walk(bits: Any, rowptr: Any, col: Any, mask: Any, i: int, j: int, which: int, start: int, stop: int, out: Any) -> int:
    """Members with columns in [start, stop); both are multiples of 64 when the rows are packed."""
    if bits.shape[0] > 0:
        return _walk_bits(bits, i, j, which, start // 64, (stop + 63) // 64, out)
    return _walk_sorted(rowptr, col, mask, i, j, which, start, stop, out)


@kernel(parallel=True)
def pack(rowptr: Any, col: Any, mask: Any, bits: Any) -> None:
    """Set the bit of every present entry; `bits` [N, words] holds zeros."""
    for i in prange(rowptr.shape[0] - 1):
        for e in range(rowptr[i], rowptr[i + 1]):
            if mask.shape[0] == 0 or mask[e]:
                bits[i, col[e] // 64] |= np.uint64(1) << np.uint64(col[e] % 64)


@kernel()
def clear(row: Any, col: Any, bits: Any) -> None:
    """Clear the bits of these entries."""
    for e in range(row.shape[0]):
        bits[row[e], col[e] // 64] &= ~(np.uint64(1) << np.uint64(col[e] % 64))


@kernel(parallel=True)
def count(bits: Any, rowptr: Any, col: Any, mask: Any, left: Any, right: Any, which: int, width: int, out: Any) -> None:
    """Number of members of each pair."""
    num_cols = rowptr.shape[0] - 1
    blocks = (left.shape[0] + _BLOCK - 1) // _BLOCK
    for block in prange(blocks):
        found = np.empty(width, np.uint64)
        for p in range(block * _BLOCK, min(left.shape[0], (block + 1) * _BLOCK)):
            if bits.shape[0] > 0:
                total = np.uint64(0)
                for w in range(bits.shape[1]):
                    total += _popcount(_combine(bits[left[p], w], bits[right[p], w], which))
                out[p] = total
            else:
                out[p] = _walk_sorted(rowptr, col, mask, left[p], right[p], which, 0, num_cols, found)


@kernel(parallel=True)
def fill(
    bits: Any, rowptr: Any, col: Any, mask: Any, left: Any, right: Any, which: int, width: int, pointer: Any, out: Any
) -> None:
    """Write the members of pair p, ascending, to out[pointer[p]:pointer[p + 1]]."""
    num_cols = rowptr.shape[0] - 1
    blocks = (left.shape[0] + _BLOCK - 1) // _BLOCK
    for block in prange(blocks):
        found = np.empty(width, np.uint64)
        for p in range(block * _BLOCK, min(left.shape[0], (block + 1) * _BLOCK)):
            size = _walk(bits, rowptr, col, mask, left[p], right[p], which, 0, num_cols, found)
            for k in range(size):
                out[pointer[p] + k] = found[k]


@kernel(parallel=True)
def pool(
    bits: Any, rowptr: Any, col: Any, mask: Any, left: Any, right: Any, which: int, width: int, bounds: Any, x: Any, out: Any
) -> None:
    """out[p] = sum of x[u] over the members u of pair p.

    The columns are visited range by range (`bounds`) for a block of pairs, so that one range of x stays in cache.
    """
    blocks = (left.shape[0] + _BLOCK - 1) // _BLOCK
    for block in prange(blocks):
        found = np.empty(width, np.uint64)
        first, last = block * _BLOCK, min(left.shape[0], (block + 1) * _BLOCK)
        for p in range(first, last):
            for f in range(x.shape[1]):
                out[p, f] = 0
        for r in range(bounds.shape[0] - 1):
            for p in range(first, last):
                size = _walk(bits, rowptr, col, mask, left[p], right[p], which, bounds[r], bounds[r + 1], found)
                add_close_rows(out, p, x, found, size)


@kernel(parallel=True)
def spread(
    bits: Any, rowptr: Any, col: Any, mask: Any, left: Any, right: Any, which: int, width: int, bounds: Any, g: Any, out: Any
) -> None:
    """out[u] += g[p] for every member u of every pair p: the adjoint of `pool`.

    Each range of columns belongs to one thread, which takes the pairs in order: no atomics, no partial sums.
    """
    for r in prange(bounds.shape[0] - 1):
        found = np.empty(width, np.uint64)
        for p in range(left.shape[0]):
            size = _walk(bits, rowptr, col, mask, left[p], right[p], which, bounds[r], bounds[r + 1], found)
            add_to_close_rows(out, found, size, g, p)
