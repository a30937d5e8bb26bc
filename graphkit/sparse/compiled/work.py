"""Dynamic scheduling for compiled loops: threads fetch the next block from a shared counter, so a slow thread delays no other.

A kernel takes the counter first, is compiled with `nogil` and fetches blocks until none is left; `parallel_for` calls it in as
many threads as torch has. Such a kernel compiles in a third of the time of one with numba's own parallel loops, which matters
where it is compiled for every size of a matrix, and needs no turns.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import torch
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from torch import Tensor


def parallel_for(kernel: Any, *given: Any, alone: bool = False) -> None:
    """Call kernel(counter, *given) in all threads at once, tensors as arrays; what it writes to must be contiguous.

    With `alone` the caller does it all: what takes less than half a millisecond is done before another thread is awake.
    """
    arguments = np.zeros(1, np.int64), *(one.detach().contiguous().numpy() if isinstance(one, Tensor) else one for one in given)
    helpers = [_pool().submit(kernel, *arguments) for _ in range(0 if alone else torch.get_num_threads() - 1)]
    kernel(*arguments)
    for helper in helpers:
        if not helper.cancel():  # one that has not begun would find nothing left
            helper.result()


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="graphkit-kernel")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # a child has none of its parent's threads


@intrinsic
def next_block(context: Any, counter: Any) -> Any:
    """The next number from counter[0], which no other thread gets; compiled code only.

    Work is spread evenly whatever a block costs; `prange` over the blocks would give every thread a fixed part.
    """

    def generate(target: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = signature.args[0]
        view = target.make_array(kind)(target, builder, args[0])
        place = cgutils.get_item_pointer(target, builder, kind, view, [ir.Constant(ir.IntType(64), 0)], wraparound=False)
        return builder.atomic_rmw("add", place, ir.Constant(ir.IntType(64), 1), "monotonic")

    return types.int64(counter), generate
