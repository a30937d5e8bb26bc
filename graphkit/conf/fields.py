"""How a setting is declared: default, meaning, allowed range or choices."""

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
