"""Sparse times dense on the CPU, compiled: rows shared out evenly by entries, four entries a sweep, the next ones under way."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange

from graphkit.sparse.prefetch import ask

_AHEAD = 8  # entries between the one that is added and the one that is asked for


@njit(parallel=True, cache=True)
def rows_times(blocks: Any, rowptr: Any, col: Any, value: Any, x: Any, out: Any) -> None:
    """Multiply: out = A x. `value` of length 0 stands for ones, `blocks` are row boundaries of about equally many entries.

    Rows are summed in the order of their entries, so that threads do not change a bit.
    """
    channels = x.shape[1]
    ones = value.shape[0] == 0
    last = col.shape[0] - 1
    for block in prange(blocks.shape[0] - 1):
        for i in range(blocks[block], blocks[block + 1]):
            for f in range(channels):
                out[i, f] = 0
            e, end = rowptr[i], rowptr[i + 1]
            while e + 4 <= end:  # the running sum is loaded and stored a quarter as often
                if e + _AHEAD + 3 <= last:
                    for k in range(e + _AHEAD, e + _AHEAD + 4):
                        ask(x, col[k])
                a, b, c, d = np.uint64(col[e]), np.uint64(col[e + 1]), np.uint64(col[e + 2]), np.uint64(col[e + 3])
                if ones:
                    for f in range(channels):
                        out[i, f] += (x[a, f] + x[b, f]) + (x[c, f] + x[d, f])
                else:
                    p, q, r, s = value[e], value[e + 1], value[e + 2], value[e + 3]
                    for f in range(channels):
                        out[i, f] += (p * x[a, f] + q * x[b, f]) + (r * x[c, f] + s * x[d, f])
                e += 4
            while e < end:
                if e + _AHEAD <= last:
                    ask(x, col[e + _AHEAD])
                a = np.uint64(col[e])
                if ones:
                    for f in range(channels):
                        out[i, f] += x[a, f]
                else:
                    p = value[e]
                    for f in range(channels):
                        out[i, f] += p * x[a, f]
                e += 1
