"""A graph several times side by side, each copy without some of its entries: many perturbed graphs in one product."""

from __future__ import annotations

import torch
from torch import Tensor

from graphkit.sparse.csr import CSR
from graphkit.sparse.gathering import gather
from graphkit.sparse.structure import Structure, pointers


def copies(adj: CSR, kept: Tensor) -> CSR:
    """S copies of a graph as one block-diagonal operator, each with its own entries present, or with its own weights.

    Args:
        adj: The graph [N, N].
        kept: Which of the stored entries each copy keeps [S, nnz], bool: the others are not stored. Or, floating point, what
            their values are multiplied with; differentiable.

    Returns:
        [S N, S N]; copy s has the nodes s N to (s + 1) N. Entries that are absent in `adj` are in no copy.

    Raises:
        ValueError: The operator is not square, or `kept` does not fit it.
    """
    if adj.shape[0] != adj.shape[1]:
        raise ValueError(f"copies need a square operator, got {adj.shape[0]} x {adj.shape[1]}.")
    if kept.dim() != 2 or kept.size(1) != adj.nnz:
        raise ValueError(f"kept must have shape [S, {adj.nnz}], a column for each stored entry, got {list(kept.shape)}.")
    count, n = kept.size(0), adj.shape[0]
    stays = kept if kept.dtype == torch.bool else torch.ones_like(kept, dtype=torch.bool)
    # Entry by entry of one copy after the other: rows and columns ascend as they do in the graph.
    copy, entry = (stays if adj.mask is None else stays & adj.mask).nonzero().unbind(1)
    shift = copy * n
    rowptr = pointers(torch.bincount(adj.row[entry] + shift, minlength=count * n))
    structure = Structure(rowptr, adj.col[entry] + shift, (count * n, count * n))
    if kept.dtype != torch.bool:
        return CSR(structure, (kept * adj.weights(kept.dtype))[copy, entry])
    return CSR(structure, None if adj.value is None else adj.value[entry])


def stacked(x: Tensor | CSR, count: int) -> Tensor | CSR:
    """Features [N, F], dense or sparse, `count` times one below the other [count N, F]: those of `copies`."""
    n = x.shape[0]
    if isinstance(x, Tensor):
        return x if count == 1 else gather(x, torch.arange(n, device=x.device).repeat(count))
    structure = Structure(pointers(x.rowptr.diff().repeat(count)), x.col.repeat(count), (count * n, x.shape[1]))
    value = None if x.value is None else x.value.repeat(count)
    return CSR(structure, value, None if x.mask is None else x.mask.repeat(count))
