"""Reductions over values sorted by segment, such as edges sorted by target; an empty segment gives 0, never -inf or NaN.

Each takes `rowptr` [S + 1]: segment s holds values[rowptr[s] : rowptr[s + 1]]. The segment of each value, `row` [E], is
computed when it is not given; pass `csr.row` beside `csr.rowptr` to save that.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function, once_differentiable

from graphkit.sparse.spmm import spmm
from graphkit.sparse.structure import Structure, untraced


@untraced
def segment_sum(values: Tensor, rowptr: Tensor, row: Tensor | None = None) -> Tensor:
    """y_s = sum of the values of segment s.

    Args:
        values: Floating point [E, ...], sorted by segment; bfloat16 and float16 accumulate in float32.
        rowptr: Segment boundaries [S + 1], int64, from 0 to E.
        row: Segment of each value [E], int64; computed when None.

    Returns:
        [S, ...] in the dtype of the values, zeros for empty segments.

    Raises:
        ValueError: `rowptr` or `row` does not fit the values.
    """
    rowptr, row = _checked(values, rowptr, row)
    out: Tensor = _SegmentSum.apply(values, rowptr, row)  # type: ignore[no-untyped-call]
    return out


def segment_mean(values: Tensor, rowptr: Tensor, row: Tensor | None = None) -> Tensor:
    """y_s = mean of the values of segment s; arguments, result and errors as in `segment_sum`."""
    count = rowptr.diff().clamp(min=1).to(values.dtype)
    return segment_sum(values, rowptr, row) / _widen(count, values)


def segment_max(values: Tensor, rowptr: Tensor) -> Tensor:
    """y_s = maximum of the values of segment s, elementwise; equal maxima share the gradient.

    Args:
        values: Floating point [E, ...], sorted by segment.
        rowptr: Segment boundaries [S + 1], int64, from 0 to E.

    Returns:
        [S, ...], zeros for empty segments.

    Raises:
        ValueError: `rowptr` does not fit the values.
    """
    _check(values, rowptr)
    if values.numel() == 0:
        return values.new_zeros((rowptr.numel() - 1, *values.shape[1:]))
    out = torch.segment_reduce(values.contiguous(), "max", offsets=rowptr)
    return torch.where(_widen(rowptr.diff() > 0, values), out, 0.0)


@untraced
def segment_softmax(values: Tensor, rowptr: Tensor, row: Tensor | None = None) -> Tensor:
    """y_e = exp(v_e) / sum of exp(v_f) over the f in e's segment, computed without overflow; differentiable once.

    A value of -inf gets 0, also where the whole segment is -inf.

    Args:
        values: Floating point [E, ...], sorted by segment; bfloat16 and float16 are computed in float32.
        rowptr: Segment boundaries [S + 1], int64, from 0 to E.
        row: Segment of each value [E], int64; computed when None.

    Returns:
        [E, ...] in the dtype of the values.

    Raises:
        ValueError: `rowptr` or `row` does not fit the values.
    """
    rowptr, row = _checked(values, rowptr, row)
    out: Tensor = _SegmentSoftmax.apply(values, rowptr, row)  # type: ignore[no-untyped-call]
    return out


class _SegmentSum(Function):
    """dv_e = dy of e's segment."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, rowptr: Tensor, row: Tensor) -> Tensor:
        ctx.save_for_backward(row)
        return _sum(values, rowptr)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (row,) = ctx.saved_tensors
        return grad.index_select(0, row), None, None


class _SegmentSoftmax(Function):
    """dv_e = y_e (dy_e - sum of y_f dy_f over the f in e's segment)."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, rowptr: Tensor, row: Tensor) -> Tensor:
        exact = values if values.dtype in (torch.float32, torch.float64) else values.float()
        peak = segment_max(exact, rowptr)
        peak = torch.where(peak == -torch.inf, 0.0, peak)
        powers = (exact - peak.index_select(0, row)).exp_()
        total = _sum(powers, rowptr)
        out = powers.mul_(torch.where(total > 0, total, 1.0).reciprocal().index_select(0, row))
        ctx.save_for_backward(out, rowptr, row)
        return out.to(values.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        out, rowptr, row = ctx.saved_tensors
        flow = out * grad
        inner = _sum(flow, rowptr).index_select(0, row)
        return flow.sub_(out * inner).to(grad.dtype), None, None


def _sum(values: Tensor, rowptr: Tensor) -> Tensor:
    segments = rowptr.numel() - 1
    if values.numel() == 0:
        return values.new_zeros((segments, *values.shape[1:]))
    if values.dim() > 1 and values.device.type == "cpu":
        # Summing rows is a product with a 0/1 matrix; that kernel beats segment_reduce from a few channels on.
        flat = values.reshape(values.size(0), -1)
        pattern = Structure(rowptr, torch.arange(flat.size(0)), (segments, flat.size(0)))
        return spmm(pattern, flat.new_ones(flat.size(0)), flat).view(segments, *values.shape[1:])
    # segment_reduce would accumulate 16-bit floats in 16 bits.
    exact = values if values.dtype in (torch.float32, torch.float64) else values.float()
    return torch.segment_reduce(exact.contiguous(), "sum", offsets=rowptr, initial=0).to(values.dtype)


def _check(values: Tensor, rowptr: Tensor) -> None:
    if values.dim() == 0 or not values.is_floating_point():
        raise ValueError(f"values must be floating point [E, ...], got {values.dtype} of shape {list(values.shape)}.")
    if rowptr.dim() != 1 or rowptr.numel() == 0 or int(rowptr[-1]) != values.size(0):
        raise ValueError(f"rowptr must be [S + 1] and end at {values.size(0)}, the number of values.")


def _checked(values: Tensor, rowptr: Tensor, row: Tensor | None) -> tuple[Tensor, Tensor]:
    _check(values, rowptr)
    if row is None:
        segments = torch.arange(rowptr.numel() - 1, device=rowptr.device)
        row = segments.repeat_interleave(rowptr.diff(), output_size=values.size(0))
    elif row.shape != (values.size(0),):
        raise ValueError(f"row must have shape [{values.size(0)}], one segment a value, got {list(row.shape)}.")
    return rowptr, row


def _widen(per_segment: Tensor, values: Tensor) -> Tensor:
    return per_segment.view(-1, *[1] * (values.dim() - 1))
