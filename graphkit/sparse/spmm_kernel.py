"""Sparse times dense on the CPU, compiled: row blocks of about equally many entries, taken as threads become free."""

from __future__ import annotations

from typing import Any

from graphkit.sparse.compiled.kernel import kernel
from graphkit.sparse.compiled.row_sums import add_rows
from graphkit.sparse.compiled.work import next_block


@kernel(nogil=True)
def rows_times(counter: Any, blocks: Any, rowptr: Any, col: Any, value: Any, x: Any, out: Any) -> None:
    """Multiply: out = A x. `value` of length 0 stands for ones, `blocks` are row boundaries of about equally many entries.

    Rows are summed in the order of their entries, so that threads do not change a bit.
    """
    one, last = x.dtype.type(1), col.shape[0] - 1
    block = next_block(counter)
    while block < blocks.shape[0] - 1:
        for i in range(blocks[block], blocks[block + 1]):
            for f in range(x.shape[1]):
                out[i, f] = 0
            add_rows(out, i, one, x, col, value, rowptr[i], rowptr[i + 1], last)
        block = next_block(counter)


@kernel(nogil=True)
def rows_times_and_own(counter: Any, blocks: Any, rowptr: Any, col: Any, value: Any, own: Any, x: Any, out: Any) -> None:
    """Multiply and add the row itself: out = A x + own[0] x, for square A; see `rows_times`."""
    one, last, factor = x.dtype.type(1), col.shape[0] - 1, own[0]
    block = next_block(counter)
    while block < blocks.shape[0] - 1:
        for i in range(blocks[block], blocks[block + 1]):
            for f in range(x.shape[1]):
                out[i, f] = factor * x[i, f]
            add_rows(out, i, one, x, col, value, rowptr[i], rowptr[i + 1], last)
        block = next_block(counter)


@kernel(nogil=True, fastmath={"reassoc", "contract"})
def inner_products(counter: Any, a: Any, b: Any, partial: Any) -> None:
    """<a, b> in blocks of rows as many as `partial` has [B], which get equal shares; the last ones may be smaller."""
    share = -(-a.shape[0] // partial.shape[0])
    block = next_block(counter)
    while block < partial.shape[0]:
        total = a.dtype.type(0)
        for i in range(block * share, min((block + 1) * share, a.shape[0])):
            for f in range(a.shape[1]):
                total += a[i, f] * b[i, f]
        partial[block] = total
        block = next_block(counter)
