"""The maximum over parts without the table of all similarities: find the winners first, then compare them alone."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from graphkit.prototypes.euclidean import nearest_in_samples
from graphkit.prototypes.parts import PartBatch
from graphkit.prototypes.pooling import Pooled, max_pool

with warnings.catch_warnings():
    # torch says once a process that its CSR tensors are in beta: let it say so here, to nobody.
    warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
    torch.zeros(1, 1).to_sparse_csr()

Compare = Callable[[Tensor], Tensor]

BLOCK = 1 << 23
"""Similarities that are held at a time while winners are looked for."""


def strongest(compare: Compare, compare_own: Compare, parts: PartBatch, *, points: Tensor | None = None) -> Pooled:
    """s_j = max over parts p of similarity(z_p, p_j), as `max_pool` of all similarities [B, P, M], values and gradients.

    The gradient of a maximum reaches its winner alone. So the winners are found block by block without gradients, and compared
    again with gradients. That saves the table of similarities, its gradient, and two products with a matrix that is zero nearly
    everywhere. It costs the embeddings of the winners [B, M, D]: where a sample has fewer parts than an embedding has numbers,
    these would be larger than the table, which is then made.

    Args:
        compare: From parts [..., D] to similarities [..., M].
        compare_own: From a part per prototype [..., M, D] to similarities [..., M].
        parts: Samples.
        points: The prototypes, if the nearest part in Euclidean distance is the most similar one. Winners are then found by a
            matrix product, several times as fast as distances pair by pair.
    """
    count, width, channels = parts.z.shape
    if width < channels and torch.is_grad_enabled():
        return max_pool(compare(parts.z), parts.mask)
    if width < channels or parts.z.is_cuda:  # few parts cost little, and products on a GPU may be rounded to fewer digits
        points = None
    with torch.no_grad():
        found = _found(compare, compare_own, parts, points)
    if not torch.is_grad_enabled():
        return found
    first = torch.arange(count, device=parts.z.device).unsqueeze(1) * width
    winners: Tensor = _Rows.apply(parts.z.reshape(-1, channels), (first + found.part).flatten())  # type: ignore[no-untyped-call]
    return Pooled(compare_own(winners.view(count, -1, channels)), found.part)


def _found(compare: Compare, compare_own: Compare, parts: PartBatch, points: Tensor | None) -> Pooled:
    """Winners without gradients, of as many samples at a time as fit into a block."""
    prototypes = compare(parts.z[:1, :1]).size(2)
    block = max(1, BLOCK // (parts.z.size(1) * prototypes))
    is_full = bool(parts.mask.all())  # then nothing is filled, which would copy every block
    pooled = []
    for z, mask in zip(parts.z.split(block), parts.mask.split(block), strict=True):
        if points is not None and (part := nearest_in_samples(z, mask, points)) is not None:
            pooled.append(Pooled(compare_own(z[torch.arange(len(z)).unsqueeze(1), part]), part))
            continue
        similarity = compare(z)
        pooled.append(Pooled(*similarity.max(dim=1)) if is_full else max_pool(similarity, mask))
    return Pooled(torch.cat([one.similarity for one in pooled]), torch.cat([one.part for one in pooled]))


class _Rows(torch.autograd.Function):
    """Rows of a table by index; on the CPU the gradient is a sparse product, since `index_add` runs in one thread."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, index: Tensor) -> Tensor:
        ctx.save_for_backward(index)
        ctx.rows = table.size(0)
        return table.index_select(0, index)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (index,) = ctx.saved_tensors
        if gradient.is_cuda:
            return gradient.new_zeros(ctx.rows, gradient.size(1)).index_add(0, index, gradient), None
        order = index.sort(stable=True)
        ptr = torch.searchsorted(order.values, torch.arange(ctx.rows + 1))
        ones = gradient.new_ones(index.numel())
        incidence = torch.sparse_csr_tensor(ptr, order.indices, ones, (ctx.rows, index.numel()), check_invariants=False)
        return incidence @ gradient, None
