"""Axes: round ticks with their labels, and the place of a value on the page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MOST_TICKS = 6
_STEPS = (1, 2, 5)
_ALIKE = 1e-12
"""Values whose difference is a smaller share of them than this are drawn as equal."""


@dataclass(frozen=True)
class Axis:
    """What an axis shows.

    Attributes:
        label: What is measured, with its unit.
        low: Where it begins; None: at the round number below the smallest value.
        high: Where it ends; None: at the round number above the largest value.
        whole: Whether only whole numbers get a tick, as of epochs.
        names: Names of the places 0, 1, ... of a categorical axis; a part after a line break is written below, smaller.
    """

    label: str
    low: float | None = None
    high: float | None = None
    whole: bool = False
    names: Sequence[str] = ()


@dataclass(frozen=True)
class Scale:
    """A linear map from the values `low` to `high` of an axis to the places `start` to `end` on the page."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The place of a value, to a tenth of a unit."""
        return round(self.start + (self.end - self.start) * (value - self.low) / (self.high - self.low), 1)


def limits(axis: Axis, values: Iterable[float]) -> tuple[float, float]:
    """Where an axis begins and ends: around all finite values, at round numbers unless the axis says otherwise.

    Args:
        axis: The axis; a categorical one has half a place around its names.
        values: What is drawn.

    Returns:
        Two numbers, the first below the second.
    """
    if axis.names:
        return -0.5, len(axis.names) - 0.5
    found = [value for value in values if math.isfinite(value)]
    low = axis.low if axis.low is not None else min(found, default=0.0)
    high = axis.high if axis.high is not None else max(found, default=1.0)
    if high - low <= _ALIKE * max(abs(low), abs(high)):
        around = 0.05 * abs(low) or 1.0
        low, high = low - around, high + around
    step = 0.0
    while (wider := _step(low, high, MOST_TICKS, axis.whole)) > step:  # a range that was extended may need a larger step
        step = wider
        low = low if axis.low is not None else math.floor(low / step + 1e-9) * step
        high = high if axis.high is not None else math.ceil(high / step - 1e-9) * step
    return low, high


def ticks(low: float, high: float, most: int = MOST_TICKS, *, whole: bool = False) -> list[tuple[float, str]]:
    """Round numbers of a range with their labels: multiples of 1, 2 or 5 times a power of ten.

    Args:
        low: Where the range begins.
        high: Where it ends.
        most: How many ticks there may be, at least 5.
        whole: Whether only whole numbers count.

    Returns:
        Numbers and labels in ascending order, at equal distances. At least two, unless `whole` leaves fewer.

    Raises:
        ValueError: If the range is empty or not finite, or `most` is below 5.
    """
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"ticks need a finite range, got {low} to {high}.")
    if most < 5:
        raise ValueError(f"an axis needs room for 5 ticks, got {most}.")
    step = _step(low, high, most, whole)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    numbers = [place * step for place in range(first, last + 1)]
    large = max(abs(low), abs(high))
    if large >= 1e7 or large < 1e-3:
        digits = max(0, math.floor(math.log10(large)) - math.floor(math.log10(step) + 1e-9))
        return [(number, "0" if number == 0 else f"{number:.{digits}e}") for number in numbers]
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return [(number, f"{number + 0.0:,.{decimals}f}".replace("-", "\N{MINUS SIGN}")) for number in numbers]


def _step(low: float, high: float, most: int, whole: bool) -> float:
    """The smallest step of which no more than `most` multiples lie in the range."""
    exponent = math.floor(math.log10((high - low) / most))
    if whole:
        exponent = max(exponent, 0)
    while True:
        for factor in _STEPS:
            step = factor * 10.0**exponent if exponent >= 0 else factor / 10.0**-exponent
            if math.floor(high / step + 1e-9) - math.ceil(low / step - 1e-9) < most:
                return step
        exponent += 1
