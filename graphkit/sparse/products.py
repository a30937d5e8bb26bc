"""Products of two sparse matrices as dense rows: a row costs the entries that it meets, however large the matrices are."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from graphkit.sparse.compiled.kernel import kernel
from graphkit.sparse.compiled.work import next_block, parallel_for
from graphkit.sparse.csr import CSR
from graphkit.sparse.structure import untraced

_ROWS = 8  # that a thread takes at a time


@untraced
def dense_product(a: CSR, b: CSR, dtype: torch.dtype | None = None) -> Tensor:
    """A B as a dense matrix [n, k]; without gradient.

    A row is summed in the order of its entries in A, so that it is the same whichever other rows are asked for. On the CPU the
    time is that of the sum over entries (i, j) of A of the entries of row j of B, and of writing the result.

    Args:
        a: [n, m].
        b: [m, k], on the same device.
        dtype: float32 or float64; default: that of the weights of `a`, or torch's default.

    Returns:
        [n, k].

    Raises:
        ValueError: If the shapes do not fit.
    """
    if a.shape[1] != b.shape[0]:
        raise ValueError(f"matrices of shapes {list(a.shape)} and {list(b.shape)} have no product.")
    dtype = dtype or a.dtype or torch.get_default_dtype()
    if a.device.type != "cpu":
        return (b.t() @ a.to_dense(dtype).t()).t()
    out = torch.zeros(a.shape[0], b.shape[1], dtype=dtype)
    left, right = (a.rowptr, a.col, a.weights(dtype)), (b.rowptr, b.col, b.weights(dtype))
    parallel_for(_products, *left, *right, out)
    return out


@kernel(nogil=True)
def _products(
    counter: Any, rowptr: Any, col: Any, value: Any, other_rowptr: Any, other_col: Any, other_value: Any, out: Any
) -> None:
    first = next_block(counter) * _ROWS
    while first < out.shape[0]:
        for i in range(first, min(first + _ROWS, out.shape[0])):
            row = out[i]
            for e in range(rowptr[i], rowptr[i + 1]):
                weight, j = value[e], col[e]
                for f in range(other_rowptr[j], other_rowptr[j + 1]):
                    row[other_col[f]] += weight * other_value[f]
        first = next_block(counter) * _ROWS
