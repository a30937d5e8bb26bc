"""Rows taken by index, with gradients that are added in a fixed order.

The gradient of PyTorch's `x[index]` is added up by atomic operations, in the order in which threads come: two equal runs end in
other bits. Here positions are sorted by the row that they read, and one thread adds up what a row gets, in the order of
positions: a product with the 0/1 incidence matrix of rows and positions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function

from graphkit.sparse.counting_sort import counting_sort
from graphkit.sparse.spmm import spmm
from graphkit.sparse.structure import Structure, untraced


@untraced
def gather(x: Tensor, index: Tensor, incidence: Structure | None = None) -> Tensor:
    """y_p = x[index_p], differentiable any number of times.

    The gradient of a row is the sum over the positions that read it, in their order: the same bits for every number of threads.

    Args:
        x: Rows [N, ...].
        index: Row ids, int64 or int32, of any shape [P, ...].
        incidence: `incidence_of(index, N)` of a flat index, for several tables that are read at the same rows; None: made in
            the backward pass.

    Returns:
        [P, ..., ...] in the dtype of x.

    Raises:
        TypeError: `index` holds no integers of 32 or 64 bits.
        ValueError: x has no rows to take, an id is out of range, or `incidence` is that of another index.
    """
    if index.dtype not in (torch.int64, torch.int32):
        raise TypeError(f"index must hold int64 or int32 row ids, got {index.dtype}; of a mask take mask.nonzero().")
    if x.dim() == 0:
        raise ValueError("x must have shape [N, ...], got a single number.")
    if incidence is not None and incidence.shape != (x.size(0), index.numel()):
        raise ValueError(f"incidence must be [{x.size(0)}, {index.numel()}], rows by positions, got {list(incidence.shape)}.")
    flat, num_rows = index.flatten(), x.size(0)  # the backward pass must not keep x
    try:
        out = _gathered(x, flat, lambda: incidence_of(flat, num_rows) if incidence is None else incidence)
    except IndexError as error:
        raise ValueError(f"index is out of range: ids must lie in [0, {num_rows}).") from error
    return out if index.dim() == 1 else out.view(*index.shape, *x.shape[1:])


@untraced
def at_rows(x: Tensor, structure: Structure) -> Tensor:
    """y_e = x_i of each entry e = (i, j), for x [num_rows, ...]; see `gather`. The structure is sorted already."""
    return _gathered(x, structure.row, lambda: structure.row_incidence)


@untraced
def at_cols(x: Tensor, structure: Structure) -> Tensor:
    """y_e = x_j of each entry e = (i, j), for x [num_cols, ...]; see `gather`. The structure is sorted already."""
    return _gathered(x, structure.col, lambda: structure.col_incidence)


def incidence_of(index: Tensor, num_rows: int) -> Structure:
    """Which positions of an index hold each id: the pattern [num_rows, P] with an entry (index_p, p) for each p.

    Args:
        index: Ids [P], int64 or int32, in [0, num_rows).
        num_rows: Number of rows.

    Raises:
        ValueError: An id is out of range.
    """
    shape = num_rows, index.numel()
    if index.numel():
        low, high = (int(bound) for bound in torch.aminmax(index))
        if low < 0 or high >= num_rows:
            raise ValueError(f"id {low if low < 0 else high} is out of range: ids must lie in [0, {num_rows}).")
    return Structure(*counting_sort(index, num_rows), shape)


def sum_rows(values: Tensor, index: Tensor, incidence: Structure) -> Tensor:
    """y_i = the sum of values [P, ...] at the positions p with index_p = i: the adjoint of `gather`, and as differentiable."""
    out: Tensor = _SumRows.apply(values, index, incidence)  # type: ignore[no-untyped-call]
    return out


def _gathered(x: Tensor, index: Tensor, incidence: Callable[[], Structure]) -> Tensor:
    out: Tensor = _Gather.apply(x, index, incidence)  # type: ignore[no-untyped-call]
    return out


def taken_rows(x: Tensor, index: Tensor, incidence: Structure) -> Tensor:
    """`gather` without its checks: the adjoint of `sum_rows`."""
    return _gathered(x, index, lambda: incidence)


class _Gather(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, index: Tensor, incidence: Callable[[], Structure]) -> Tensor:
        ctx.save_for_backward(index)
        ctx.incidence = incidence
        return x.index_select(0, index)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (index,) = ctx.saved_tensors
        return sum_rows(grads[0], index, ctx.incidence()), None, None


class _SumRows(Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, index: Tensor, incidence: Structure) -> Tensor:
        ctx.save_for_backward(index)
        ctx.incidence = incidence
        flat = values.flatten(1) if values.dim() > 1 else values.unsqueeze(1)
        return _summed(flat, incidence).view(incidence.shape[0], *values.shape[1:])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (index,) = ctx.saved_tensors
        return taken_rows(grads[0], index, ctx.incidence), None, None


def _summed(values: Tensor, incidence: Structure) -> Tensor:
    """Sums [N, C] of values [P, C]; 16-bit floats are added in 32 bits."""
    if values.numel() == 0:
        return values.new_zeros(incidence.shape[0], values.size(1))
    if values.device.type == "cpu":
        return spmm(incidence, None, values)
    exact = values if values.dtype in (torch.float32, torch.float64) else values.float()
    ordered = exact.index_select(0, incidence.col)
    return torch.segment_reduce(ordered, "sum", offsets=incidence.rowptr, initial=0).to(values.dtype)
