"""Compiled kernels of sheaf operators on the CPU: values at the ends of edges and small matrices on edges.

Values at ends lie channel by channel, [C, 2 m]: a step of a small matrix product is then one loop over consecutive ends, which
the compiler turns into vector instructions whatever the size of the matrices. Sums run in a fixed order, so that threads do not
change a bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange

_LANES = 256  # ends or edges a task


@njit(parallel=True, cache=True)
def add_ends(nodes: Any, own: Any, other: Any, out: Any) -> None:
    """out[q, e] = nodes[own[e], q] + nodes[other[e], p + q] for out [p, ends]; without p + q, the first term alone."""
    p, ends = out.shape
    both = nodes.shape[1] == 2 * p
    for task in prange(-(-ends // _LANES)):
        first = task * _LANES
        for e in range(first, min(first + _LANES, ends)):
            a, b = np.uint64(own[e]), np.uint64(other[e])
            for q in range(p):
                out[q, e] = nodes[a, q] + nodes[b, p + q] if both else nodes[a, q]


@njit(parallel=True, cache=True)
def sum_ends(blocks: Any, rowptr: Any, end: Any, values: Any, out: Any) -> None:
    """out[i, q] += the values[q, end[e]] of the entries e of row i."""
    for block in prange(blocks.shape[0] - 1):
        for q in range(values.shape[0]):
            channel = values[q]
            for i in range(blocks[block], blocks[block + 1]):
                total = out[i, q]
                for e in range(rowptr[i], rowptr[i + 1]):
                    total += channel[np.uint64(end[e])]
                out[i, q] = total


@njit(parallel=True, cache=True)
def products(f: Any, weight: Any, out: Any, gram: Any) -> None:
    """out[k] = w_k F_k^T F_(m+k) for maps f [r, d, 2 m] and out [m, d, d]; gram [d, d, 2 m] = w F^T F, unless it is empty.

    `weight` of length 0 stands for ones.
    """
    r, d, ends = f.shape
    pairs = ends // 2
    for task in prange(-(-pairs // _LANES)):
        first = task * _LANES
        lanes = min(_LANES, pairs - first)
        total = np.empty(lanes, f.dtype)
        w = np.ones(lanes, f.dtype)
        if weight.shape[0]:
            w[:] = weight[first : first + lanes]
        for a in range(d):
            for b in range(d):
                total[:] = 0
                for c in range(r):
                    p, q = f[c, a, first : first + lanes], f[c, b, pairs + first : pairs + first + lanes]
                    for k in range(lanes):
                        total[k] += p[k] * q[k]
                for k in range(lanes):
                    out[first + k, a, b] = total[k] * w[k]
                if gram.shape[0] == 0 or b < a:
                    continue
                for start in (first, pairs + first):
                    total[:] = 0
                    for c in range(r):
                        p, q = f[c, a, start : start + lanes], f[c, b, start : start + lanes]
                        for k in range(lanes):
                            total[k] += p[k] * q[k]
                    for k in range(lanes):
                        gram[a, b, start + k] = gram[b, a, start + k] = total[k] * w[k]


@njit(parallel=True, cache=True)
def products_backward(f: Any, weight: Any, grad: Any, grad_gram: Any, grad_f: Any, grad_weight: Any) -> None:
    """Gradients of `products`: of the maps, and of the weights unless `grad_weight` is empty."""
    r, d, ends = f.shape
    pairs = ends // 2
    for task in prange(-(-pairs // _LANES)):
        first = task * _LANES
        lanes = min(_LANES, pairs - first)
        g = np.empty((d, d, lanes), f.dtype)
        w = np.ones(lanes, f.dtype)
        if weight.shape[0]:
            w[:] = weight[first : first + lanes]
        for k in range(lanes):
            for a in range(d):
                for b in range(d):
                    g[a, b, k] = grad[first + k, a, b]
        for side in range(2):
            start, turned = first + side * pairs, first + (1 - side) * pairs
            for c in range(r):
                for a in range(d):
                    here = grad_f[c, a, start : start + lanes]
                    here[:] = 0
                    for b in range(d):
                        p, q = f[c, b, turned : turned + lanes], g[a, b] if side == 0 else g[b, a]
                        for k in range(lanes):
                            here[k] += p[k] * q[k]
                    own = f[c, a, start : start + lanes]
                    if grad_weight.shape[0] and side == 0:
                        dw = grad_weight[first : first + lanes]
                        for k in range(lanes):
                            dw[k] += here[k] * own[k]
                    if grad_gram.shape[0]:
                        for b in range(d):
                            p, q = f[c, b, start : start + lanes], grad_gram[a, b, start : start + lanes]
                            s = grad_gram[b, a, start : start + lanes]
                            for k in range(lanes):
                                here[k] += p[k] * (q[k] + s[k])
                            if grad_weight.shape[0]:
                                dw = grad_weight[first : first + lanes]
                                for k in range(lanes):
                                    dw[k] += own[k] * p[k] * q[k]
                    for k in range(lanes):
                        here[k] *= w[k]


@njit(parallel=True, cache=True)
def block_rows_times(blocks: Any, rowptr: Any, col: Any, pair: Any, block: Any, x: Any, out: Any) -> None:
    """out[i] += B_e x[col[e]] over the entries of row i, for x [N, d, h] and B [m, d, d], transposed where col < row."""
    d, channels = x.shape[1], x.shape[2]
    for task in prange(blocks.shape[0] - 1):
        matrix = np.empty((d, d), block.dtype)
        for i in range(blocks[task], blocks[task + 1]):
            for e in range(rowptr[i], rowptr[i + 1]):
                j, t = np.uint64(col[e]), block[np.uint64(pair[e])]
                for a in range(d):
                    for b in range(d):
                        matrix[a, b] = t[a, b] if i < col[e] else t[b, a]
                for a in range(d):
                    b = 0
                    while b + 3 <= d:
                        p, q, r = matrix[a, b], matrix[a, b + 1], matrix[a, b + 2]
                        for f in range(channels):
                            out[i, a, f] += p * x[j, b, f] + q * x[j, b + 1, f] + r * x[j, b + 2, f]
                        b += 3
                    while b < d:
                        p = matrix[a, b]
                        for f in range(channels):
                            out[i, a, f] += p * x[j, b, f]
                        b += 1


@njit(parallel=True, cache=True)
def diagonal_rows_times(blocks: Any, rowptr: Any, col: Any, pair: Any, block: Any, x: Any, out: Any) -> None:
    """out[i] += diag(b_e) x[col[e]] over the entries of row i, for x [N, d, h] and b [d, m]."""
    d, channels = x.shape[1], x.shape[2]
    for task in prange(blocks.shape[0] - 1):
        for i in range(blocks[task], blocks[task + 1]):
            e, end = rowptr[i], rowptr[i + 1]
            while e + 2 <= end:
                j, k = np.uint64(col[e]), np.uint64(col[e + 1])
                s, t = np.uint64(pair[e]), np.uint64(pair[e + 1])
                for a in range(d):
                    p, q = block[a, s], block[a, t]
                    for f in range(channels):
                        out[i, a, f] += p * x[j, a, f] + q * x[k, a, f]
                e += 2
            if e < end:
                j, s = np.uint64(col[e]), np.uint64(pair[e])
                for a in range(d):
                    p = block[a, s]
                    for f in range(channels):
                        out[i, a, f] += p * x[j, a, f]


@njit(parallel=True, cache=True, fastmath={"reassoc", "contract"})
def block_pair_dots(low: Any, high: Any, g: Any, x: Any, out: Any) -> None:
    """out[k, a, b] = <g[low, a], x[high, b]> + <x[low, a], g[high, b]> over channels, for out [m, d, d]."""
    d, channels = x.shape[1], x.shape[2]
    pairs = low.shape[0]
    for task in prange(-(-pairs // _LANES)):
        first = task * _LANES
        for k in range(first, min(first + _LANES, pairs)):
            i, j = np.uint64(low[k]), np.uint64(high[k])
            for a in range(d):
                b = 0
                while b + 3 <= d:
                    p = q = r = x[i, a, 0] * g[j, b, 0] * 0
                    for f in range(channels):
                        u, v = g[i, a, f], x[i, a, f]
                        p += u * x[j, b, f] + v * g[j, b, f]
                        q += u * x[j, b + 1, f] + v * g[j, b + 1, f]
                        r += u * x[j, b + 2, f] + v * g[j, b + 2, f]
                    out[k, a, b], out[k, a, b + 1], out[k, a, b + 2] = p, q, r
                    b += 3
                while b < d:
                    p = x[i, a, 0] * g[j, b, 0] * 0
                    for f in range(channels):
                        p += g[i, a, f] * x[j, b, f] + x[i, a, f] * g[j, b, f]
                    out[k, a, b] = p
                    b += 1


@njit(parallel=True, cache=True, fastmath={"reassoc", "contract"})
def diagonal_pair_dots(low: Any, high: Any, g: Any, x: Any, out: Any) -> None:
    """out[a, k] = <g[low, a], x[high, a]> + <x[low, a], g[high, a]> over channels, for out [d, m]."""
    d, channels = x.shape[1], x.shape[2]
    pairs = low.shape[0]
    for task in prange(-(-pairs // _LANES)):
        first = task * _LANES
        for k in range(first, min(first + _LANES, pairs)):
            i, j = np.uint64(low[k]), np.uint64(high[k])
            for a in range(d):
                p = x[i, a, 0] * 0
                for f in range(channels):
                    p += g[i, a, f] * x[j, a, f] + x[i, a, f] * g[j, a, f]
                out[a, k] = p
