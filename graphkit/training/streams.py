"""The version of what random numbers are drawn, and in which order, from a seed. Imports no torch."""

from __future__ import annotations

RANDOM_STREAMS = 1
"""Raise it with any change after which a seed gives other splits, initial weights, samples or masks.

Every run records it, and committed results of another version are shown as stale. `tests/training/test_streams.py` fails when
a stream has changed and this number has not.
"""
