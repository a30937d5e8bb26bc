"""Sum, sum of squares, maximum and minimum over the rows of a node's neighbors, in one pass: no row per entry is stored."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from graphkit.sparse.compiled.kernel import kernel
from graphkit.sparse.compiled.work import next_block, parallel_for
from graphkit.sparse.csr import CSR
from graphkit.sparse.gathering import gather
from graphkit.sparse.segment import segment_max, segment_sum
from graphkit.sparse.structure import pointers, untraced
from graphkit.sparse.twice import recorded_gradients

_ROWS = 16  # that a thread takes at a time


@untraced
def neighbor_statistics(adj: CSR, x: Tensor, start: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Statistics over {x_u : u in N(i)} and start_i, elementwise, N(i) the columns of the present entries of row i.

    Differentiable in x and start; equal maxima or minima share the gradient. On CPU one compiled pass over the entries reads
    every neighbor's row once, and so does the backward pass: memory is that of the rows, whatever the number of entries.

    Args:
        adj: A square operator; values do not matter.
        x: Features [N, C], floating point.
        start: One more member of each node's set [N, C].

    Returns:
        Sums, sums of squares, maxima and minima, each [N, C].

    Raises:
        ValueError: The operator is not square, or shapes do not fit.
    """
    n = adj.shape[0]
    if adj.shape[1] != n or x.dim() != 2 or x.size(0) != n or start.shape != x.shape:
        raise ValueError(
            f"x and start must have shape [{n}, C] for a square operator, got {list(x.shape)}, {list(start.shape)} and "
            f"{list(adj.shape)}."
        )
    if x.device.type != "cpu" or x.dtype not in (torch.float32, torch.float64):
        return _plain(adj, x, start)
    out: tuple[Tensor, Tensor, Tensor, Tensor] = _Statistics.apply(x, start, adj)  # type: ignore[no-untyped-call]
    return out


def _plain(adj: CSR, x: Tensor, start: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The same by a row per entry; sets are segments, each with its further member at the end."""
    n = adj.shape[0]
    nodes = torch.arange(n, device=x.device)
    kept = slice(None) if adj.mask is None else adj.mask
    row, col = torch.cat([adj.row[kept], nodes]), torch.cat([adj.col[kept], nodes + n])
    order = row.argsort(stable=True)
    rowptr = pointers(torch.bincount(row, minlength=n))
    values = gather(torch.cat([x, start]), col[order])
    least = -segment_max(-values, rowptr)
    return segment_sum(values, rowptr), segment_sum(values.square(), rowptr), segment_max(values, rowptr), least


class _Statistics(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, start: Tensor, adj: CSR) -> tuple[Tensor, ...]:
        x, start = x.contiguous(), start.contiguous()
        found = [torch.empty_like(x) for _ in range(4)]
        ties = [torch.empty(x.shape, dtype=torch.int32) for _ in range(2)]
        parallel_for(_statistics, adj.rowptr, adj.col, _mask(adj), x, start, *found, *ties)
        ctx.adj = adj
        ctx.save_for_backward(x, start, found[2], found[3], *ties)
        return tuple(found)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, start, most, least, *ties = ctx.saved_tensors
        if torch.is_grad_enabled():
            found = recorded_gradients(_plain, (ctx.adj, x, start), grads)
            return found[1], found[2], None
        total, squares = grads[0].contiguous(), grads[1].contiguous()
        shares = [grad / count for grad, count in zip(grads[2:], ties, strict=True)]
        gradient = torch.empty_like(x)
        adjoint = ctx.adj.t()
        parallel_for(
            _spread, adjoint.rowptr, adjoint.col, _mask(adjoint), x, total, squares, most, shares[0], least, shares[1], gradient
        )
        own = total + 2.0 * start * squares + (start == most) * shares[0] + (start == least) * shares[1]
        return gradient, own, None


def _mask(adj: CSR) -> Tensor:
    return torch.zeros(0, dtype=torch.bool) if adj.mask is None else adj.mask


@kernel(nogil=True)
def _statistics(
    counter: Any,
    rowptr: Any,
    col: Any,
    mask: Any,
    x: Any,
    start: Any,
    total: Any,
    squares: Any,
    most: Any,
    least: Any,
    most_ties: Any,
    least_ties: Any,
) -> None:
    """The four statistics of each row, and how many members reach the maximum and the minimum."""
    n, channels = x.shape
    first = next_block(counter) * _ROWS
    while first < n:
        for i in range(first, min(first + _ROWS, n)):
            for c in range(channels):
                v = start[i, c]
                total[i, c], squares[i, c], most[i, c], least[i, c] = v, v * v, v, v
                most_ties[i, c], least_ties[i, c] = 1, 1
            for e in range(rowptr[i], rowptr[i + 1]):
                if mask.shape[0] == 0 or mask[e]:
                    j = col[e]
                    for c in range(channels):
                        v = x[j, c]
                        total[i, c] += v
                        squares[i, c] += v * v
                        above, below = v > most[i, c], v < least[i, c]
                        most_ties[i, c] = 1 if above else most_ties[i, c] + (v == most[i, c])
                        least_ties[i, c] = 1 if below else least_ties[i, c] + (v == least[i, c])
                        most[i, c] = v if above else most[i, c]
                        least[i, c] = v if below else least[i, c]
        first = next_block(counter) * _ROWS


@kernel(nogil=True)
def _spread(
    counter: Any,
    rowptr: Any,
    col: Any,
    mask: Any,
    x: Any,
    total: Any,
    squares: Any,
    most: Any,
    most_share: Any,
    least: Any,
    least_share: Any,
    out: Any,
) -> None:
    """Gradient of x: each node gathers from the rows that have it as a column, which are those of the adjoint."""
    n, channels = x.shape
    first = next_block(counter) * _ROWS
    while first < n:
        for u in range(first, min(first + _ROWS, n)):
            for c in range(channels):
                out[u, c] = 0
            for e in range(rowptr[u], rowptr[u + 1]):
                if mask.shape[0] == 0 or mask[e]:
                    i = col[e]
                    for c in range(channels):
                        v = x[u, c]
                        g = total[i, c] + 2 * v * squares[i, c]
                        g += most_share[i, c] if v == most[i, c] else 0
                        g += least_share[i, c] if v == least[i, c] else 0
                        out[u, c] += g
        first = next_block(counter) * _ROWS
