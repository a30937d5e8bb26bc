"""Histograms and groups by quantiles against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphkit.charts.bins import densities, quantile_groups


def test_densities_equal_a_loop_and_add_up_to_all():
    rng = np.random.default_rng(0)
    groups = {"positive": rng.normal(1, 1, 300), "negative": rng.normal(-1, 2, 500), "none": np.array([np.nan])}
    found = densities(groups, 20)
    assert [mark.name for mark in found] == ["positive", "negative"]
    assert found[0].edges == found[1].edges and len(found[0].edges) == 21
    for mark in found:
        heights = [0] * 20
        for value in groups[mark.name].tolist():
            inside = [b for b in range(20) if mark.edges[b] <= value < mark.edges[b + 1]]
            heights[inside[0] if inside else (0 if value < mark.edges[0] else 19)] += 1
        assert mark.heights == pytest.approx([100 * height / len(groups[mark.name]) for height in heights])
        assert sum(mark.heights) == pytest.approx(100)


def test_densities_of_equal_values_and_of_none():
    (mark,) = densities({"a": np.full(7, 2.0)})
    assert sum(mark.heights) == pytest.approx(100) and mark.edges[0] < 2 < mark.edges[-1]
    assert densities({"a": np.array([])}) == []


@given(st.lists(st.integers(0, 30), min_size=1, max_size=80), st.integers(2, 6))
def test_groups_part_the_members_by_value(values: list[int], most: int):
    groups = quantile_groups(np.array(values), most)
    assert sorted(place for _, members in groups for place in members.tolist()) == list(range(len(values)))
    assert 1 <= len(groups) <= most
    ends = [[values[place] for place in members] for _, members in groups]
    assert all(max(before) < min(after) for before, after in zip(ends, ends[1:], strict=False))


def test_groups_of_distinct_values_are_equal_in_size_and_named():
    groups = quantile_groups(np.arange(10)[::-1], 5)
    assert [(name, members.tolist()) for name, members in groups] == [
        ("0–1", [8, 9]), ("2–3", [6, 7]), ("4–5", [4, 5]), ("6–7", [2, 3]), ("8–9", [0, 1]),
    ]  # fmt: skip
    assert quantile_groups(np.array([0.25, 0.5]), 2)[0][0] == "0.25"
    assert quantile_groups(np.array([])) == []
