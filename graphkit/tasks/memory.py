"""What would not fit in memory says so before it is built."""

from __future__ import annotations

import os
from pathlib import Path

from torch import nn

from graphkit.errors import RequestError

_GROUP = Path("/sys/fs/cgroup")


def available_memory() -> int | None:
    """Bytes that this process may still take: free on the machine, and left to its container; None where nothing tells."""
    known = [_free_on_machine(), _left_to_container()]
    return min((size for size in known if size is not None), default=None)


def _free_on_machine() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):  # not Linux: what the machine has in all
        names = getattr(os, "sysconf_names", {})
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if "SC_PHYS_PAGES" in names else None


def _left_to_container() -> int | None:
    try:
        names = ("max", "current", "stat")
        limit, used, kinds = ((_GROUP / f"memory.{name}").read_text(encoding="ascii").strip() for name in names)
    except OSError:  # no container, or one of another kind
        return None
    sizes = dict(line.split() for line in kinds.splitlines())
    cached = sum(int(sizes.get(f"{state}_file", 0)) for state in ("active", "inactive"))  # of files, given back when needed
    return None if limit == "max" else max(int(limit) - int(used) + cached, 0)


def require_memory(needed: int, what: str, advice: str) -> None:
    """Refuse what cannot fit.

    Args:
        needed: Bytes, at least.
        what: What needs them.
        advice: What to do.

    Raises:
        RequestError: If that is more than is available.
    """
    available = available_memory()
    if available is not None and needed > available:
        raise RequestError(f"{what} needs {needed / 1e9:,.1f} GB of memory, and {available / 1e9:,.1f} GB are free: {advice}")


def require_memory_for(model: nn.Module) -> None:
    """Refuse a model whose parameters would not fit.

    Args:
        model: The model on torch's `meta` device, where parameters have shapes and take no memory.

    Raises:
        RequestError: If that is more than is available.
    """
    parameters = list(model.parameters())
    count = sum(parameter.numel() for parameter in parameters)
    needed = sum(parameter.numel() * parameter.element_size() for parameter in parameters)
    require_memory(needed, f"the model with its {count:,} parameters", "lower its width or its number of layers")
