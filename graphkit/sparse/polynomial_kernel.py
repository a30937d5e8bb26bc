"""One step of Horner's scheme for a sparse matrix on the CPU, compiled: product, scale and addition in one sweep."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphkit.sparse.compiled.kernel import kernel
from graphkit.sparse.compiled.row_sums import add_rows
from graphkit.sparse.compiled.work import next_block


@kernel(nogil=True)
def scaled_rows(
    counter: Any, blocks: Any, rows: Any, rowptr: Any, col: Any, value: Any, x: Any, factors: Any, y: Any, out: Any
) -> None:
    """out_r = a (A x)_i + b y_i for row i = rows[r], with a, b = factors; y of no rows stands for zero.

    `blocks` are boundaries in `rows` of about equally many entries. Rows are summed in the order of their entries, so that
    neither threads nor the choice of rows change a bit.
    """
    a, b, last = factors[0], factors[1], col.shape[0] - 1
    block = next_block(counter)
    while block < blocks.shape[0] - 1:
        for r in range(blocks[block], blocks[block + 1]):
            i = rows[r]
            for f in range(x.shape[1]):
                out[r, f] = b * y[i, f] if y.shape[0] else 0
            add_rows(out, r, a, x, col, value, rowptr[i], rowptr[i + 1], last)
        block = next_block(counter)


@kernel(nogil=True)
def scaled_from_rows(
    counter: Any, blocks: Any, rowptr: Any, col: Any, value: Any, slot: Any, g: Any, factors: Any, longest: int, out: Any
) -> None:
    """Out = a A x + b x for an x whose only rows are g: row j of x is g[slot[j]], or zero where slot[j] < 0.

    `longest` is the largest number of entries of a row.
    """
    a, b = factors[0], factors[1]
    found, weight = np.empty(longest, slot.dtype), np.empty(longest, value.dtype)
    block = next_block(counter)
    while block < blocks.shape[0] - 1:
        for i in range(blocks[block], blocks[block + 1]):
            own, size = slot[i], 0
            for f in range(g.shape[1]):
                out[i, f] = b * g[own, f] if own >= 0 else 0
            for e in range(rowptr[i], rowptr[i + 1]):
                at = slot[col[e]]
                found[size], weight[size] = at, value[e]
                size += at >= 0
            add_rows(out, i, a, g, found, weight, 0, size, size - 1)
        block = next_block(counter)
