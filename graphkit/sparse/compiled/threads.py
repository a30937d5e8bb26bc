"""Compiled kernels: as many threads as torch has, and one kernel at a time."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numba
import torch

# torch keeps an OpenMP pool whose idle workers spin. A second OpenMP pool beside it would spin too, on the same cores; the
# workers of numba's own queue sleep. It takes one caller at a time, which the lock sees to.
if numba.config.THREADING_LAYER == "default":
    numba.config.THREADING_LAYER = "workqueue"

_LOCK = threading.Lock()


def _another_lock() -> None:
    """In a child of a fork: the thread that held the lock is not there to open it."""
    global _LOCK
    _LOCK = threading.Lock()


if hasattr(os, "register_at_fork"):  # not on Windows, which forks nothing
    os.register_at_fork(after_in_child=_another_lock)


@contextmanager
def kernel_threads() -> Iterator[int]:
    """Hold this around a call of a parallel kernel; gives the number of its threads."""
    with _LOCK:
        threads = max(1, min(torch.get_num_threads(), numba.config.NUMBA_NUM_THREADS))
        numba.set_num_threads(threads)
        yield threads
