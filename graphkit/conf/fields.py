"""How a setting is declared: default, meaning, allowed range or choices. Every number has a least and a greatest value."""

from __future__ import annotations

from dataclasses import field
from typing import Any


def setting(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    path: bool = False,
    own: bool = False,
) -> Any:
    """Declare a setting.

    Args:
        default: Its default.
        help: Its meaning.
        low: Least value of a number, inclusive.
        high: Greatest value, inclusive.
        choices: The allowed values of a text.
        path: Whether it is the path of a file or folder, in which `~` is the home folder.
        own: Whether it says what the user's own files are, or how they are read.
    """
    metadata = {"help": help, "low": low, "high": high, "choices": choices, "path": path, "own": own}
    if isinstance(default, list | dict):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def own_file(help: str) -> Any:
    """Declare the path of one of the user's own files, which is not given by default."""
    return setting(None, help, path=True, own=True)


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
