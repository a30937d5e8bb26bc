"""The distinct cells of a column, by hashing in whole arrays: texts as machine words, integers as they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from graphkit.data.own.table.table import Column

WIDEST = 64
"""Bytes of a text that is compared as words."""
_WORD = 8
_TRIES = 12
_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # 2^64 divided by the golden ratio, as in Fibonacci hashing
_HALF = np.uint64(32)


class Texts:
    """Collects the cells of a column.

    A dictionary is asked once per cell, at a random place in memory, which takes most of the time of reading: short texts
    are hashed as numbers instead, which takes a tenth of it.

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
            if part.itemsize <= WIDEST:
                self._parts.append(part)
                return
            self._plain = False
            self._parts = [self._looked_up(part.astype(np.str_).tolist()) for part in self._parts]
        self._parts.append(self._looked_up(cells))

    def column(self) -> Column:
        """All of them, without blanks around; distinct texts stand in the order of their first rows."""
        cells = np.concatenate(self._parts)
        if not self._plain:
            return Column(list(self._index), cells).trimmed()
        return column_of_words(words_of(cells))

    def _looked_up(self, cells: Sequence[str]) -> np.ndarray:
        return np.fromiter(map(self._index.__getitem__, cells), dtype=np.int64, count=len(cells))


def words_of(texts: np.ndarray) -> np.ndarray:
    """Texts in bytes [R] as machine words [R, W], padded with NUL."""
    width = max(1, -(-texts.itemsize // _WORD))
    return texts.astype(f"S{width * _WORD}").view(np.uint64).reshape(texts.size, width)


def column_of_words(words: np.ndarray) -> Column:
    """A column of texts in UTF-8 that are given as words [R, W], without the blanks around them."""
    first, codes = distinct(words)
    texts = np.ascontiguousarray(words[first]).view(f"S{words.shape[1] * _WORD}").reshape(-1)
    return Column(b"\n".join(texts.tolist()).decode().split("\n"), codes).trimmed()


def distinct(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the distinct cells of a column in the order of their first rows.

    Every cell hashes to a slot, which keeps the first row that comes to it. Cells that are equal to the one in that row are
    numbered with it; the others go on with another hash.

    Args:
        cells: Integers [R], int64, or words [R, W], uint64.

    Returns:
        The first row of each distinct cell, ascending, and the number of each row's cell [R].
    """
    rows = np.arange(len(cells))
    leader = np.empty_like(rows)
    left, part = rows, cells
    for salt in range(_TRIES):
        slots, size = _slots(part, salt)
        first = np.full(size, len(cells))
        np.minimum.at(first, slots, left)
        found = first[slots]
        same = cells[found] == part
        same = same if same.ndim == 1 else same.all(axis=1)
        leader[left[same]] = found[same]
        if same.all():
            break
        left, part = left[~same], part[~same]
    else:  # cells that were made to collide
        _, index, inverse = np.unique(part, axis=0, return_index=True, return_inverse=True)
        leader[left] = left[index[inverse.reshape(-1)]]
    leads = leader == rows
    return np.flatnonzero(leads), (np.cumsum(leads) - 1)[leader]


def _slots(cells: np.ndarray, salt: int) -> tuple[np.ndarray, int]:
    """A slot per cell, and how many there are."""
    if cells.ndim == 1 and salt == 0:
        low = int(cells.min())
        if (span := int(cells.max()) - low + 1) <= 4 * cells.size:
            return cells - low, span
    bits = max(4, (len(cells) - 1).bit_length())
    hashed = np.full(len(cells), salt, dtype=np.uint64)
    for word in cells.reshape(len(cells), -1).T:
        hashed ^= word.astype(np.uint64)
        hashed *= _FACTOR
        hashed ^= hashed >> _HALF
    hashed *= _FACTOR
    return (hashed >> np.uint64(64 - bits)).astype(np.int64), 1 << bits
