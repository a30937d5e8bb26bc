"""What users and items are called, and the way back to their numbers."""

from __future__ import annotations

import csv
import errno
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

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
    def numbers(self) -> Mapping[str, int]:
        """The number that belongs to each name."""
        return {name: number for number, name in enumerate(self.array.tolist())}

    def find(self, name: str | int) -> int:
        """The number that belongs to a name.

        Raises:
            RequestError: If nothing is called so; the message has the nearest names.
        """
        number = self.numbers.get(str(name))
        if number is None:
            raise RequestError(self.unknown(str(name)))
        return number

    def unknown(self, name: str) -> str:
        """What is said of a name that nothing is called by, with the nearest names."""
        near = nearest_names(name, self.numbers, _FEW)
        some = ", ".join(near or [*self.array[:_FEW].tolist(), "..."])
        hint = f"{'nearest:' if near else 'they are called'} {shown(some)}"
        return f"no {self.kind} '{shown(name)}' among {len(self.array):,}; {hint}"

    def find_all(self, names: Iterable[str | int]) -> list[int]:
        """The numbers of several names, see `find`."""
        return [self.find(name) for name in names]

    def read(self, path: Path, key: str) -> list[int]:
        """The numbers of the names in a text file, a name a line.

        Args:
            path: The file.
            key: The setting that names it, for messages.

        Raises:
            RequestError: If it cannot be read, is empty, or holds a name that nothing is called by.
        """
        advice = f"give all, or a file with a {self.kind} a line"
        try:
            if path.exists() and not path.is_file():  # a pipe, or a device without end
                raise OSError(errno.EINVAL, "it is no ordinary file")
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise RequestError(f"{key}={path}: cannot read it ({reason}); {advice}") from error
        found = []
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    found.append(self.find(line.strip()))
                except RequestError as error:
                    raise RequestError(f"{key}={path}, line {number}: {error}") from error
        if not found:
            raise RequestError(f"{key}={path}: it is empty; {advice}")
        return found

    def split(self, text: str) -> list[str]:
        """The names of a comma-separated text, as a row of a CSV file; a text that is itself a name is one, commas and all.

        Raises:
            RequestError: If a name is empty, or quotes do not match.
        """
        if text in self.numbers:
            return [text]
        advice = f"give {self.kind}s as a,b,c, names with commas or double quotes as CSV has them"
        try:
            parts = [part.strip() for part in next(csv.reader([text], skipinitialspace=True, strict=True), [""])]
        except csv.Error as error:
            raise RequestError(f"'{shown(text)}' is no list of names ({error}): {advice}") from error
        if not all(parts):
            raise RequestError(f"'{shown(text)}' has an empty name: {advice}")
        return parts
