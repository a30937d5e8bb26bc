"""CPU kernels of sketches: the union over a neighborhood, and the comparison of the sketches of pairs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphkit.sparse.compiled.kernel import kernel
from graphkit.sparse.compiled.work import next_block

_ROWS, _PAIRS = 64, 256  # that a thread takes at a time
_ALPHA = 1.0 / (2.0 * math.log(2.0))
_MOST_REGISTER = 29  # as in `sketches.py`


@kernel(nogil=True)
def unite(counter: Any, rowptr: Any, col: Any, mask: Any, least: Any, longest: Any, new_least: Any, new_longest: Any) -> None:
    """new[i] = the union of the sketches of i and of the columns of the present entries of row i: minima and maxima."""
    first = next_block(counter) * _ROWS
    while first < new_least.shape[0]:
        for i in range(first, min(first + _ROWS, new_least.shape[0])):
            for h in range(least.shape[1]):
                new_least[i, h] = least[i, h]
            for m in range(longest.shape[1]):
                new_longest[i, m] = longest[i, m]
            for e in range(rowptr[i], rowptr[i + 1]):
                if mask.shape[0] == 0 or mask[e]:
                    j = col[e]
                    for h in range(least.shape[1]):
                        new_least[i, h] = min(new_least[i, h], least[j, h])
                    for m in range(longest.shape[1]):
                        new_longest[i, m] = max(new_longest[i, m], longest[j, m])
        first = next_block(counter) * _ROWS


@kernel(nogil=True)
def compare(counter: Any, left: Any, right: Any, least: Any, longest: Any, corrections: Any, out: Any) -> None:
    """out[p, a K + b] = Jaccard similarity times size of the union of ball a of left[p] and ball b of right[p]."""
    hops, hashes, registers = least.shape[0], least.shape[2], longest.shape[2]
    first = next_block(counter) * _PAIRS
    while first < left.shape[0]:
        for p in range(first, min(first + _PAIRS, left.shape[0])):
            i, j = left[p], right[p]
            for a in range(hops):
                for b in range(hops):
                    equal = 0
                    for h in range(hashes):
                        equal += least[a, i, h] == least[b, j, h]
                    whole, empty = np.int64(0), 0
                    for m in range(registers):
                        longer = max(longest[a, i, m], longest[b, j, m])
                        empty += longer == 0
                        whole += np.int64(1) << np.int64(_MOST_REGISTER - longer)
                    sums = (whole - (np.int64(empty) << np.int64(_MOST_REGISTER))) / 2.0**_MOST_REGISTER
                    size = registers * registers * _ALPHA / (sums + corrections[empty])
                    out[p, a * hops + b] = equal / hashes * np.float32(size)
        first = next_block(counter) * _PAIRS
