"""Compiled kernels of sheaf operators on the CPU: values at the ends of edges, products of maps, diffusion.

Row by row of the symmetric pattern: entry e = (v, u) is the end at v, `twin[e]` the opposite one, whose numbers are gathered.
Sums run in a fixed order, so that threads do not change a bit. `size` is any tuple of length d, the order of the matrices:
kernels are compiled for each d. Diagonal matrices have one row [1, d], and maps at the ends no rows, [2 m, d].
"""

from __future__ import annotations

from typing import Any

from graphkit.sparse.compiled.kernel import kernel
from graphkit.sparse.compiled.work import next_block
from graphkit.sparse.sheaf.block_products import (
    set_diagonal_gradients,
    set_diagonal_node_gradients,
    set_diagonal_products,
    set_diagonal_products_from_nodes,
    set_gradients,
    set_node_gradients,
    set_products,
    set_products_from_nodes,
)
from graphkit.sparse.sheaf.block_sums import set_blocks, set_dots, set_ends, set_sums


@kernel(nogil=True)
def add_ends(counter: Any, blocks: Any, rowptr: Any, col: Any, nodes: Any, out: Any) -> None:
    """out[e, 0] = nodes[i, 0] + nodes[col[e], 1] for the entries e of row i and nodes [N, 2, C]."""
    block = next_block(counter)
    while block < blocks.shape[0] - 1:
        for i in range(blocks[block], blocks[block + 1]):
            set_ends(out, nodes, i, col, rowptr[i], rowptr[i + 1])
        block = next_block(counter)


@kernel(nogil=True)
def sum_ends(counter: Any, blocks: Any, rowptr: Any, twin: Any, values: Any, out: Any) -> None:
    """out[i, 0] = sum of values[e, 0] over the entries e of row i, out[i, 1] = that of values[twin[e], 0]."""
    last = twin.shape[0] - 1
    block = next_block(counter)
    while block < blocks.shape[0] - 1:
        for i in range(blocks[block], blocks[block + 1]):
            set_sums(out, i, values, twin, rowptr[i], rowptr[i + 1], last)
        block = next_block(counter)


@kernel(nogil=True)
def products(counter: Any, size: Any, blocks: Any, rowptr: Any, twin: Any, f: Any, weight: Any, out: Any, degree: Any) -> None:
    """T_e = w_e F_e^T F_twin(e) for maps f [2 m, d d], and the degrees D_i = the sum of w_e F_e^T F_e over row i.

    Degrees are upper triangles [N, d (d + 1) / 2], or None where they are not wanted. `weight` of length 1 is that of all
    entries. Diagonal maps, and all that is made of them, are [.., d].
    """
    last, diagonal = twin.shape[0] - 1, f.shape[1] == len(size)
    block = next_block(counter)
    while block < blocks.shape[0] - 1:
        for i in range(blocks[block], blocks[block + 1]):
            if diagonal:
                set_diagonal_products(size, f, twin, weight, out, degree, i, rowptr[i], rowptr[i + 1], last)
            else:
                set_products(size, f, twin, weight, out, degree, i, rowptr[i], rowptr[i + 1], last)
        block = next_block(counter)


@kernel(nogil=True)
def products_backward(
    counter: Any,
    size: Any,
    blocks: Any,
    rowptr: Any,
    twin: Any,
    f: Any,
    weight: Any,
    grad: Any,
    grad_degree: Any,
    grad_f: Any,
    grad_weight: Any,
) -> None:
    """Gradients of `products`: those of the maps, and those of the weights unless `grad_weight` is None."""
    last, diagonal = twin.shape[0] - 1, f.shape[1] == len(size)
    block = next_block(counter)
    while block < blocks.shape[0] - 1:
        for i in range(blocks[block], blocks[block + 1]):
            begin, end = rowptr[i], rowptr[i + 1]
            if diagonal:
                set_diagonal_gradients(size, f, twin, weight, grad, grad_degree, grad_f, grad_weight, i, begin, end, last)
            else:
                set_gradients(size, f, twin, weight, grad, grad_degree, grad_f, grad_weight, i, begin, end, last)
        block = next_block(counter)


