"""Reductions over values sorted by segment, such as edges sorted by target; an empty segment gives 0, never -inf or NaN.

Each takes `rowptr` [S + 1]: segment s holds values[rowptr[s] : rowptr[s + 1]]. The segment of each value, `row` [E], is
computed when it is not given; pass `csr.row` beside `csr.rowptr` to save that.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function

from graphkit.sparse.gathering import sum_rows, taken_rows
from graphkit.sparse.memo import remember
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
    return sum_rows(values, *_checked(values, rowptr, row))


def segment_mean(values: Tensor, rowptr: Tensor, row: Tensor | None = None) -> Tensor:
    """y_s = mean of the values of segment s; arguments, result and errors as in `segment_sum`."""
    count = rowptr.diff().clamp(min=1).to(values.dtype)
    return segment_sum(values, rowptr, row) / _widen(count, values)


@untraced
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
    out: Tensor = _SegmentMax.apply(values, rowptr)  # type: ignore[no-untyped-call]
    return out


@untraced
def segment_softmax(values: Tensor, rowptr: Tensor, row: Tensor | None = None) -> Tensor:
    """y_e = exp(v_e) / sum of exp(v_f) over the f in e's segment, computed without overflow.

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
    exact = values if values.dtype in (torch.float32, torch.float64) else values.float()
    out: Tensor = _SegmentSoftmax.apply(exact, *_checked(values, rowptr, row))  # type: ignore[no-untyped-call]
    return out.to(values.dtype)


class _SegmentMax(Function):
    """dv_e = dy of e's segment, shared among those that are the maximum; torch has no derivative of its own derivative."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, rowptr: Tensor) -> Tensor:
        if values.numel() == 0:
            out = values.new_zeros((rowptr.numel() - 1, *values.shape[1:]))
        else:
            largest = torch.segment_reduce(values.contiguous(), "max", offsets=rowptr)
            out = torch.where(_widen(rowptr.diff() > 0, values), largest, 0.0)
        ctx.save_for_backward(values, rowptr, out)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        values, rowptr, out = ctx.saved_tensors
        row, segments = _checked(values, rowptr, None)
        with torch.no_grad():
            hits = (values == out.index_select(0, row)).to(values.dtype)
            shares = hits / sum_rows(hits, row, segments).clamp_(min=1).index_select(0, row)
        return taken_rows(grad, row, segments) * shares, None


class _SegmentSoftmax(Function):
    """dv_e = y_e (dy_e - sum of y_f dy_f over the f in e's segment)."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, row: Tensor, segments: Structure) -> Tensor:
        peak = segment_max(values, segments.rowptr)
        peak = torch.where(peak == -torch.inf, 0.0, peak)
        powers = (values - peak.index_select(0, row)).exp_()
        total = sum_rows(powers, row, segments)
        out = powers.mul_(torch.where(total > 0, total, 1.0).reciprocal().index_select(0, row))
        ctx.save_for_backward(out, row)
        ctx.segments = segments
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        out, row = ctx.saved_tensors
        flow = out * grad
        inner = taken_rows(sum_rows(flow, row, ctx.segments), row, ctx.segments)
        return torch.addcmul(flow, out, inner, value=-1), None, None


def _check(values: Tensor, rowptr: Tensor) -> None:
    if values.dim() == 0 or not values.is_floating_point():
        raise ValueError(f"values must be floating point [E, ...], got {values.dtype} of shape {list(values.shape)}.")
    if rowptr.dim() != 1 or rowptr.numel() == 0 or int(rowptr[-1]) != values.size(0):
        raise ValueError(f"rowptr must be [S + 1] and end at {values.size(0)}, the number of values.")


def _checked(values: Tensor, rowptr: Tensor, row: Tensor | None) -> tuple[Tensor, Structure]:
    """The segment of each value, and which values lie in each segment [S, E]."""
    _check(values, rowptr)
    if row is None:  # the same boundaries serve again and again, as those of a batch's graphs: in every layer, and both ways
        segments: Structure = remember(lambda: _segments(rowptr.clone(), values.size(0)), "segments", rowptr)
        return segments.row, segments
    if row.shape != (values.size(0),):
        raise ValueError(f"row must have shape [{values.size(0)}], one segment a value, got {list(row.shape)}.")
    return row, _segments(rowptr, values.size(0))


def _segments(rowptr: Tensor, count: int) -> Structure:
    """Which values lie in each segment [S, E]."""
    return Structure(rowptr, torch.arange(count, device=rowptr.device), (rowptr.numel() - 1, count))


def _widen(per_segment: Tensor, values: Tensor) -> Tensor:
    return per_segment.view(-1, *[1] * (values.dim() - 1))
