"""What this machine can do at most, and how much memory a call takes: the two measures that every case is held against."""

from __future__ import annotations

import ctypes
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import TypeVar

import torch
from torch import Tensor

from graphkit.training.environment import environment

T = TypeVar("T")
_CLEAR, _STATUS, _MEMORY = Path("/proc/self/clear_refs"), Path("/proc/self/status"), Path("/proc/meminfo")


class Machine:
    """The rates that a roofline is drawn from, measured on first use with the threads that the cases get.

    Args:
        quick: Measure on small matrices; the rates are then far too low.
    """

    def __init__(self, quick: bool = False) -> None:
        self._order = 256 if quick else 2048
        self._copied = 2**20 if quick else 2**27

    @cached_property
    def copy_rate(self) -> float:
        """Bytes read and written a second by a copy that no cache holds."""
        source = torch.zeros(self._copied, dtype=torch.uint8)
        target = torch.empty_like(source)
        return 2 * self._copied / _seconds(lambda: target.copy_(source))

    @cached_property
    def gemm_rate(self) -> float:
        """Floating point operations a second of a square float32 matrix product."""
        return self._gemm(torch.float32)

    @cached_property
    def bf16_gemm_rate(self) -> float:
        """The same in bfloat16."""
        return self._gemm(torch.bfloat16)

    def _gemm(self, dtype: torch.dtype) -> float:
        a = torch.randn(self._order, self._order).to(dtype)
        out = torch.empty_like(a)
        return 2 * self._order**3 / _seconds(lambda: torch.mm(a, a, out=out))

    def describe(self) -> str:
        """One line: processor, threads, versions and the rates measured so far."""
        facts = environment(torch.device("cpu"), "32-true")
        parts = [facts["device"], f"threads: {facts['threads']}", f"torch {torch.__version__}"]
        for rate, name, unit in (
            ("copy_rate", "copies", "GB/s"),
            ("gemm_rate", "fp32 GEMM", "GFLOP/s"),
            ("bf16_gemm_rate", "bf16 GEMM", "GFLOP/s"),
        ):
            if rate in self.__dict__:
                parts.append(f"{name} {getattr(self, rate) / 1e9:.0f} {unit}")
        return ", ".join(parts)


def _seconds(call: Callable[[], Tensor]) -> float:
    """Median time of five calls after a first one."""
    times = []
    for _ in range(6):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return median(times[1:])


@dataclass(frozen=True)
class Memory:
    """Resident memory in MiB: the highest of the whole process during a call, and how much of it the call added."""

    peak: float
    added: float


def with_memory(call: Callable[[], T]) -> tuple[T, Memory | None]:
    """Run `call` and see how much memory the process held at most.

    Linux keeps the high-water mark of a process and resets it on request, so nothing is sampled. What earlier calls freed is
    handed back to the system first. Elsewhere there is no such mark for a single call, and None is returned.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "malloc_trim"):
        library.malloc_trim(0)
    if not can_measure_memory():
        return call(), None
    before = _status("VmRSS")
    _CLEAR.write_text("5")
    result = call()
    peak = _status("VmHWM")
    return result, Memory(peak, max(peak - before, 0.0))


def can_measure_memory() -> bool:
    """Whether the kernel lets a process reset its high-water mark."""
    try:
        _CLEAR.write_text("5")
    except OSError:
        return False
    return True


def available_memory() -> float | None:
    """MiB that this process may still take without making the system swap; None where the system does not tell."""
    return _field(_MEMORY, "MemAvailable") if _MEMORY.is_file() else None


def _status(field: str) -> float:
    return _field(_STATUS, field)


def _field(path: Path, field: str) -> float:
    found = re.search(rf"^{field}:\s+(\d+) kB", path.read_text(), flags=re.MULTILINE)
    assert found is not None, f"the kernel's {path} names no {field}"
    return int(found[1]) / 1024
