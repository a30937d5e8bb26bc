"""The innermost loops of products with sparse matrices on the CPU: weighted sums of rows, held in vector registers.

Emitted as LLVM vector IR. In a plain loop LLVM must assume that the sum and the rows alias, so it stores the running sum after
every row instead of keeping it in registers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

_AHEAD = 16  # prefetch distance: entries between the row that is added and the one that is prefetched
_LINE = 64  # bytes
_FUSE = ("contract",)  # a product and a sum may round once
_INDEX = ir.IntType(32)


class VectorCode:
    """What the generators below share: arrays by name, and vectors of channels in them."""

    def __init__(self, target: Any, builder: Any, kinds: dict[str, Any], given: dict[str, Any], width: int, count: int) -> None:
        self.target, self.builder, self.kinds, self.given, self.count = target, builder, kinds, given, count
        self.views = {
            name: target.make_array(kind)(target, builder, given[name])
            for name, kind in kinds.items()
            if isinstance(kind, types.Array)
        }
        number = target.get_value_type(kinds["x"].dtype)
        self.align = number.get_abi_size(target.target_data)
        self.vector, self.size = ir.VectorType(number, width), width * count * self.align

    def pointer(self, name: str, *indices: Any) -> Any:
        """Address of an element."""
        return cgutils.get_item_pointer(
            self.target, self.builder, self.kinds[name], self.views[name], list(indices), wraparound=False
        )

    def vectors(self, name: str, row: Any) -> list[Any]:
        """Addresses of the row's vectors, from channel f on."""
        start = self.builder.bitcast(self.pointer(name, row, self.given["f"]), self.vector.as_pointer())
        return [self.builder.gep(start, [_INDEX(k)]) for k in range(self.count)]

    def splat(self, scalar: Any) -> Any:
        """Splat: a vector with this number in every lane."""
        nothing = ir.Constant(self.vector, ir.Undefined)
        one = self.builder.insert_element(nothing, scalar, _INDEX(0))
        zeros = ir.Constant(ir.VectorType(_INDEX, self.vector.count), [0] * self.vector.count)
        return self.builder.shuffle_vector(one, nothing, zeros)

    def row_at(self, entry: Any) -> Any:
        """The column of an entry."""
        column = self.builder.load(self.pointer("col", entry))
        return self.builder.zext(column, ir.IntType(64)) if column.type.width < 64 else column

    def row_ahead(self, entry: Any) -> Any:
        """The column some entries later, or the last."""
        later, last = self.builder.add(entry, ir.Constant(entry.type, _AHEAD)), self.given["last"]
        return self.row_at(self.builder.select(self.builder.icmp_signed("<", later, last), later, last))

    def prefetch(self, row: Any) -> None:
        """Prefetch a row of x. The hardware prefetcher cannot predict gathered rows."""
        self.prefetch_at(self.pointer("x", row, self.given["f"]))

    def prefetch_at(self, place: Any) -> None:
        """Prefetch the vectors from an address on."""
        byte = ir.IntType(8).as_pointer()
        shape = ir.FunctionType(ir.VoidType(), [byte, _INDEX, _INDEX, _INDEX])
        call = cgutils.get_or_insert_function(self.builder.module, shape, "llvm.prefetch.p0")
        read, keep_close, data = _INDEX(0), _INDEX(3), _INDEX(1)
        start = self.builder.bitcast(place, byte)
        for offset in range(0, self.size, _LINE):
            self.builder.call(call, [self.builder.gep(start, [_INDEX(offset)]), read, keep_close, data])

    def load(self, place: Any) -> Any:
        """The vector at an address that need not be a multiple of its size."""
        return self.builder.load(place, align=self.align)

    def add_at(self, place: Any, term: Any) -> None:
        """Add a vector to the one at an address."""
        self.builder.store(self.builder.fadd(self.load(place), term, flags=_FUSE), place, align=self.align)


def _gathering(width: int, count: int, weighted: bool, prefetch: bool) -> Callable[..., None]:
    """Code for out[r, f:g] += a * sum of value[e] * x[col[e], f:g] over first <= e < end, with g = f + width * count.

    Without `weighted` the values are ones; with `prefetch` rows are prefetched.
    """

    @intrinsic
    def gather(
        context: Any, out: Any, r: Any, f: Any, a: Any, x: Any, col: Any, value: Any, first: Any, end: Any, last: Any
    ) -> Any:
        names = ("out", "r", "f", "a", "x", "col", "value", "first", "end", "last")

        def generate(target: Any, builder: Any, signature: Any, args: Any) -> Any:
            given = dict(zip(names, args, strict=True))
            code = VectorCode(target, builder, dict(zip(names, signature.args, strict=True)), given, width, count)
            sums = [cgutils.alloca_once_value(builder, ir.Constant(code.vector, None)) for _ in range(count)]
            with cgutils.for_range_slice(builder, given["first"], given["end"], ir.IntType(64)(1), inc=True) as (entry, _):
                if prefetch:
                    code.prefetch(code.row_ahead(entry))
                weight = code.splat(builder.load(code.pointer("value", entry))) if weighted else None
                for total, source in zip(sums, code.vectors("x", code.row_at(entry)), strict=True):
                    term = code.load(source)
                    term = builder.fmul(weight, term, flags=_FUSE) if weighted else term
                    builder.store(builder.fadd(builder.load(total), term, flags=_FUSE), total)
            factor = code.splat(given["a"])
            for total, goal in zip(sums, code.vectors("out", given["r"]), strict=True):
                code.add_at(goal, builder.fmul(factor, builder.load(total), flags=_FUSE))
            return target.get_dummy_value()

        number = types.int64
        return types.void(out, number, number, x.dtype, x, col, value, number, number, number), generate

    made: Callable[..., None] = gather
    return made


