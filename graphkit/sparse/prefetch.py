"""Ask for memory before it is needed: rows gathered at random arrive too late for the processor to guess them."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

_LINES = 8  # cache lines of a row; the processor foresees the rest


@intrinsic
def _prefetch(context: Any, array: Any, row: Any, column: Any) -> Any:
    """Start loading the cache line of array[row, column]; compiled code only."""

    def generate(target: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = signature.args[0]
        view = target.make_array(kind)(target, builder, args[0])
        place = cgutils.get_item_pointer(target, builder, kind, view, list(args[1:]), wraparound=False)
        byte = ir.IntType(8).as_pointer()
        number = ir.IntType(32)
        shape = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        call = cgutils.get_or_insert_function(builder.module, shape, "llvm.prefetch.p0")
        read, keep_close, data = number(0), number(3), number(1)
        builder.call(call, [builder.bitcast(place, byte), read, keep_close, data])
        return target.get_dummy_value()

    return types.void(array, types.uint64, types.uint64), generate


@njit(inline="always")
def ask(x: Any, row: Any) -> None:
    """Start loading the first cache lines of a row of x."""
    step = 64 // x.itemsize
    for f in range(0, min(x.shape[1], _LINES * step), step):
        _prefetch(x, np.uint64(row), np.uint64(f))
