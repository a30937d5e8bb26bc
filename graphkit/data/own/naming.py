"""Names in their order, and names that look alike though they differ."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from decimal import Decimal
from itertools import chain

import numpy as np

from graphkit.data.own.integers import Ascending, Integers
from graphkit.errors import shown

_DIGITS = 18


def number(*names: Iterable[str]) -> dict[str, int]:
    """The distinct ones of all names, numbered in numerical order where all are integers, else alphabetically."""
    numbers = [part for part in names if isinstance(part, Integers) and part]
    if numbers and len(numbers) == len(names):
        return Ascending(numbers)
    distinct = list(set(chain(*names)))
    if not all(map(is_integer, distinct)):
        ordered = sorted(distinct)
    elif max(map(len, distinct), default=0) <= _DIGITS:
        values = np.fromiter(map(int, distinct), dtype=np.int64, count=len(distinct))
        ordered = sorted(distinct) if np.unique(values).size < len(distinct) else distinct  # 7 and 07 go by their texts
        values = values if ordered is distinct else np.fromiter(map(int, ordered), dtype=np.int64, count=len(ordered))
        ordered = [ordered[place] for place in np.argsort(values, kind="stable")]
    else:
        ordered = sorted(distinct, key=lambda text: (Decimal(text), text))  # int() refuses text of more than 4,300 digits
    return {name: place for place, name in enumerate(ordered)}


def is_integer(text: str) -> bool:
    """Whether a text is a whole number in ASCII digits."""
    return text.isascii() and text.removeprefix("-").isdigit()


def look_alike(names: Iterable[str]) -> tuple[str, str] | None:
    """Two names that differ in how Unicode composes their letters alone (NFC and NFD), None where there are none."""
    seen: dict[str, str] = {}
    given = [*names]
    if "".join(given).isascii():
        return None
    for name in given:
        if not name.isascii() and (other := seen.setdefault(unicodedata.normalize("NFC", name), name)) != name:
            return other, name
    return None


def nearly_alike(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of names that differ by case, or by `.0` behind an integer, alone."""
    seen: dict[str, str] = {}
    found = []
    for name in names:
        plain = name.casefold()
        plain = plain.removesuffix(".0") if is_integer(plain.removesuffix(".0")) else plain
        if (other := seen.setdefault(plain, name)) != name:
            found.append((other, name))
    return found


def alike_note(what: str, names: Iterable[str]) -> tuple[str, ...]:
    """A sentence on names that are nearly alike, where there are some."""
    pairs = nearly_alike(names)
    if not pairs:
        return ()
    told = ", ".join(f"'{shown(first)}' and '{shown(second)}'" for first, second in pairs[:3])
    return (f"{what} that differ by case or .0 alone count apart: {told}" + (" and others" if len(pairs) > 3 else ""),)