def _scattering(width: int, count: int) -> Callable[..., None]:
    """Code for out[col[e], f:g] += x[r, f:g] for first <= e < end, with g = f + width * count."""

    @intrinsic
    def scatter(context: Any, out: Any, f: Any, col: Any, first: Any, end: Any, x: Any, r: Any) -> Any:
        names = ("out", "f", "col", "first", "end", "x", "r")

        def generate(target: Any, builder: Any, signature: Any, args: Any) -> Any:
            given = dict(zip(names, args, strict=True))
            code = VectorCode(target, builder, dict(zip(names, signature.args, strict=True)), given, width, count)
            terms = [code.load(source) for source in code.vectors("x", given["r"])]
            with cgutils.for_range_slice(builder, given["first"], given["end"], ir.IntType(64)(1), inc=True) as (entry, _):
                for goal, term in zip(code.vectors("out", code.row_at(entry)), terms, strict=True):
                    code.add_at(goal, term)
            return target.get_dummy_value()

        number = types.int64
        return types.void(out, number, col, number, number, x, number), generate

    made: Callable[..., None] = scatter
    return made


_TILES = (16, 4), (16, 1), (4, 1), (1, 1)
_weighted_64, _weighted_16, _weighted_4, _weighted_1 = (_gathering(*tile, weighted=True, prefetch=True) for tile in _TILES)
_plain_64, _plain_16, _plain_4, _plain_1 = (_gathering(*tile, weighted=False, prefetch=True) for tile in _TILES)
_close_64, _close_16, _close_4, _close_1 = (_gathering(*tile, weighted=False, prefetch=False) for tile in _TILES)
_scatter_64, _scatter_16, _scatter_4, _scatter_1 = (_scattering(*tile) for tile in _TILES)


@njit(inline="always")
def add_rows(out: Any, r: Any, a: Any, x: Any, col: Any, value: Any, first: Any, end: Any, last: Any) -> None:
    """Add to row r of `out`: a * sum of value[e] * x[col[e]] over first <= e < end, in this order. Compiled code only.

    `value` has x's type, its length 0 stands for ones; a has x's type too. `last` is the last position of col that may be
    looked at ahead of time.
    """
    channels, f = x.shape[1], 0
    if value.shape[0] > 0:
        while f + 64 <= channels:
            _weighted_64(out, r, f, a, x, col, value, first, end, last)
            f += 64
        while f + 16 <= channels:
            _weighted_16(out, r, f, a, x, col, value, first, end, last)
            f += 16
        while f + 4 <= channels:
            _weighted_4(out, r, f, a, x, col, value, first, end, last)
            f += 4
        while f < channels:
            _weighted_1(out, r, f, a, x, col, value, first, end, last)
            f += 1
    else:
        while f + 64 <= channels:
            _plain_64(out, r, f, a, x, col, value, first, end, last)
            f += 64
        while f + 16 <= channels:
            _plain_16(out, r, f, a, x, col, value, first, end, last)
            f += 16
        while f + 4 <= channels:
            _plain_4(out, r, f, a, x, col, value, first, end, last)
            f += 4
        while f < channels:
            _plain_1(out, r, f, a, x, col, value, first, end, last)
            f += 1


@njit(inline="always")
def add_close_rows(out: Any, r: Any, x: Any, col: Any, end: Any) -> None:
    """Add the rows col[:end] of x to row r of `out`, where they lie in a cache: prefetching would only cost.

    Compiled code only.
    """
    channels, f, one, ones = x.shape[1], 0, x.dtype.type(1), col
    while f + 64 <= channels:
        _close_64(out, r, f, one, x, col, ones, 0, end, 0)
        f += 64
    while f + 16 <= channels:
        _close_16(out, r, f, one, x, col, ones, 0, end, 0)
        f += 16
    while f + 4 <= channels:
        _close_4(out, r, f, one, x, col, ones, 0, end, 0)
        f += 4
    while f < channels:
        _close_1(out, r, f, one, x, col, ones, 0, end, 0)
        f += 1


@njit(inline="always")
def add_to_close_rows(out: Any, col: Any, end: Any, x: Any, r: Any) -> None:
    """Add row r of x to the rows col[:end] of `out`, which lie in a cache: the adjoint of `add_close_rows`.

    Compiled code only.
    """
    channels, f = x.shape[1], 0
    while f + 64 <= channels:
        _scatter_64(out, f, col, 0, end, x, r)
        f += 64
    while f + 16 <= channels:
        _scatter_16(out, f, col, 0, end, x, r)
        f += 16
    while f + 4 <= channels:
        _scatter_4(out, f, col, 0, end, x, r)
        f += 4
    while f < channels:
        _scatter_1(out, f, col, 0, end, x, r)
        f += 1
