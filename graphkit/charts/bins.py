"""Bins: histograms of several groups on common edges, and groups of equal size by quantiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphkit.charts.marks import Steps

Array = NDArray[Any]


MOST_VALUES = 1_000_000
"""Values of a group that are counted; of more, those at equal distances."""


def densities(groups: Mapping[str, Array], most: int = 40) -> list[Steps]:
    """The histogram of each group as the share of its values per bin, all on the same bins of equal width.

    The bins cover the range of all values but for one in a thousand at each end; what lies beyond counts to the outer bins.

    Args:
        groups: Values by name.
        most: How many bins there are.

    Returns:
        A mark for each group with values that are finite; shares are percentages.
    """
    finite = {name: values[np.isfinite(values)].astype(np.float64) for name, values in groups.items()}
    finite = {name: values[:: -(-len(values) // MOST_VALUES)] for name, values in finite.items() if len(values)}
    if not finite:
        return []
    low, high = np.quantile(np.concatenate(list(finite.values())), [0.001, 0.999])
    if not low < high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, most + 1)
    return [
        Steps(name, edges.tolist(), (100 * np.histogram(values.clip(low, high), edges)[0] / len(values)).tolist(), style)
        for style, (name, values) in enumerate(finite.items())
    ]


def quantile_groups(values: Array, most: int = 5) -> list[tuple[str, NDArray[np.int64]]]:
    """Groups of about equal size by value, lowest first; equal values are never parted.

    Args:
        values: A finite number of each member.
        most: How many groups there may be.

    Returns:
        Of each group its range in words, e.g. `3 – 7`, and the places of its members, ascending. Empty of no values.
    """
    if not len(values):
        return []
    cuts = np.unique(np.quantile(values, np.arange(1, most) / most, method="lower"))
    group = np.searchsorted(cuts, values, side="left")
    found = []
    for number in np.unique(group).tolist():
        members = np.flatnonzero(group == number)
        found.append((span(values[members]), members))
    return found


def span(values: Array) -> str:
    """The lowest and the highest value in words, one where they are printed alike."""
    ends: Sequence[str] = [_printed(float(value)) for value in (values.min(), values.max())]
    return ends[0] if ends[0] == ends[1] else f"{ends[0]}–{ends[1]}"


def _printed(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:.2f}"
