"""The normalizations of an operator that convolutions ask for."""

from __future__ import annotations

import torch
from torch import Tensor

from graphkit.sparse.csr import CSR
from graphkit.sparse.edge_list import EdgeList
from graphkit.sparse.gathering import at_cols, at_rows
from graphkit.sparse.memo import remember
from graphkit.sparse.structure import untraced

NORMS = ("gcn", "mean", "sum", "directed")


@untraced
def normalize(csr: CSR, norm: str, *, self_loops: bool = True, dtype: torch.dtype | None = None) -> CSR:
    """A normalized operator, remembered as long as A lives where its values need no gradient; differentiable in the values.

    - `gcn`: D^-1/2 (A + I) D^-1/2 with D the row sums of A + I. A node that has a self-loop keeps its weight and gets none
      added, as PyG's `add_remaining_self_loops` does. Without `self_loops`: D^-1/2 A D^-1/2.
    - `mean`: D^-1 A with D the row sums of A.
    - `directed`: D_row^-1/2 A D_col^-1/2 with the row and the column sums of A: edges that arrive, and edges that leave, since
      rows are targets. On a symmetric operator this is `gcn` without self-loops; a rectangular operator may have it.
    - `sum`: A itself.

    A sum that is not positive gives zeros, never NaN.

    Args:
        csr: A; square for `gcn`.
        norm: One of `NORMS`.
        self_loops: Whether `gcn` adds I.
        dtype: Dtype of the result's values; default that of A's values, or float64 when they are all one, which is rounded
            once to the dtype of what it is multiplied with.

    Raises:
        ValueError: An unknown norm, or the operator is not square.
    """
    if norm == "sum":
        return csr
    if norm not in NORMS:
        raise ValueError(f"norm must be one of {', '.join(NORMS)}, got {norm!r}.")
    if norm == "gcn" and csr.shape[0] != csr.shape[1]:
        raise ValueError(f"norm={norm!r} needs a square operator, got {csr.shape[0]} x {csr.shape[1]}.")
    dtype = dtype or csr.dtype or torch.float64
    if isinstance(csr, EdgeList):
        return _listed(csr, norm, self_loops, dtype)
    if norm == "gcn":
        return remember(lambda: _gcn(csr, self_loops, dtype), ("gcn", self_loops, dtype), csr)
    make = _mean if norm == "mean" else _directed
    return remember(lambda: make(csr, dtype), (norm, dtype), csr)


def _gcn(csr: CSR, self_loops: bool, dtype: torch.dtype) -> CSR:
    # Looked up before loops are added: A and A + I are symmetric together, and A's answer is kept.
    symmetric = csr.symmetric
    base = csr.with_self_loops() if self_loops else csr
    inverse = _inverse_root(base.row_sum(dtype))
    # (d_i d_j) first: the product is then the same bits in both directions.
    return _scaled(base, at_rows(inverse, base.structure) * at_cols(inverse, base.structure), symmetric)


def _mean(csr: CSR, dtype: torch.dtype) -> CSR:
    total = csr.row_sum(dtype)
    return _scaled(csr, at_rows(torch.where(total != 0, total, 1.0).reciprocal(), csr.structure), symmetric=False)


def _directed(csr: CSR, dtype: torch.dtype) -> CSR:
    symmetric = csr.symmetric
    arriving = _inverse_root(csr.row_sum(dtype))
    leaving = arriving if symmetric else _inverse_root(csr.t().row_sum(dtype))
    return _scaled(csr, at_rows(arriving, csr.structure) * at_cols(leaving, csr.structure), symmetric)


def _listed(edges: EdgeList, norm: str, self_loops: bool, dtype: torch.dtype) -> EdgeList:
    """The same of a list of edges."""
    if norm == "mean":
        total = edges.row_sum(dtype)
        return edges.scaled(torch.where(total != 0, total, 1.0).reciprocal())
    base = edges.with_self_loops() if norm == "gcn" and self_loops else edges
    arriving = _inverse_root(base.row_sum(dtype))
    return base.scaled(arriving, arriving if norm == "gcn" else _inverse_root(base.t().row_sum(dtype)))


def _inverse_root(total: Tensor) -> Tensor:
    """total^-1/2, zero where it is not positive."""
    positive = total > 0
    return torch.where(positive, torch.where(positive, total, 1.0).rsqrt(), 0.0)


def _scaled(csr: CSR, scale: Tensor, symmetric: bool) -> CSR:
    value = scale if csr.value is None else csr.weights(scale.dtype) * scale
    return csr.with_value(value, symmetric=True if symmetric else None)
