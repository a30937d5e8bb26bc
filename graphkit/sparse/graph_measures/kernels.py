"""CPU kernels of graph measures: triangles by oriented edges, and core numbers by peeling."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphkit.sparse.compiled.kernel import kernel
from graphkit.sparse.compiled.work import next_block

_NODES = 64  # that a thread takes at a time


@kernel(nogil=True)
def triangles(counter: Any, rowptr: Any, col: Any, rows: Any, out: Any) -> None:
    """Triangles at each node, counted by each thread in a row of its own: out [threads, N], zeros at first.

    Args:
        counter: Hands out blocks of nodes.
        rowptr: Boundaries of the oriented edges [N + 1]: each edge once, in a direction without cycles.
        col: Their ends.
        rows: Hands out the rows of `out`.
        out: Gets the counts.
    """
    n = rowptr.shape[0] - 1
    mine = out[next_block(rows)]
    marked = np.full(n, -1, np.int64)
    first = next_block(counter) * _NODES
    while first < n:
        for u in range(first, min(first + _NODES, n)):
            for e in range(rowptr[u], rowptr[u + 1]):
                marked[col[e]] = u
            for e in range(rowptr[u], rowptr[u + 1]):
                v = col[e]
                for f in range(rowptr[v], rowptr[v + 1]):
                    if marked[col[f]] == u:
                        mine[u] += 1
                        mine[v] += 1
                        mine[col[f]] += 1
        first = next_block(counter) * _NODES


@kernel(nogil=True)
def peel(rowptr: Any, col: Any, core: Any) -> None:
    """Core numbers of a symmetric pattern; `core` [N] holds the degrees at first.

    Nodes lie in an array sorted by their remaining degree, with the start of each degree's bin. The node in front is removed:
    each neighbor of a larger degree changes places with the first node of its bin, whose start then moves behind it.
    """
    n = rowptr.shape[0] - 1
    start = np.zeros(n + 1, np.int64)
    for v in range(n):
        start[core[v] + 1] += 1
    start = np.cumsum(start)[: n + 1]
    order, place, fill = np.empty(n, np.int64), np.empty(n, np.int64), start.copy()
    for v in range(n):
        place[v] = fill[core[v]]
        order[place[v]] = v
        fill[core[v]] += 1
    for i in range(n):
        v = order[i]
        for e in range(rowptr[v], rowptr[v + 1]):
            u = col[e]
            if core[u] > core[v]:
                front = order[start[core[u]]]
                order[place[u]], order[place[front]] = front, u
                place[u], place[front] = place[front], place[u]
                start[core[u]] += 1
                core[u] -= 1
