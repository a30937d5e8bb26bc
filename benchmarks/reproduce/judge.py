"""Whether our number agrees with the published one, by a rule that is stated wherever the answer is shown."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.reproduce.table import Row
from graphkit.metrics.registry import decimals

AGREES, DISAGREES, NOT_COMPARABLE, UNPUBLISHED = "agrees", "disagrees", "not comparable", "nothing published"
TOLERANCE_STD = 2.0
_ROUNDING = 1e-9  # of the subtraction, not of the figures


def judge(row: Row, mean: float, tolerance_std: float = TOLERANCE_STD) -> str:
    """Compare our mean with the published one.

    Args:
        row: The row with its published figure.
        mean: Our mean over seeds, in the figure's unit.
        tolerance_std: Allowed distance in the published standard deviations.

    Returns:
        `AGREES`, `DISAGREES`, `NOT_COMPARABLE`, `UNPUBLISHED`, or `incomplete: N of M epochs` for a shortened run.
    """
    if row.full_epochs is not None:
        return f"incomplete: {row.epochs:,} of {row.full_epochs:,} epochs"
    if row.published is None:
        return UNPUBLISHED
    if not row.comparable:
        return NOT_COMPARABLE
    published, std = row.published.test
    digits = decimals(row.metric)
    if row.tolerance is not None:
        return AGREES if abs(round(mean, digits) - published) <= row.tolerance + _ROUNDING else DISAGREES
    if row.exact:
        return AGREES if f"{mean:.{digits}f}" == f"{published:.{digits}f}" else DISAGREES
    assert std is not None  # reading the table made sure
    return AGREES if abs(mean - published) <= tolerance_std * std + _ROUNDING else DISAGREES


def rule(tolerance_std: float = TOLERANCE_STD, rows: Iterable[Row] = ()) -> str:
    """The rule in words, as far as these rows need it."""
    kinds = tuple(rows)
    stated = (
        "; where a row names a distance, ours as printed lies within it"
        if any(row.tolerance is not None for row in kinds)
        else ""
    )
    printed = "two printed" if all(decimals(row.metric) == 2 for row in kinds) else "printed"
    return (
        f"ours agrees where it lies within {tolerance_std:g} of the paper's standard deviations of the paper's mean; a "
        f"deterministic result agrees where its {printed} decimals are the same{stated}"
    )
