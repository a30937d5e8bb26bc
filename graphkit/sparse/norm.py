"""The normalizations of an operator that convolutions ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from graphkit.sparse.gathering import at_cols, at_rows

if TYPE_CHECKING:
    from graphkit.sparse.csr import CSR


def gcn_norm(csr: CSR, self_loops: bool, dtype: torch.dtype | None) -> CSR:
    """D^-1/2 (A + I) D^-1/2, or without I; see `CSR.gcn_norm`."""
    if csr.shape[0] != csr.shape[1]:
        raise ValueError(f"gcn_norm needs a square operator, got {csr.shape[0]} x {csr.shape[1]}.")
    # Looked up before loops are added: A and A + I are symmetric together, and A's answer is kept.
    symmetric = csr.symmetric
    base = csr.with_self_loops() if self_loops else csr
    inverse = _inverse_root(base.row_sum(dtype or csr.dtype or torch.float64))
    # (d_i d_j) first: the product is then the same bits in both directions.
    return _scaled(base, at_rows(inverse, base.structure) * at_cols(inverse, base.structure), symmetric)


def mean_norm(csr: CSR, dtype: torch.dtype | None) -> CSR:
    """D^-1 A; see `CSR.mean_norm`."""
    total = csr.row_sum(dtype or csr.dtype or torch.float64)
    return _scaled(csr, at_rows(torch.where(total != 0, total, 1.0).reciprocal(), csr.structure), symmetric=False)


def directed_norm(csr: CSR, dtype: torch.dtype | None) -> CSR:
    """D_row^-1/2 A D_col^-1/2; see `CSR.directed_norm`."""
    if csr.shape[0] != csr.shape[1]:
        raise ValueError(f"directed_norm needs a square operator, got {csr.shape[0]} x {csr.shape[1]}.")
    dtype = dtype or csr.dtype or torch.float64
    symmetric = csr.symmetric
    arriving = _inverse_root(csr.row_sum(dtype))
    leaving = arriving if symmetric else _inverse_root(csr.t().row_sum(dtype))
    return _scaled(csr, at_rows(arriving, csr.structure) * at_cols(leaving, csr.structure), symmetric)


def _inverse_root(total: Tensor) -> Tensor:
    """total^-1/2, zero where it is not positive."""
    positive = total > 0
    return torch.where(positive, torch.where(positive, total, 1.0).rsqrt(), 0.0)


def _scaled(csr: CSR, scale: Tensor, symmetric: bool) -> CSR:
    value = scale if csr.value is None else csr.weights(scale.dtype) * scale
    return csr.with_value(value, symmetric=True if symmetric else None)
