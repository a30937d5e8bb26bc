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
    """Texts in bytes [R] as machine words [W, R], padded with NUL."""
    width = max(1, -(-texts.itemsize // _WORD))
    return np.ascontiguousarray(texts.astype(f"S{width * _WORD}").view(np.uint64).reshape(texts.size, width).T)


def column_of_words(words: np.ndarray) -> Column:
    """A column of texts in UTF-8 that are given as words [W, R], without the blanks around them."""
    first, codes = distinct(words)
    texts = np.ascontiguousarray(words[:, first].T).view(f"S{len(words) * _WORD}").reshape(-1)
    return Column(b"\n".join(texts.tolist()).decode().split("\n"), codes).trimmed()


def distinct(words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the distinct cells of a column in the order of their first rows.

    Args:
        words: The cells, a column of W words each [W, R], of 64 bits.

    Returns:
        The first row of each distinct cell, ascending, and the number of each row's cell [R].
    """
    leads, codes = _numbered(words, 0)
    is_first = np.zeros(codes.size, dtype=bool)
    is_first[leads] = True
    places = (np.cumsum(is_first) - 1)[leads]
    for at in range(0, codes.size, _CHUNK):
        codes[at : at + _CHUNK] = places[codes[at : at + _CHUNK]]
    return np.flatnonzero(is_first), codes


def _numbered(words: np.ndarray, tried: int) -> tuple[np.ndarray, np.ndarray]:
    """The same in any order.

    Every cell hashes to a slot, which keeps the first row that comes to it. Cells that are equal to the one in that row get
    its number; the others go on with another hash.
    """
    rows = words.shape[1]
    if tried == _TRIES:  # cells that were made to collide
        _, leads, codes = np.unique(words, axis=1, return_index=True, return_inverse=True)
        return leads, codes.reshape(-1)
    slot_of, size = _hash(words, tried)
    chunks = [slice(at, min(at + _CHUNK, rows)) for at in range(0, rows, _CHUNK)]
    first = np.full(size, rows, dtype=np.int32 if rows < 1 << 31 else np.int64)
    for chunk in chunks:
        np.minimum.at(first, slot_of(words[:, chunk]), np.arange(chunk.start, chunk.stop, dtype=first.dtype))
    used = np.flatnonzero(first < rows)
    leads = first[used].astype(np.int64)
    first[used] = np.arange(used.size)
    kept, codes, others = words[:, leads], np.empty(rows, dtype=np.int64), []
    for chunk in chunks:
        codes[chunk] = found = first[slot_of(words[:, chunk])].astype(np.int64)
        other = kept[0][found] != words[0, chunk]
        for lead, word in zip(kept[1:], words[1:, chunk], strict=True):
            other |= lead[found] != word
        others.append(np.flatnonzero(other) + chunk.start)
    left = np.concatenate(others)
    if left.size:
        more, numbers = _numbered(words[:, left], tried + 1)
        codes[left] = numbers + leads.size
        leads = np.concatenate([leads, left[more]])
    return leads, codes


def _hash(words: np.ndarray, tried: int) -> tuple[Callable[[np.ndarray], np.ndarray], int]:
    """What gives some of the cells their slots, and how many slots there are."""
    rows = words.shape[1]
    if words.dtype == np.int64 and tried == 0:
        low = int(words.min())
        if (span := int(words.max()) - low + 1) <= 4 * rows:
            return lambda chunk: chunk[0] - low, span
    bits = max(4, (rows - 1).bit_length())

    def slots(chunk: np.ndarray) -> np.ndarray:
        mixed = np.full(chunk.shape[1], tried, dtype=np.uint64)
        for word in chunk.view(np.uint64):
            mixed ^= word
            mixed *= _FACTOR
            mixed ^= mixed >> _HALF
        mixed *= _FACTOR
        return (mixed >> np.uint64(64 - bits)).view(np.int64)

    return slots, 1 << bits
