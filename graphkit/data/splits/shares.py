"""Shares of training, validation and test."""

from __future__ import annotations

Shares = tuple[float, float, float]


def share_of(share: float, total: int) -> int:
    """floor(share * total), where a product that misses an integer by rounding alone counts as that integer."""
    return int(share * total + 1e-9)
