"""One step of Horner's scheme for a sparse matrix on the CPU, compiled: product, scale and addition in one sweep."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange


@njit(parallel=True, cache=True, fastmath={"contract"})
def scaled_rows(blocks: Any, rows: Any, rowptr: Any, col: Any, value: Any, x: Any, factors: Any, y: Any, out: Any) -> None:
    """out_r = a (A x)_i + b y_i for row i = rows[r], with a, b = factors; y of no rows stands for zero.

    `blocks` are boundaries in `rows` of about equally many entries. Rows are summed in the order of their entries, so that
    neither threads nor the choice of rows change a bit.
    """
    channels = x.shape[1]
    a, b = factors[0], factors[1]
    for block in prange(blocks.shape[0] - 1):
        for r in range(blocks[block], blocks[block + 1]):
            i = rows[r]
            if y.shape[0] == 0:
                for f in range(channels):
                    out[r, f] = 0
            else:
                for f in range(channels):
                    out[r, f] = b * y[i, f]
            e, end = rowptr[i], rowptr[i + 1]
            while e + 4 <= end:  # the running sum is loaded and stored a quarter as often
                j, k, m, n = np.uint64(col[e]), np.uint64(col[e + 1]), np.uint64(col[e + 2]), np.uint64(col[e + 3])
                p, q, s, t = a * value[e], a * value[e + 1], a * value[e + 2], a * value[e + 3]
                for f in range(channels):
                    out[r, f] += (p * x[j, f] + q * x[k, f]) + (s * x[m, f] + t * x[n, f])
                e += 4
            while e < end:
                j, p = np.uint64(col[e]), a * value[e]
                for f in range(channels):
                    out[r, f] += p * x[j, f]
                e += 1


@njit(parallel=True, cache=True, fastmath={"contract"})
def scaled_from_rows(blocks: Any, rowptr: Any, col: Any, value: Any, slot: Any, g: Any, factors: Any, out: Any) -> None:
    """Out = a A x + b x for an x whose only rows are g: row j of x is g[slot[j]], or zero where slot[j] < 0."""
    channels = g.shape[1]
    a, b = factors[0], factors[1]
    for block in prange(blocks.shape[0] - 1):
        for i in range(blocks[block], blocks[block + 1]):
            own = slot[i]
            if own < 0:
                for f in range(channels):
                    out[i, f] = 0
            else:
                for f in range(channels):
                    out[i, f] = b * g[own, f]
            for e in range(rowptr[i], rowptr[i + 1]):
                at = slot[col[e]]
                if at >= 0:
                    p = a * value[e]
                    for f in range(channels):
                        out[i, f] += p * g[at, f]