@kernel(nogil=True)
def tanh_products(
    counter: Any, size: Any, blocks: Any, rowptr: Any, col: Any, nodes: Any, weight: Any, out: Any, degree: Any
) -> None:
    """`products` of f[e] = tanh(a[i] + b[col[e]]) with (a, b) side by side, nodes [N, 2 d d] or [N, 2 d]; f is not kept."""
    diagonal = nodes.shape[1] == 2 * len(size)
    block = next_block(counter)
    while block < blocks.shape[0] - 1:
        for i in range(blocks[block], blocks[block + 1]):
            if diagonal:
                set_diagonal_products_from_nodes(size, nodes, col, weight, out, degree, i, rowptr[i], rowptr[i + 1])
            else:
                set_products_from_nodes(size, nodes, col, weight, out, degree, i, rowptr[i], rowptr[i + 1])
        block = next_block(counter)


@kernel(nogil=True)
def tanh_products_backward(
    counter: Any,
    size: Any,
    blocks: Any,
    rowptr: Any,
    twin: Any,
    col: Any,
    nodes: Any,
    weight: Any,
    grad: Any,
    grad_degree: Any,
    grad_nodes: Any,
    grad_weight: Any,
) -> None:
    """Gradients of `tanh_products`: grad_nodes [2 N, ..], two rows per node, and those of the weights unless None."""
    last, diagonal = twin.shape[0] - 1, nodes.shape[1] == 2 * len(size)
    block = next_block(counter)
    while block < blocks.shape[0] - 1:
        for i in range(blocks[block], blocks[block + 1]):
            begin, end = rowptr[i], rowptr[i + 1]
            if diagonal:
                set_diagonal_node_gradients(
                    size, nodes, twin, col, weight, grad, grad_degree, grad_nodes, grad_weight, i, begin, end, last
                )
            else:
                set_node_gradients(
                    size, nodes, twin, col, weight, grad, grad_degree, grad_nodes, grad_weight, i, begin, end, last
                )
        block = next_block(counter)


@kernel(nogil=True)
def scaled(
    counter: Any, size: Any, more: Any, blocks: Any, nodes: Any, root: Any, fixed: Any, ones: Any, x: Any, out: Any
) -> None:
    """out[i] = S_i x[i] for x [N, d + k, h]; `nodes` counts the rows, `more` is any tuple of length k.

    S is [N, d, d], or its diagonals [N, 1, d], and fixed [N] for the last k dimensions; `ones` [k].
    """
    block = next_block(counter)
    while block < blocks.shape[0] - 1:
        for i in range(blocks[block], blocks[block + 1]):
            set_blocks(size, more, out, i, x, nodes, root, fixed, ones, i, i + 1, i, None, None)
        block = next_block(counter)


@kernel(nogil=True)
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
    other: Any,
    grad_value: Any,
    before: Any,
    moved: Any,
    grad_root: Any,
) -> None:
    """v[i] = u[i] + sum of T_e u[col[e]] over the entries of row i, and out[i] = x[i] - S_i v[i]; S as in `scaled`.

    T is [nnz, d, d], or its diagonals [nnz, 1, d], and weight [nnz] times signs [k] for the last k dimensions. Outputs:

    - `v`: u + T u.
    - `out`: x - S v.
    - `grad_value` (optional): -other[i] u[col[e]]^T, of the d learned dimensions; diagonals where T has diagonals.
    - `grad_root` (optional): -x[i] moved[i]^T - v[i] before[i]^T, likewise.
    """
    last = col.shape[0] - 1
    block = next_block(counter)
    while block < blocks.shape[0] - 1:
        for i in range(blocks[block], blocks[block + 1]):
            first, end = rowptr[i], rowptr[i + 1]
            set_blocks(size, more, v, i, u, col, value, weight, signs, first, end, last, other, grad_value)
            for a in range(x.shape[1]):
                for f in range(x.shape[2]):
                    v[i, a, f] += u[i, a, f]
            set_blocks(size, more, out, i, v, nodes, root, fixed, ones, i, i + 1, i, None, None)
            for a in range(x.shape[1]):
                for f in range(x.shape[2]):
                    out[i, a, f] = x[i, a, f] - out[i, a, f]
            if grad_root is not None:
                set_dots(size, grad_root, i, x, moved, v, before)
        block = next_block(counter)
