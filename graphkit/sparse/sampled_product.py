"""Inner products of the features of the two ends of every edge: the dense product X X^T where the operator has entries."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from graphkit.sparse.csr import CSR
from graphkit.sparse.structure import untraced

_BLOCK = 2**24
"""Numbers that a block of edges may hold."""


@torch.no_grad()
@untraced
def edge_products(pattern: CSR, x: Tensor | CSR) -> Tensor:
    """p_e = <x_i, x_j> for every stored entry e = (i, j); values of the operator do not matter.

    Args:
        pattern: A square operator of nnz entries.
        x: Features [N, F], dense or sparse.

    Returns:
        [nnz], float64 where x is, else float32. No gradients.

    Raises:
        ValueError: The operator and the features are of other numbers of nodes.
    """
    n = x.shape[0]
    if pattern.shape != (n, n):
        raise ValueError(f"inner products at edges need one row of features per node, got {pattern} and {list(x.shape)}.")
    row, col = pattern.row, pattern.col
    if isinstance(x, CSR):
        return _of_sparse(row, col, x)
    x = x if x.dtype == torch.float64 else x.float()
    size = max(_BLOCK // max(x.size(1), 1), 1)
    blocks = [(x[i] * x[j]).sum(1) for i, j in zip(row.split(size), col.split(size), strict=True)]
    return torch.cat([x.new_zeros(0), *blocks])


def _of_sparse(row: Tensor, col: Tensor, x: CSR) -> Tensor:
    """The same of sparse rows, in blocks of edges that hold as many entries."""
    from scipy.sparse import csr_array

    dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
    values = x.weights(dtype).detach().cpu().numpy()
    rows = csr_array((values, x.col.cpu().numpy(), x.rowptr.cpu().numpy()), shape=x.shape)
    i, j = row.cpu().numpy(), col.cpu().numpy()
    filled = np.diff(rows.indptr)[i].cumsum()
    bounds = np.searchsorted(filled, np.arange(_BLOCK, int(filled[-1]) if filled.size else 0, _BLOCK))
    found = np.zeros(i.size, dtype=values.dtype)
    for first, last in zip([0, *bounds], [*bounds, i.size], strict=True):
        found[first:last] = rows[i[first:last]].multiply(rows[j[first:last]]).sum(axis=1)
    return torch.from_numpy(found).to(row.device)
