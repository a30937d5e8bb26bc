"""Ticks are round, at equal distances and within the range; places by hand-computed values."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphkit.charts.axis import Axis, Scale, limits, ticks

NUMBERS = st.floats(-1e12, 1e12).filter(lambda value: value == 0 or abs(value) > 1e-9)


def is_round(step: float) -> bool:
    """Whether a number is 1, 2 or 5 times a power of ten."""
    exponent = math.floor(math.log10(step) + 1e-6)
    return any(math.isclose(step, factor * float(Fraction(10) ** exponent), rel_tol=1e-6) for factor in (1, 2, 5))


@given(low=NUMBERS, span=st.floats(1e-9, 1e12), most=st.integers(5, 12))
def test_ticks_are_few_round_and_within_the_range(low: float, span: float, most: int):
    high = low + span
    if high - low <= 1e-6 * max(abs(low), abs(high)):
        return  # the steps are lost in rounding
    found = ticks(low, high, most)
    numbers = [number for number, _ in found]
    assert 2 <= len(found) <= most
    slack = 1e-6 * (high - low)
    assert low - slack <= numbers[0] and numbers[-1] <= high + slack
    steps = [after - before for before, after in zip(numbers, numbers[1:], strict=False)]
    assert all(math.isclose(step, steps[0], rel_tol=1e-5) for step in steps) and is_round(steps[0])
    labels = [label for _, label in found]
    assert len(set(labels)) == len(labels)
    for number, label in found:
        assert math.isclose(float(label.replace(",", "").replace("\N{MINUS SIGN}", "-")), number, rel_tol=1e-6, abs_tol=slack)


@given(st.lists(NUMBERS, min_size=1, max_size=20))
def test_the_axis_holds_all_values(values: list[float]):
    low, high = limits(Axis("a"), values)
    slack = 1e-6 * (high - low)
    assert low < high and low <= min(values) + slack and high >= max(values) - slack
    numbers = [number for number, _ in ticks(low, high)]
    if max(values) - min(values) > 1e-6 * max(map(abs, values)):  # the axis ends at its ticks
        assert math.isclose(numbers[0], low, abs_tol=slack) and math.isclose(numbers[-1], high, abs_tol=slack)


def test_ticks_by_hand():
    assert [label for _, label in ticks(0, 100)] == ["0", "20", "40", "60", "80", "100"]
    assert [label for _, label in ticks(-0.2, 0.25)] == ["−0.2", "−0.1", "0.0", "0.1", "0.2"]
    assert [label for _, label in ticks(1, 3, whole=True)] == ["1", "2", "3"]
    assert [label for _, label in ticks(0, 29_858)] == ["0", "5,000", "10,000", "15,000", "20,000", "25,000"]
    assert [label for _, label in ticks(0, 2e-5)] == ["0", "5.0e-06", "1.0e-05", "1.5e-05", "2.0e-05"]


@pytest.mark.parametrize(("low", "high", "most"), [(1, 1, 6), (2, 1, 6), (0, math.inf, 6), (math.nan, 1, 6), (0, 1, 4)])
def test_what_has_no_ticks(low: float, high: float, most: int):
    with pytest.raises(ValueError, match=r"ticks need a finite range|needs room for 5 ticks"):
        ticks(low, high, most)


def test_limits_by_hand():
    assert limits(Axis("a"), [3.0, 77.0]) == (0.0, 80.0)
    assert limits(Axis("a", low=10.0), [31.0, 77.0, math.nan, math.inf]) == (10.0, 80.0)
    assert limits(Axis("a", 0, 100), [31.0]) == (0, 100)
    assert limits(Axis("a"), []) == (0.0, 1.0)
    low, high = limits(Axis("a"), [5.0, 5.0])
    assert low < 5 < high
    assert limits(Axis("a", names=("x", "y", "z")), []) == (-0.5, 2.5)


def test_a_scale_places_by_proportion():
    place = Scale(0, 50, 40, 240)
    assert (place(0), place(50), place(12.5), place(1 / 3)) == (40, 240, 90, 41.3)
    assert Scale(0, 1, 200, 100)(0.25) == 175
