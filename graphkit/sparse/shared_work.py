"""Blocks of work handed out one by one, in compiled loops: a thread that is held up holds up nobody else."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


@intrinsic
def take(context: Any, counter: Any) -> Any:
    """The next number from counter[0], which no other thread gets; compiled code only.

    A loop over `prange(threads)` whose threads take until nothing is left shares work evenly whatever a block costs;
    `prange` over the blocks would give every thread a fixed half, third, quarter.
    """

    def generate(target: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = signature.args[0]
        view = target.make_array(kind)(target, builder, args[0])
        place = cgutils.get_item_pointer(target, builder, kind, view, [ir.Constant(ir.IntType(64), 0)], wraparound=False)
        return builder.atomic_rmw("add", place, ir.Constant(ir.IntType(64), 1), "monotonic")

    return types.int64(counter), generate
