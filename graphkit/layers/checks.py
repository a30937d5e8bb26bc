"""Checks of arguments that layers and models share: the range of a value is said here once. Each raises ValueError."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from graphkit.sparse import CSR


def check_at_least(low: int, **values: float) -> None:
    """Raise ValueError where a value lies below `low`; its keyword is the name in the message."""
    for name, value in values.items():
        if not value >= low:
            raise ValueError(f"{name} must be at least {low}, got {value}")


def check_positive(**values: float) -> None:
    """Raise ValueError where a real number is zero or below; its keyword is the name in the message."""
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{name} must be positive, got {value}")


def check_within(low: float, high: float, **values: float) -> None:
    """Raise ValueError where a value lies outside [low, high]; its keyword is the name in the message."""
    for name, value in values.items():
        if not low <= value <= high:
            raise ValueError(f"{name} must lie in [{low:g}, {high:g}], got {value}")


def check_probability(**values: float) -> None:
    """Raise ValueError where a probability of dropping lies outside [0, 1); its keyword is the name in the message."""
    for name, value in values.items():
        if not 0.0 <= value < 1.0:
            raise ValueError(f"{name} must lie in [0, 1), got {value}")


def check_choice(choices: Collection[str], **values: str) -> None:
    """Raise ValueError where a value is none of the choices; its keyword is the name in the message."""
    for name, value in values.items():
        if value not in choices:
            raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")


def check_one_graph(**features: Tensor | CSR | None) -> None:
    """Raise ValueError where features [B, N, C] stand for B copies of one graph; its keyword is the name in the message."""
    for name, x in features.items():
        if x is not None and len(x.shape) > 2:
            raise ValueError(
                f"{name} must have shape [N, C], a row per node, got {list(x.shape)}: for several sets of features of one "
                f"graph call the layer for each, torch.stack([layer(one, edge_index) for one in {name}])"
            )
