"""Texts of integers that are kept as numbers: a text of its own for each of millions of ids takes most of the memory."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import overload

import numpy as np

_USUAL = re.compile("-?[1-9][0-9]{0,17}|0")


class Integers(Sequence[str]):
    """The texts of distinct integers in their usual form: no zeros in front, no plus sign.

    Args:
        numbers: The integers, int64, of at most 18 digits.
    """

    def __init__(self, numbers: np.ndarray) -> None:
        self.numbers = numbers

    def __len__(self) -> int:
        return self.numbers.size

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> Integers: ...
    def __getitem__(self, place: int | slice) -> str | Integers:
        return Integers(self.numbers[place]) if isinstance(place, slice) else str(self.numbers[place])

    def __iter__(self) -> Iterator[str]:
        return map(str, self.numbers.tolist())

    def places(self, texts: Collection[str]) -> list[int]:
        """The places of those of some texts that are among them."""
        asked = [int(text) for text in texts if is_usual(text)]
        found: list[int] = np.flatnonzero(np.isin(self.numbers, asked)).tolist() if asked else []
        return found


class Ascending(dict[str, int]):
    """Texts of integers and the place of each in ascending order.

    Args:
        parts: Integers, of which some may come again.
    """

    def __init__(self, parts: Sequence[Integers]) -> None:
        numbers = np.sort(np.concatenate([part.numbers for part in parts]))
        again = np.zeros(numbers.size, dtype=bool)
        again[1:] = numbers[1:] == numbers[:-1]
        self.numbers = numbers[~again]
        super().__init__(zip(Integers(self.numbers), range(self.numbers.size), strict=True))

    def places(self, asked: Integers) -> np.ndarray:
        """The place of each of some integers, -1 where it has none."""
        places = np.searchsorted(self.numbers, asked.numbers)
        known = self.numbers[np.minimum(places, self.numbers.size - 1)] == asked.numbers
        return np.where(known, places, -1)


def is_usual(text: str) -> bool:
    """Whether a text is an integer of at most 18 digits in its usual form."""
    return _USUAL.fullmatch(text) is not None
