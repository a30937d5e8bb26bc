"""How a setting is declared: default, meaning, allowed range or choices. Every number has a least and a greatest value."""

from __future__ import annotations

from dataclasses import field
from typing import Any


def setting(
    default: Any, help: str, *, low: float | None = None, high: float | None = None, choices: tuple[str, ...] = ()
) -> Any:
    """Declare a setting with its meaning and its allowed range (inclusive) or choices."""
    metadata = {"help": help, "low": low, "high": high, "choices": choices}
    if isinstance(default, list | dict):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def probability(default: float, help: str) -> Any:
    """Declare a probability in [0, 1)."""
    return setting(default, help, low=0.0, high=0.999)


def width(default: int, help: str) -> Any:
    """Declare a number of channels, from 1 to 2^20."""
    return setting(default, help, low=1, high=2**20)


def depth(default: int, help: str, *, low: int = 1) -> Any:
    """Declare a number of layers or rounds, at most 10,000."""
    return setting(default, help, low=low, high=10_000)


def count(default: int, help: str, *, low: int = 0, high: int = 10**9) -> Any:
    """Declare a number of things, at most 10^9 unless said otherwise."""
    return setting(default, help, low=low, high=high)


def weight(default: float | None, help: str, *, low: float = 0.0) -> Any:
    """Declare a number that something is multiplied with or limited by, at most 10^9."""
    return setting(default, help, low=low, high=1e9)
