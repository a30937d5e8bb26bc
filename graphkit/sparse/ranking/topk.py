"""The best columns of each row of a score matrix, leaving out what a row has been seen with."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import prange
from torch import Tensor

from graphkit.sparse.compiled.kernel import kernel
from graphkit.sparse.compiled.threads import kernel_threads
from graphkit.sparse.csr import CSR
from graphkit.sparse.structure import untraced

_CHUNK = 64  # columns compared with the row's bar before one of them is looked at alone
_MANY = 256  # from here on sorting whole rows is faster than keeping a sorted list of the best


class UnrankedScore(ValueError):
    """A score is NaN, which has no rank."""


@untraced
def top_columns(scores: Tensor, k: int, seen: CSR | None = None, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The k highest scores of each row and where they are; ties go to the lower column, and a row never depends on others.

    A seen entry is left out. A column that scores -inf is not: it is ranked last.

    Args:
        scores: [B, N], floating point; not changed.
        k: Columns wanted, at least 1; may exceed N.
        seen: Entries to leave out [num_rows, N], on the device of the scores, all present.
        rows: Row of `seen` that belongs to each row of the scores [B]; default: the first B.

    Returns:
        Scores [B, k], descending, and columns [B, k], int64; -inf and -1 where nothing is left.

    Raises:
        ValueError: If shapes do not fit, k is below 1, or `seen` has absent entries.
        UnrankedScore: If a score is NaN.
    """
    if scores.dim() != 2 or not scores.is_floating_point():
        raise ValueError(f"scores must be a floating point matrix, got {scores.dtype} of shape {list(scores.shape)}.")
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}.")
    if rows is None:
        rows = torch.arange(scores.size(0), device=scores.device)
    if rows.shape != scores.shape[:1]:
        raise ValueError(f"rows must have shape [{scores.size(0)}], got {list(rows.shape)}.")
    if seen is None:
        rowptr, col = rows.new_zeros(scores.size(0) + 1), rows.new_zeros(0)
        rows = torch.arange(scores.size(0), device=scores.device)
    else:
        if seen.shape[1] != scores.size(1) or seen.mask is not None:
            raise ValueError(f"seen must have {scores.size(1)} columns, all entries present, got {seen}.")
        if rows.numel() and not 0 <= int(rows.min()) <= int(rows.max()) < seen.shape[0]:
            raise ValueError(f"rows must lie in [0, {seen.shape[0]}).")
        rowptr, col = seen.rowptr, seen.col
    if scores.dtype in (torch.bfloat16, torch.float16):
        scores = scores.float()
    scores = scores.detach()
    if scores.device.type != "cpu" or k >= _MANY:
        return _by_sorting(scores, k, rowptr, col, rows)
    best = torch.empty(scores.size(0), k, dtype=scores.dtype)
    where = torch.empty(scores.size(0), k, dtype=torch.long)
    unranked = torch.zeros(scores.size(0), dtype=torch.bool)
    arrays = scores.contiguous(), rowptr, col, rows.contiguous(), best, where, unranked
    with kernel_threads():
        _best(*(array.numpy() for array in arrays))
    if bool(unranked.any()):
        raise UnrankedScore("a score is NaN, which has no rank.")
    return best, where


def _by_sorting(scores: Tensor, k: int, rowptr: Tensor, col: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    if bool(scores.isnan().any()):
        raise UnrankedScore("a score is NaN, which has no rank.")
    first, count = rowptr[rows], rowptr[rows + 1] - rowptr[rows]
    row = torch.arange(rows.numel(), device=rows.device).repeat_interleave(count)
    entry = torch.arange(row.numel(), device=rows.device) - (count.cumsum(0) - count)[row] + first[row]
    # Ascending order puts NaN last, also behind the -inf of a column that may be returned. + 0: -0.0 ties with 0.0.
    masked = (-(scores + 0.0)).index_put((row, col[entry]), scores.new_tensor(torch.nan))
    best, where = (part[:, :k] for part in masked.sort(dim=1, stable=True))
    gone = best.isnan()
    best, where = (-best).masked_fill(gone, -torch.inf), where.masked_fill(gone, -1)
    missing = k - best.size(1)
    return torch.nn.functional.pad(best, (0, missing), value=-torch.inf), torch.nn.functional.pad(where, (0, missing), value=-1)


@kernel(parallel=True)
def _best(scores: Any, rowptr: Any, col: Any, rows: Any, best: Any, where: Any, unranked: Any) -> None:
    size, k = scores.shape[1], best.shape[1]
    for i in prange(scores.shape[0]):
        for place in range(k):
            best[i, place] = -np.inf
            where[i, place] = -1
        start, stop = rowptr[rows[i]], rowptr[rows[i] + 1]
        bar = best[i, k - 1]  # columns are visited in ascending order, so that an equal score comes too late
        row = scores[i]
        for chunk in range(0, size, _CHUNK):
            part = row[chunk : chunk + _CHUNK]
            above = np.int32(0)  # as wide as a score: with a bool the loop takes three times as long
            for j in range(part.shape[0]):
                above |= np.int32(not (part[j] <= bar))  # true of NaN
            if above == 0:
                continue
            for j in range(chunk, chunk + part.shape[0]):
                score = row[j]
                if score <= bar:
                    continue
                if np.isnan(score):
                    unranked[i] = True
                elif not _holds(col, start, stop, j):
                    place = k - 1
                    while place > 0 and best[i, place - 1] < score:
                        best[i, place] = best[i, place - 1]
                        where[i, place] = where[i, place - 1]
                        place -= 1
                    best[i, place] = score
                    where[i, place] = j
                    bar = best[i, k - 1]
        if where[i, k - 1] == -1 and not unranked[i]:
            _fill(row, col, start, stop, where[i])


@kernel()
def _fill(row: Any, col: Any, start: int, stop: int, where: Any) -> None:
    """Put the columns that score -inf behind the others of a list that they leave short; no bar lets them pass."""
    place = 0
    while where[place] >= 0:
        place += 1
    for j in range(row.shape[0]):
        if place == where.shape[0]:
            return
        if row[j] == -np.inf and not _holds(col, start, stop, j):
            where[place] = j
            place += 1


@kernel()
def _holds(col: Any, low: int, high: int, column: int) -> Any:
    stop = high
    while low < high:
        middle = (low + high) // 2
        if col[middle] < column:
            low = middle + 1
        else:
            high = middle
    return low < stop and col[low] == column
