"""The distinct texts of a column that comes in blocks: short ASCII texts as machine words, others by a dictionary."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from graphkit.data.own.table.table import Column

_WIDEST = 64
"""Bytes of a text that is compared as words."""
_WORD = 8


class Texts:
    """Collects the cells of a column.

    A dictionary is asked once per cell, at a random place in memory, which takes most of the time of reading: short texts
    are sorted as numbers instead, which takes a fifth of it.

    Args:
        plain: Whether all cells are ASCII without NUL, so that bytes padded with NUL tell them apart.
    """

    def __init__(self, plain: bool) -> None:
        self._plain = plain
        self._index: defaultdict[str, int] = defaultdict()
        self._index.default_factory = self._index.__len__
        self._parts: list[np.ndarray] = []

    def add(self, cells: Sequence[str]) -> None:
        """Further cells, in the order of the rows."""
        if self._plain:
            part = np.array(cells, dtype=np.bytes_)
            if part.itemsize <= _WIDEST:
                self._parts.append(part)
                return
            self._plain = False
            self._parts = [self._looked_up(part.astype(np.str_).tolist()) for part in self._parts]
        self._parts.append(self._looked_up(cells))

    def column(self) -> Column:
        """All of them, without blanks around."""
        cells = np.concatenate(self._parts)
        if not self._plain:
            return Column(list(self._index), cells).trimmed()
        first, codes = _sorted_out(cells)
        return Column(cells[first].astype(np.str_).tolist(), codes).trimmed()

    def _looked_up(self, cells: Sequence[str]) -> np.ndarray:
        return np.fromiter(map(self._index.__getitem__, cells), dtype=np.int64, count=len(cells))


def _sorted_out(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each distinct text stands first, and which of them each cell is."""
    words = cells.astype(f"S{-(-cells.itemsize // _WORD) * _WORD}").view(np.uint64).reshape(cells.size, -1)
    _, first, codes = np.unique(words[:, 0], return_index=True, return_inverse=True)
    for word in words.T[1:]:
        distinct, other = np.unique(word, return_inverse=True)
        _, first, codes = np.unique(codes * distinct.size + other, return_index=True, return_inverse=True)
    return first, codes
