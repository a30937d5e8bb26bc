"""Texts of a column as numbers, truth values or moments."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from graphkit.data.own.integers import Integers
from graphkit.data.own.naming import is_integer

GAPS = frozenset(("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"))
"""Texts that stand for a value that is not known."""
TRUTH = {"true": 1.0, "yes": 1.0, "t": 1.0, "y": 1.0, "false": 0.0, "no": 0.0, "f": 0.0, "n": 0.0}
_DATE = re.compile(r"\d{4}-?\d\d-?\d\d")


def number_of(text: str) -> float | None:
    """A text as a finite number, None where it is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text else None


def numbers_of(texts: Sequence[str]) -> np.ndarray:
    """Texts as numbers, float64, NaN where one is none or is not finite."""
    if isinstance(texts, Integers):
        return texts.numbers.astype(np.float64)
    try:
        values = np.fromiter(map(float, texts), dtype=np.float64, count=len(texts))
    except ValueError:
        return np.array([math.nan if (value := number_of(text)) is None else value for text in texts], dtype=np.float64)
    values[~np.isfinite(values)] = math.nan
    if any("_" in text for text in texts):  # Python's grouping of digits, which no table means
        values[["_" in text for text in texts]] = math.nan
    return values


def moment_of(text: str) -> datetime | None:
    """A text as an ISO 8601 date, with or without a time and a zone; None where it is none."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def is_number_or_date(text: str) -> bool:
    """Whether a text is a finite number, an integer of any length or a date."""
    return number_of(text) is not None or is_integer(text) or (_DATE.match(text) is not None and moment_of(text) is not None)


def seconds_of(moment: datetime) -> float:
    """Seconds since 1970; a moment without a zone is read as UTC."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def seconds_in(texts: Sequence[str]) -> np.ndarray:
    """Texts as times, float64: numbers as they are, ISO 8601 dates in seconds since 1970; NaN where one is neither."""
    values = numbers_of(texts)
    for place in np.flatnonzero(np.isnan(values)).tolist():
        if (moment := moment_of(texts[place])) is not None:
            values[place] = seconds_of(moment)
    return values
