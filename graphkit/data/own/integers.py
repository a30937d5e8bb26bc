"""Texts of integers that are kept as numbers: a text of its own for each of millions of ids takes most of the memory."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np

_USUAL = re.compile("-?[1-9][0-9]{0,17}|0")


class Integers(Sequence[str]):
    """The texts of distinct integers in their usual form: no zeros in front, no plus sign.

    Args:
        numbers: The integers, int64, of at most 18 digits.
        front: Other texts before them, such as a header.
    """

    def __init__(self, numbers: np.ndarray, front: tuple[str, ...] = ()) -> None:
        self.numbers, self.front = numbers, front

    def __len__(self) -> int:
        return len(self.front) + self.numbers.size

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        place = range(len(self))[place]
        return self.front[place] if place < len(self.front) else str(self.numbers[place - len(self.front)])

    def __iter__(self) -> Iterator[str]:
        yield from self.front
        yield from map(str, self.numbers.tolist())

    def taken(self, used: np.ndarray) -> Integers:
        """Some of them, of which a mask says which."""
        count = len(self.front)
        front = tuple(text for text, kept in zip(self.front, used[:count], strict=True) if kept)
        return Integers(self.numbers[used[count:]], front)

    def places(self, texts: set[str]) -> list[int]:
        """The places of those of some texts that are among them."""
        asked = [int(text) for text in texts if is_usual(text)]
        found = np.flatnonzero(np.isin(self.numbers, asked)) + len(self.front)
        return [place for place, text in enumerate(self.front) if text in texts] + found.tolist()


def is_usual(text: str) -> bool:
    """Whether a text is an integer of at most 18 digits in its usual form."""
    return _USUAL.fullmatch(text) is not None


def only_numbers(values: object) -> np.ndarray | None:
    """The numbers of texts that are kept as such, all of them; else None."""
    return values.numbers if isinstance(values, Integers) and not values.front else None
