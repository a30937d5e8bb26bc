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
