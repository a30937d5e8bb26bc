"""Data sets by name, splits, negatives and own files.

`load` and the types need torch and are imported on first use; the table of names, `graphkit.data.catalog`, is free of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphkit.data.dataset import Dataset, Pairs
    from graphkit.data.leaks.check import check_leaks
    from graphkit.data.loading import load

__all__ = ["Dataset", "Pairs", "check_leaks", "load"]

_HOME = {
    "load": "graphkit.data.loading",
    "Dataset": "graphkit.data.dataset",
    "Pairs": "graphkit.data.dataset",
    "check_leaks": "graphkit.data.leaks.check",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'graphkit.data' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
