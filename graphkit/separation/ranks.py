"""Exact ranks of integers, rows and multisets: what color refinement calls hashing, without collisions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

_WORD = 63  # bits of a packed value
_TABLE = 8  # a lookup table may have this many places per value; a larger one would cost more than a sort


def ranks(values: Ints) -> Ints:
    """The place of each value among the distinct ones [L], in ascending order, from 0."""
    if values.size == 0:
        return values
    low, high = int(values.min()), int(values.max())
    if high - low < _TABLE * values.size:
        present = np.zeros(high - low + 1, dtype=np.int64)
        present[values - low] = 1
        return (present.cumsum() - 1)[values - low]
    return np.unique(values, return_inverse=True)[1].astype(np.int64, copy=False)


def rank_rows(columns: list[Ints]) -> Ints:
    """Ranks of the rows of a table with these columns [L], each of values from 0 to below 2^31: equal ranks, equal rows."""
    rank = ranks(columns[0])
    for column in columns[1:]:
        rank = ranks(pack(rank, column))
    return rank


def pack(first: Ints, second: Ints) -> Ints:
    """One integer per pair of integers from 0 to below 2^31, different for different pairs."""
    return first * (int(second.max(initial=0)) + 1) + second


def rank_multisets(ptr: Ints, values: Ints) -> Ints:
    """Equal numbers for equal multisets, different ones for different ones.

    Each multiset is sorted. Then runs of its values are packed into one integer and ranked together with the runs of all
    others, until one integer is left: no collision is possible.

    Args:
        ptr: Boundaries of the multisets [S + 1].
        values: From 0 to below 2^31 - 1 [L].

    Returns:
        Numbers from 0 on [S]; 0 for the empty multiset alone.
    """
    values = _sorted(ptr, values) + 1  # 0 fills up runs
    sizes = np.diff(ptr)
    while sizes.max(initial=0) > 1:
        bits = int(values.max()).bit_length()
        width = max(2, min(_WORD // bits, int(sizes.max())))
        start, new_sizes = ptr[:-1], -(-sizes // width)
        ptr = np.concatenate([[0], new_sizes.cumsum()])
        owner = np.repeat(np.arange(sizes.size), new_sizes)
        first = start[owner] + width * (np.arange(owner.size) - ptr[owner])
        end = (start + sizes)[owner]
        packed = np.zeros(owner.size, dtype=np.int64)
        for step in range(width):
            place = first + step
            inside = place < end
            packed <<= bits
            packed[inside] |= values[place[inside]]
        values, sizes = ranks(packed) + 1, new_sizes
    out = np.zeros(sizes.size, dtype=np.int64)
    out[sizes > 0] = values
    return out


def _sorted(ptr: Ints, values: Ints) -> Ints:
    """The values in ascending order inside each segment: segments of one length are the rows of a matrix."""
    sizes = np.diff(ptr)
    out = values.copy()
    for size in np.unique(sizes[sizes > 1]).tolist():
        places = ptr[:-1][sizes == size][:, None] + np.arange(size)
        out[places] = np.sort(values[places], axis=1)
    return out
