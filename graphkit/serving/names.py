"""What users and items are called, and the way back to their numbers."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np

from graphkit.errors import RequestError, shown
from graphkit.nearest import nearest_names
from graphkit.training.table import as_text

_FEW = 3


class Names:
    """The names of users, or of items; numbers from 0 on where the data has no names.

    Args:
        kind: What they name: user or item.
        count: How many there are.
        names: Their names in index order; empty: they have none.

    Attributes:
        array: The names, NumPy's text of variable width: one long name does not widen the others.
    """

    def __init__(self, kind: str, count: int, names: Sequence[str] = ()) -> None:
        self.kind = kind
        self.array = as_text(names) if names else np.arange(count).astype(np.dtypes.StringDType())

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.array.tolist())}

    def find(self, name: str | int) -> int:
        """The number that belongs to a name.

        Raises:
            RequestError: If nothing is called so; the message has the nearest names.
        """
        number = self._numbers.get(str(name))
        if number is None:
            near = nearest_names(str(name), self._numbers, _FEW)
            some = ", ".join(near or [*self.array[:_FEW].tolist(), "..."])
            hint = f"{'nearest:' if near else 'they are called'} {shown(some)}"
            raise RequestError(f"no {self.kind} '{shown(str(name))}' among {len(self.array):,}; {hint}")
        return number

    def find_all(self, names: Iterable[str | int]) -> list[int]:
        """The numbers of several names, see `find`."""
        return [self.find(name) for name in names]

    def split(self, text: str) -> list[str]:
        """The names of a comma-separated text, as a row of a CSV file; a text that is itself a name is one, commas and all.

        Raises:
            RequestError: If a name is empty, or quotes do not match.
        """
        if text in self._numbers:
            return [text]
        advice = f"give {self.kind}s as a,b,c, names with commas or double quotes as CSV has them"
        try:
            parts = [part.strip() for part in next(csv.reader([text], skipinitialspace=True, strict=True), [""])]
        except csv.Error as error:
            raise RequestError(f"'{shown(text)}' is no list of names ({error}): {advice}") from error
        if not all(parts):
            raise RequestError(f"'{shown(text)}' has an empty name: {advice}")
        return parts
