"""Hadamard product of the two ends of many pairs, with a backward pass that needs no scatter."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import prange
from torch import Tensor

from graphkit.sparse.compiled.kernel import kernel
from graphkit.sparse.compiled.threads import kernel_threads
from graphkit.sparse.gathering import gather, incidence_of
from graphkit.sparse.structure import untraced
from graphkit.sparse.twice import recorded_gradients


def check_pairs(pairs: Tensor, num_nodes: int) -> None:
    """ValueError unless these are int64 ids [2, P] of nodes; compiled kernels would read whatever lies at a wrong id."""
    if pairs.dim() != 2 or pairs.size(0) != 2 or pairs.dtype != torch.int64:
        raise ValueError(f"pairs must be int64 node ids of shape [2, P], got {pairs.dtype} {list(pairs.shape)}.")
    if pairs.numel():
        low, high = (int(bound) for bound in torch.aminmax(pairs))
        if low < 0 or high >= num_nodes:
            raise ValueError(f"node id {low if low < 0 else high} is out of range: ids must lie in [0, {num_nodes}).")


@untraced
def pair_product(x: Tensor, pairs: Tensor) -> Tensor:
    """out_p = x_i * x_j for pair p = (i, j). Differentiable in x.

    On CPU the gradient is gathered node by node from the pairs sorted by node: no atomics, the same for every number of
    threads.

    Args:
        x: Features [N, C], floating point.
        pairs: Node ids [2, P], int64.

    Returns:
        [P, C], in the dtype of x.

    Raises:
        ValueError: Wrong shapes or ids out of range.
    """
    check_pairs(pairs, x.size(0))
    if x.dim() != 2:
        raise ValueError(f"x must have shape [N, C], got {list(x.shape)}.")
    if x.device.type != "cpu" or x.dtype not in (torch.float32, torch.float64):
        return _plain_product(x, pairs)
    out: Tensor = _PairProduct.apply(x, pairs)  # type: ignore[no-untyped-call]
    return out


def _plain_product(x: Tensor, pairs: Tensor) -> Tensor:
    return gather(x, pairs[0]) * gather(x, pairs[1])


class _PairProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, pairs: Tensor) -> Tensor:
        x = x.contiguous()
        ctx.save_for_backward(x, pairs)
        out = x.new_empty(pairs.size(1), x.size(1))
        with kernel_threads():
            _product(x.detach().numpy(), pairs[0].contiguous().numpy(), pairs[1].contiguous().numpy(), out.numpy())
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, None]:
        x, pairs = ctx.saved_tensors
        if torch.is_grad_enabled():
            return recorded_gradients(_plain_product, (x, pairs), grads)[0], None
        g = grads[0].contiguous()
        incidence = incidence_of(pairs.flatten(), x.size(0))
        rowptr, order = incidence.rowptr, incidence.col
        others = pairs.flip(0).flatten()
        gradient = torch.empty_like(x)
        arrays = rowptr, order % pairs.size(1), others[order], x.detach(), g, gradient
        with kernel_threads():
            _gather(*(array.numpy() for array in arrays))
        return gradient, None


@kernel(parallel=True)
def _product(x: Any, left: Any, right: Any, out: Any) -> None:
    for p in prange(out.shape[0]):
        i, j = np.uint64(left[p]), np.uint64(right[p])
        for f in range(out.shape[1]):
            out[p, f] = x[i, f] * x[j, f]


@kernel(parallel=True)
def _gather(rowptr: Any, pair: Any, other: Any, x: Any, g: Any, out: Any) -> None:
    for node in prange(out.shape[0]):
        for f in range(out.shape[1]):
            out[node, f] = 0
        for k in range(rowptr[node], rowptr[node + 1]):
            p, j = np.uint64(pair[k]), np.uint64(other[k])
            for f in range(out.shape[1]):
                out[node, f] += g[p, f] * x[j, f]
