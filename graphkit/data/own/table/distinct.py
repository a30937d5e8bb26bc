"""The distinct cells of a column, by hashing in whole arrays: texts as machine words, integers as they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from graphkit.data.own.table.table import Column

WIDEST = 64
"""Bytes of a text that is compared as words."""
_WORD = 8
_CHUNK = 1 << 16  # cells, of which the working arrays stay in the cache
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
        if not self._parts:
            return Column([], np.empty(0, dtype=np.int64))
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
    codes = np.empty(len(cells), dtype=np.int64)
    leads: list[np.ndarray] = []  # rows whose cells come for the first time
    left, count = np.arange(len(cells)), 0
    for salt in range(_TRIES):
        part = cells[left] if salt else cells
        slot_of, size = _hash(part, salt)
        first = np.full(size, len(part))
        for at in range(0, len(part), _CHUNK):
            slots = slot_of(part[at : at + _CHUNK])
            np.minimum.at(first, slots, np.arange(at, at + slots.size))
        used = np.flatnonzero(first < len(part))
        leading = first[used]
        first[used] = np.arange(used.size)
        kept, missed = part[leading], []
        for at in range(0, len(part), _CHUNK):
            chunk = part[at : at + _CHUNK]
            found = first[slot_of(chunk)]
            other = kept[found] != chunk
            codes[left[at : at + _CHUNK]] = found + count
            missed.append(np.flatnonzero(other if other.ndim == 1 else other.any(axis=1)) + at)
        leads.append(left[leading])
        count += used.size
        left = left[np.concatenate(missed)]
        if not left.size:
            break
    else:  # cells that were made to collide
        _, index, inverse = np.unique(cells[left], axis=0, return_index=True, return_inverse=True)
        codes[left] = inverse.reshape(-1) + count
        leads.append(left[index])
    leading = np.concatenate(leads)
    is_first = np.zeros(len(cells), dtype=bool)
    is_first[leading] = True
    places = (np.cumsum(is_first) - 1)[leading]
    for at in range(0, len(cells), _CHUNK):
        codes[at : at + _CHUNK] = places[codes[at : at + _CHUNK]]
    return np.flatnonzero(is_first), codes


def _hash(cells: np.ndarray, salt: int) -> tuple[Callable[[np.ndarray], np.ndarray], int]:
    """What gives each of some cells its slot, and how many slots there are."""
    if cells.ndim == 1 and salt == 0:
        low = int(cells.min())
        if (span := int(cells.max()) - low + 1) <= 4 * cells.size:
            return lambda chunk: chunk - low, span
    bits = max(4, (len(cells) - 1).bit_length())

    def slots(chunk: np.ndarray) -> np.ndarray:
        mixed = np.full(len(chunk), salt, dtype=np.uint64)
        for word in chunk.reshape(len(chunk), -1).T:
            mixed ^= word.astype(np.uint64)
            mixed *= _FACTOR
            mixed ^= mixed >> _HALF
        mixed *= _FACTOR
        return (mixed >> np.uint64(64 - bits)).astype(np.int64)

    return slots, 1 << bits
