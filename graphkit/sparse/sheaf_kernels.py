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


@njit(cache=True)
def _triangle(d: int, a: int, b: int) -> int:
    """Where (a, b) with a <= b lies in an upper triangle, row by row."""
    return a * d - a * (a - 1) // 2 + b - a


@njit(parallel=True, cache=True)
def products(f: Any, weight: Any, upper: Any, lower: Any, out: Any, gram: Any) -> None:
    """T_k = w_k F_k^T F_(m+k) for maps f [r, d, 2 m], to out[upper[k]] and transposed to out[lower[k]], out [2 m, d, d].

    gram [d (d + 1) / 2, 2 m] is the upper triangle of w F^T F of each end, row by row, unless it is empty. `weight` of length 0
    stands for ones.
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
                    value = total[k] * w[k]
                    out[np.uint64(upper[first + k]), a, b] = value
                    out[np.uint64(lower[first + k]), b, a] = value
                if gram.shape[0] == 0 or b < a:
                    continue
                for start in (first, pairs + first):
                    total[:] = 0
                    for c in range(r):
                        p, q = f[c, a, start : start + lanes], f[c, b, start : start + lanes]
                        for k in range(lanes):
                            total[k] += p[k] * q[k]
                    to = gram[_triangle(d, a, b), start : start + lanes]
                    for k in range(lanes):
                        to[k] = total[k] * w[k]


@njit(parallel=True, cache=True)
def products_backward(
    f: Any, weight: Any, upper: Any, lower: Any, grad: Any, grad_gram: Any, grad_f: Any, grad_weight: Any
) -> None:
    """Gradients of `products`: of the maps, and of the weights unless `grad_weight` (zeros at first) is empty."""
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
            u, v = np.uint64(upper[first + k]), np.uint64(lower[first + k])
            for a in range(d):
                for b in range(d):
                    g[a, b, k] = grad[u, a, b] + grad[v, b, a]
        for side in range(2):
            start, turned = first + side * pairs, first + (1 - side) * pairs
            for c in range(r):
                for a in range(d):
                    here, own = grad_f[c, a, start : start + lanes], f[c, a, start : start + lanes]
                    here[:] = 0
                    for b in range(d):
                        p, q = f[c, b, turned : turned + lanes], g[a, b] if side == 0 else g[b, a]
                        for k in range(lanes):
                            here[k] += p[k] * q[k]
                    if grad_weight.shape[0] and side == 0:
                        dw = grad_weight[first : first + lanes]
                        for k in range(lanes):
                            dw[k] += here[k] * own[k]
                    if grad_gram.shape[0]:
                        for b in range(d):
                            p = f[c, b, start : start + lanes]
                            q = grad_gram[_triangle(d, min(a, b), max(a, b)), start : start + lanes]
                            for _ in range(2 if a == b else 1):
                                for k in range(lanes):
                                    here[k] += p[k] * q[k]
                            if grad_weight.shape[0] and b >= a:
                                dw = grad_weight[first : first + lanes]
                                for k in range(lanes):
                                    dw[k] += own[k] * p[k] * q[k]
                    for k in range(lanes):
                        here[k] *= w[k]


@njit(parallel=True, cache=True)
def diagonal_products(f: Any, weight: Any, upper: Any, lower: Any, out: Any, gram: Any) -> None:
    """`products` for diagonal maps f [d, 2 m], out [2 m, 1, d] and gram [d, 2 m]."""
    d, ends = f.shape
    pairs = ends // 2
    for task in prange(-(-pairs // _LANES)):
        first = task * _LANES
        lanes = min(_LANES, pairs - first)
        w = np.ones(lanes, f.dtype)
        if weight.shape[0]:
            w[:] = weight[first : first + lanes]
        for a in range(d):
            p, q = f[a, first : first + lanes], f[a, pairs + first : pairs + first + lanes]
            s, t = gram[a, first : first + lanes], gram[a, pairs + first : pairs + first + lanes]
            for k in range(lanes):
                s[k] = w[k] * p[k] * p[k]
                t[k] = w[k] * q[k] * q[k]
        for k in range(lanes):
            i, j = np.uint64(upper[first + k]), np.uint64(lower[first + k])
            for a in range(d):
                value = w[k] * f[a, first + k] * f[a, pairs + first + k]
                out[i, 0, a] = value
                out[j, 0, a] = value


@njit(parallel=True, cache=True)
def diagonal_products_backward(
    f: Any, weight: Any, upper: Any, lower: Any, grad: Any, grad_gram: Any, grad_f: Any, grad_weight: Any
) -> None:
    """Gradients of `diagonal_products`, as in `products_backward`."""
    d, ends = f.shape
    pairs = ends // 2
    for task in prange(-(-pairs // _LANES)):
        first = task * _LANES
        lanes = min(_LANES, pairs - first)
        g = np.empty((d, lanes), f.dtype)
        w = np.ones(lanes, f.dtype)
        if weight.shape[0]:
            w[:] = weight[first : first + lanes]
        for k in range(lanes):
            i, j = np.uint64(upper[first + k]), np.uint64(lower[first + k])
            for a in range(d):
                g[a, k] = grad[i, 0, a] + grad[j, 0, a]
        for a in range(d):
            p, q = f[a, first : first + lanes], f[a, pairs + first : pairs + first + lanes]
            s, t = grad_gram[a, first : first + lanes], grad_gram[a, pairs + first : pairs + first + lanes]
            x, y = grad_f[a, first : first + lanes], grad_f[a, pairs + first : pairs + first + lanes]
            if grad_weight.shape[0]:
                dw = grad_weight[first : first + lanes]
                for k in range(lanes):
                    dw[k] += g[a, k] * p[k] * q[k] + s[k] * p[k] * p[k] + t[k] * q[k] * q[k]
            for k in range(lanes):
                x[k] = w[k] * (g[a, k] * q[k] + (s[k] + s[k]) * p[k])
                y[k] = w[k] * (g[a, k] * p[k] + (t[k] + t[k]) * q[k])


@njit(parallel=True, cache=True)
def rows_times_blocks(blocks: Any, rowptr: Any, col: Any, value: Any, x: Any, out: Any) -> None:
    """out[i] = sum of T_e x[col[e]] over the entries of row i; x [N, d, h] and T [nnz, d, d], or its diagonals [nnz, 1, d]."""
    d, channels = x.shape[1], x.shape[2]
    diagonal = value.shape[1] == 1
    for block in prange(blocks.shape[0] - 1):
        for i in range(blocks[block], blocks[block + 1]):
            for a in range(d):
                for f in range(channels):
                    out[i, a, f] = 0
            e, end = rowptr[i], rowptr[i + 1]
            while e + 4 <= end:  # the running sum is loaded and stored a quarter as often
                i0, i1, i2, i3 = np.uint64(e), np.uint64(e + 1), np.uint64(e + 2), np.uint64(e + 3)
                j0, j1, j2, j3 = np.uint64(col[i0]), np.uint64(col[i1]), np.uint64(col[i2]), np.uint64(col[i3])
                for a in range(d):
                    row = np.uint64(0 if diagonal else a)
                    for c in range(a if diagonal else 0, a + 1 if diagonal else d):
                        b = np.uint64(c)
                        p, q, r, s = value[i0, row, b], value[i1, row, b], value[i2, row, b], value[i3, row, b]
                        for f in range(channels):
                            out[i, a, f] += (p * x[j0, b, f] + q * x[j1, b, f]) + (r * x[j2, b, f] + s * x[j3, b, f])
                e += 4
            while e < end:
                i0 = np.uint64(e)
                j0 = np.uint64(col[i0])
                for a in range(d):
                    row = np.uint64(0 if diagonal else a)
                    for c in range(a if diagonal else 0, a + 1 if diagonal else d):
                        b = np.uint64(c)
                        p = value[i0, row, b]
                        for f in range(channels):
                            out[i, a, f] += p * x[j0, b, f]
                e += 1


@njit(parallel=True, cache=True, fastmath={"reassoc", "contract"})
def pair_dots(low: Any, high: Any, to: Any, left: Any, right: Any, out: Any) -> None:
    """out[to[k], a, b] = <left[low[k], a], right[high[k], b]>; for out [nnz, 1, d], the diagonals of that."""
    d, channels = left.shape[1], left.shape[2]
    diagonal = out.shape[1] == 1
    pairs = low.shape[0]
    for task in prange(-(-pairs // _LANES)):
        zero = np.zeros(1, left.dtype)[0]
        for k in range(task * _LANES, min(task * _LANES + _LANES, pairs)):
            i, j, e = np.uint64(low[k]), np.uint64(high[k]), np.uint64(to[k])
            for a in range(d):
                row = np.uint64(0 if diagonal else a)
                for c in range(a if diagonal else 0, a + 1 if diagonal else d):
                    b = np.uint64(c)
                    total = zero
                    for f in range(channels):
                        total += left[i, a, f] * right[j, b, f]
                    out[e, row, b] = total
