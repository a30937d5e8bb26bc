"""Compiled kernels of sheaf operators on the CPU: values at the ends of edges and small matrices on edges.

Values lie end by end, [2 m, C], so that what an edge is asked for lies together. Sums run in a fixed order, so that threads do
not change a bit. `size` is any tuple of length d, the order of the matrices: kernels are compiled for each d.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from graphkit.sparse.block_products import (
    add_diagonal_squares,
    add_squares,
    set_diagonal_gradients,
    set_diagonal_products,
    set_gradients,
    set_products,
)
from graphkit.sparse.block_sums import set_blocks, set_dots, set_sum_of_two, set_sums
from graphkit.sparse.shared_work import take

_TASK = 256  # ends or edges
_AHEAD = 8  # edges between the one that is computed and the one whose numbers are asked for


@njit(nogil=True, cache=True)
def add_ends(counter: Any, nodes: Any, own: Any, other: Any, out: Any) -> None:
    """out[e, 0] = nodes[own[e], 0] + nodes[other[e], 1] for nodes [N, 2, C]."""
    first = take(counter) * _TASK
    while first < own.shape[0]:
        for e in range(first, min(first + _TASK, own.shape[0])):
            set_sum_of_two(out, e, nodes, own[e], other[e])
        first = take(counter) * _TASK


@njit(nogil=True, cache=True)
def sum_ends(counter: Any, blocks: Any, rowptr: Any, end: Any, values: Any, out: Any) -> None:
    """out[i, 0] = sum of values[end[e], 0] over the entries e of row i, out[i, 1] that of the opposite ends."""
    block = take(counter)
    while block < blocks.shape[0] - 1:
        for i in range(blocks[block], blocks[block + 1]):
            set_sums(out, i, values, end, rowptr[i], rowptr[i + 1])
        block = take(counter)


@njit(nogil=True, cache=True)
def products(counter: Any, size: Any, f: Any, weight: Any, upper: Any, lower: Any, out: Any) -> None:
    """T_k = w_k F_k^T F_(m+k) for maps f [2 m, d d], to out[upper[k]] and transposed to out[lower[k]].

    `weight` of length 0 stands for ones. Diagonal maps and all that is made of them are [2 m, d].
    """
    pairs, diagonal = upper.shape[0], f.shape[1] == len(size)
    first = take(counter) * _TASK
    while first < pairs:
        for k in range(first, min(first + _TASK, pairs)):
            w = weight[k] if weight.shape[0] else f.dtype.type(1)
            ahead = lower[min(k + _AHEAD, pairs - 1)]
            if diagonal:
                set_diagonal_products(size, f, k, pairs + k, w, out, upper[k], lower[k], ahead)
            else:
                set_products(size, f, k, pairs + k, w, out, upper[k], lower[k], ahead)
        first = take(counter) * _TASK


@njit(nogil=True, cache=True)
def degrees(counter: Any, size: Any, blocks: Any, rowptr: Any, end: Any, f: Any, weight: Any, out: Any) -> None:
    """out[i] = sum of w F^T F over the ends at node i: upper triangles [N, d (d + 1) / 2], or diagonals [N, d]."""
    pairs, diagonal = f.shape[0] // 2, f.shape[1] == len(size)
    block = take(counter)
    while block < blocks.shape[0] - 1:
        for i in range(blocks[block], blocks[block + 1]):
            for a in range(out.shape[1]):
                out[i, a] = 0
            for e in range(rowptr[i], rowptr[i + 1]):
                k = end[e]
                w = weight[k % pairs] if weight.shape[0] else f.dtype.type(1)
                if diagonal:
                    add_diagonal_squares(size, f, k, w, out, i)
                else:
                    add_squares(size, f, k, w, out, i)
        block = take(counter)


@njit(nogil=True, cache=True)
def products_backward(
    counter: Any,
    size: Any,
    f: Any,
    weight: Any,
    low: Any,
    high: Any,
    upper: Any,
    lower: Any,
    grad: Any,
    grad_degree: Any,
    grad_f: Any,
    grad_weight: Any,
) -> None:
    """Gradients of `products` and, unless `grad_degree` is None, `degrees`.

    Those of the maps, and those of the weights unless `grad_weight` is empty.
    """
    pairs, diagonal = upper.shape[0], f.shape[1] == len(size)
    first = take(counter) * _TASK
    while first < pairs:
        for k in range(first, min(first + _TASK, pairs)):
            w = weight[k] if weight.shape[0] else f.dtype.type(1)
            i, j, ahead = upper[k], lower[k], lower[min(k + _AHEAD, pairs - 1)]
            p, q = low[k], high[k]
            if diagonal:
                energy = set_diagonal_gradients(size, f, k, pairs + k, w, grad, i, j, ahead, grad_degree, p, q, grad_f)
            else:
                energy = set_gradients(size, f, k, pairs + k, w, grad, i, j, ahead, grad_degree, p, q, grad_f)
            if grad_weight.shape[0]:
                grad_weight[k] = energy
        first = take(counter) * _TASK


@njit(nogil=True, cache=True)
def scaled(
    counter: Any, size: Any, more: Any, blocks: Any, nodes: Any, root: Any, fixed: Any, ones: Any, x: Any, out: Any
) -> None:
    """out[i] = S_i x[i] for x [N, d + k, h]; `nodes` counts the rows, `more` is any tuple of length k.

    S is [N, d, d], or its diagonals [N, 1, d], and fixed [N] for the last k dimensions; `ones` [k].
    """
    block = take(counter)
    while block < blocks.shape[0] - 1:
        for i in range(blocks[block], blocks[block + 1]):
            set_blocks(size, more, out, i, x, nodes, root, fixed, ones, i, i + 1, i)
        block = take(counter)


@njit(nogil=True, cache=True)
def diffused(
    counter: Any,
    size: Any,
    more: Any,
    blocks: Any,
    rowptr: Any,
    col: Any,
    value: Any,
    weight: Any,
    signs: Any,
    nodes: Any,
    root: Any,
    fixed: Any,
    ones: Any,
    x: Any,
    u: Any,
    v: Any,
    out: Any,
) -> None:
    """v[i] = u[i] + sum of T_e u[col[e]] over the entries of row i, and out[i] = x[i] - S_i v[i]; S as in `scaled`.

    T is [nnz, d, d], or its diagonals [nnz, 1, d], and weight [nnz] times signs [k] for the last k dimensions.
    """
    last = col.shape[0] - 1
    block = take(counter)
    while block < blocks.shape[0] - 1:
        for i in range(blocks[block], blocks[block + 1]):
            set_blocks(size, more, v, i, u, col, value, weight, signs, rowptr[i], rowptr[i + 1], last)
            for a in range(x.shape[1]):
                for f in range(x.shape[2]):
                    v[i, a, f] += u[i, a, f]
            set_blocks(size, more, out, i, v, nodes, root, fixed, ones, i, i + 1, i)
            for a in range(x.shape[1]):
                for f in range(x.shape[2]):
                    out[i, a, f] = x[i, a, f] - out[i, a, f]
        block = take(counter)


@njit(nogil=True, cache=True)
def dots(counter: Any, size: Any, low: Any, high: Any, to: Any, a: Any, b: Any, c: Any, d: Any, out: Any) -> None:
    """out[to[k]] = -a[low[k]] b[high[k]]^T - c[low[k]] d[high[k]]^T; for out [nnz, 1, d], the diagonals of that.

    Of dimensions below d; the arrays may have more.
    """
    pairs = low.shape[0]
    first = take(counter) * _TASK
    while first < pairs:
        for k in range(first, min(first + _TASK, pairs)):
            set_dots(size, out, to[k], a, b, c, d, low[k], high[k], high[min(k + _AHEAD, pairs - 1)])
        first = take(counter) * _TASK
