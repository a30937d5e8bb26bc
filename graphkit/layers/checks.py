"""Checks of arguments that layers share; each raises ValueError."""

from __future__ import annotations


def check_widths(in_channels: int, out_channels: int) -> None:
    """Raise ValueError where a width is below 1."""
    if in_channels < 1 or out_channels < 1:
        raise ValueError(f"widths must be at least 1, got in_channels={in_channels}, out_channels={out_channels}")
