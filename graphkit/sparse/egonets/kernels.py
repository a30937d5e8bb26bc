"""CPU kernels of bags of subgraphs: balls around roots, distances inside a bag, and the graph's edges lifted to rows of bags.

`fill=False` counts, `fill=True` writes where the counts said. Each bag belongs to one thread, so results do not depend
on the number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphkit.sparse.compiled.kernel import kernel
from graphkit.sparse.compiled.work import next_block

_BAGS = 32  # that a thread takes at a time


@kernel(nogil=True)
def balls(counter: Any, rowptr: Any, col: Any, roots: Any, hops: int, fill: bool, ptr: Any, out: Any) -> None:
    """Nodes within `hops` steps of a bag's roots [S, k]: sizes to out [S], or ids, ascending, to out[ptr[s] : ptr[s + 1]]."""
    n = rowptr.shape[0] - 1
    seen, queue = np.full(n, -1, np.int64), np.empty(n, np.int64)
    first = next_block(counter) * _BAGS
    while first < roots.shape[0]:
        for s in range(first, min(first + _BAGS, roots.shape[0])):
            size = 0
            for i in range(roots.shape[1]):
                if seen[roots[s, i]] != s:
                    seen[roots[s, i]] = s
                    queue[size] = roots[s, i]
                    size += 1
            begin = 0
            for _ in range(hops):
                end = size
                for q in range(begin, end):
                    for e in range(rowptr[queue[q]], rowptr[queue[q] + 1]):
                        if seen[col[e]] != s:
                            seen[col[e]] = s
                            queue[size] = col[e]
                            size += 1
                begin = end
                if begin == size:
                    break
            if fill:
                out[ptr[s] : ptr[s] + size] = np.sort(queue[:size])
            else:
                out[s] = size
        first = next_block(counter) * _BAGS


@kernel(nogil=True)
def depths(counter: Any, rowptr: Any, col: Any, roots: Any, ptr: Any, node: Any, out: Any) -> None:
    """Steps inside the bag from each root to each row: out [T, k], -1 where no walk leads."""
    n = rowptr.shape[0] - 1
    row_of, queue = np.full(n, -1, np.int64), np.empty(n, np.int64)
    first = next_block(counter) * _BAGS
    while first < roots.shape[0]:
        for s in range(first, min(first + _BAGS, roots.shape[0])):
            start, stop = ptr[s], ptr[s + 1]
            for t in range(start, stop):
                row_of[node[t]] = t  # what an earlier bag left lies outside [start, stop)
            for i in range(roots.shape[1]):
                out[start:stop, i] = -1
                queue[0] = row_of[roots[s, i]]
                begin, size = 0, 0
                if start <= queue[0] < stop:
                    out[queue[0], i], size = 0, 1
                while begin < size:
                    t = queue[begin]
                    begin += 1
                    for e in range(rowptr[node[t]], rowptr[node[t] + 1]):
                        w = row_of[col[e]]
                        if start <= w < stop and out[w, i] < 0:
                            out[w, i] = out[t, i] + 1
                            queue[size] = w
                            size += 1
        first = next_block(counter) * _BAGS


@kernel(nogil=True)
def lifted(
    counter: Any,
    rowptr: Any,
    col: Any,
    ptr: Any,
    member: Any,
    row: Any,
    removed: Any,
    fill: bool,
    start: Any,
    out: Any,
    entry: Any,
) -> None:
    """The graph's edges inside each group of nodes, member[ptr[s] : ptr[s + 1]], whose rows are row[ptr[s] : ptr[s + 1]].

    The row of member v gets the rows of the members in N(v): their number to out[row], or they themselves to out[start[row] :],
    and the graph's entries beside them. Group s leaves out the entries removed[s].
    """
    n = rowptr.shape[0] - 1
    group_of, row_of = np.full(n, -1, np.int64), np.empty(n, np.int64)
    first = next_block(counter) * _BAGS
    while first < ptr.shape[0] - 1:
        for s in range(first, min(first + _BAGS, ptr.shape[0] - 1)):
            for t in range(ptr[s], ptr[s + 1]):
                group_of[member[t]] = s
                row_of[member[t]] = row[t]
            for t in range(ptr[s], ptr[s + 1]):
                size = 0
                for e in range(rowptr[member[t]], rowptr[member[t] + 1]):
                    if group_of[col[e]] != s or (removed.shape[0] > 0 and (e == removed[s, 0] or e == removed[s, 1])):
                        continue
                    if fill:
                        out[start[row[t]] + size] = row_of[col[e]]
                        entry[start[row[t]] + size] = e
                    size += 1
                if not fill:
                    out[row[t]] = size
        first = next_block(counter) * _BAGS
