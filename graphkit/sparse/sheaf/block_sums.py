"""The innermost loops of sheaf operators on the CPU, held in vector registers: sums of T_e x_e, inner products, ends.

Arrays are [rows, stalk dimensions, channels]. A vector holds 16 channels; where fewer are left, the lanes beyond are masked.
How many stalk dimensions there are is known to the compiler: an argument `size` is a tuple of that length.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from graphkit.sparse.compiled.row_sums import VectorCode

_WIDTH = 16
_FUSE = ("contract",)  # a product and a sum may round once
_LANE, _INDEX = ir.IntType(32), ir.IntType(64)


class _MaskedCode(VectorCode):
    """Vectors of channels of arrays that are shaped like x, the lanes beyond the last channel left out."""

    def __init__(self, target: Any, builder: Any, kinds: dict[str, Any], given: dict[str, Any], count: int) -> None:
        super().__init__(target, builder, kinds, given, _WIDTH, count)
        self.pointer_type, self.lanes = self.vector.as_pointer(), ir.VectorType(ir.IntType(1), _WIDTH)
        self.kind = f"v{_WIDTH}{self.vector.element.intrinsic_name}.p0"
        self.nothing = ir.Constant(self.vector, None)
        self.channels = cgutils.unpack_tuple(builder, self.views["x"].shape)[2]

    def masks(self, f: Any) -> list[Any]:
        """Which lanes of the vectors from channel f on are channels."""
        left, places = self.builder.trunc(self.builder.sub(self.channels, f), _LANE), ir.VectorType(_LANE, _WIDTH)
        nothing = ir.Constant(places, ir.Undefined)
        left = self.builder.insert_element(nothing, left, _LANE(0))
        left = self.builder.shuffle_vector(left, nothing, ir.Constant(places, [0] * _WIDTH))
        numbers = [list(range(start, start + _WIDTH)) for start in range(0, _WIDTH * self.count, _WIDTH)]
        return [self.builder.icmp_signed("<", ir.Constant(places, lanes), left) for lanes in numbers]

    def load_at(self, name: str, row: Any, dim: Any, f: Any, masks: list[Any]) -> list[Any]:
        """The vectors from channel f on, with zeros where they are masked."""
        shape = ir.FunctionType(self.vector, [self.pointer_type, _LANE, self.lanes, self.vector])
        call = cgutils.get_or_insert_function(self.builder.module, shape, f"llvm.masked.load.{self.kind}")
        places = self._places(name, row, dim, f)
        given = [[place, _LANE(self.align), mask, self.nothing] for place, mask in zip(places, masks, strict=True)]
        return [self.builder.call(call, one) for one in given]

    def store_at(self, vectors: list[Any], name: str, row: Any, dim: Any, f: Any, masks: list[Any]) -> None:
        """Write vectors from channel f on, but nothing where they are masked."""
        shape = ir.FunctionType(ir.VoidType(), [self.vector, self.pointer_type, _LANE, self.lanes])
        call = cgutils.get_or_insert_function(self.builder.module, shape, f"llvm.masked.store.{self.kind}")
        for vector, place, mask in zip(vectors, self._places(name, row, dim, f), masks, strict=True):
            self.builder.call(call, [vector, place, _LANE(self.align), mask])

    def _places(self, name: str, row: Any, dim: Any, f: Any) -> list[Any]:
        start = self.builder.bitcast(self.pointer(name, row, dim, f), self.pointer_type)
        return [self.builder.gep(start, [_LANE(k)]) for k in range(self.count)]

    def zeros(self, count: int) -> list[Any]:
        """Vectors to add to."""
        totals = [cgutils.alloca_once(self.builder, self.vector) for _ in range(count)]
        for total in totals:
            self.builder.store(self.nothing, total)
        return totals

    def add(self, total: Any, term: Any, factor: Any = None) -> None:
        """Add term * factor to a total."""
        term = term if factor is None else self.builder.fmul(term, factor, flags=_FUSE)
        self.builder.store(self.builder.fadd(self.builder.load(total), term, flags=_FUSE), total)

    def read(self, totals: list[Any]) -> list[Any]:
        """What was added up."""
        return [self.builder.load(total) for total in totals]

    def loop(self, first: Any, end: Any, step: int = 1) -> Any:
        """A loop over first, first + step, ... before end."""
        return cgutils.for_range_slice(self.builder, first, end, _INDEX(step), inc=True)

    def lane_sums(self, vectors: list[Any]) -> Any:
        """The sum of the lanes of each of up to 16 vectors, in one: halves are added until one lane is left of each."""
        vectors, block = vectors + [self.nothing] * (_WIDTH - len(vectors)), _WIDTH
        while len(vectors) > 1:
            starts, half = range(0, 2 * _WIDTH, block), block // 2
            low = [start + k for start in starts for k in range(half)]
            vectors, block = [self._halved(*two, low, half) for two in list(pairwise(vectors))[::2]], half
        return vectors[0]

    def products(self, some: list[Any], others: list[Any]) -> Any:
        """The sum of the products of vectors."""
        total = self.builder.fmul(some[0], others[0], flags=_FUSE)
        for one, other in zip(some[1:], others[1:], strict=True):
            total = self.builder.fadd(total, self.builder.fmul(one, other, flags=_FUSE), flags=_FUSE)
        return total

    def subtract_sums(self, vectors: list[Any], name: str, row: Any, begun: Any) -> None:
        """Subtract the sums of the lanes of each vector from the numbers of a row, which count as zeros unless `begun`."""
        for start in range(0, len(vectors), _WIDTH):
            part = vectors[start : start + _WIDTH]
            lanes = ir.Constant(ir.VectorType(_LANE, len(part)), list(range(len(part))))
            sums = self.builder.shuffle_vector(self.lane_sums(part), self.nothing, lanes)
            place = self.builder.gep(self.pointer(name, row, _INDEX(0), _INDEX(0)), [_LANE(start)])
            place = self.builder.bitcast(place, sums.type.as_pointer())
            before = self.builder.load(place, align=self.align)
            before = self.builder.select(begun, before, ir.Constant(sums.type, None))
            self.builder.store(self.builder.fsub(before, sums), place, align=self.align)

    def _halved(self, one: Any, other: Any, low: list[int], half: int) -> Any:
        if one is self.nothing:
            return one
        indices = ir.VectorType(_LANE, _WIDTH)
        parts = [
            self.builder.shuffle_vector(one, other, ir.Constant(indices, [place + shift for place in low]))
            for shift in (0, half)
        ]
        return self.builder.fadd(*parts)


def _gathering(count: int, diagonal: bool) -> Callable[..., None]:
    """Code for out[i, a, f:g] = sum of value[e, a, b] * x[col[e], b, f:g] over first <= e < end and all b < d.

    For all a < d, with g = f + 16 * count or the number of channels. Diagonal, value[e, 0, a] * x[col[e], a, f:g]. For the
    dimensions d + k that are not learned, signs[k] * weight[e] * x[col[e], d + k, f:g].

    Unless `dots` is None, also dots[e, a, b] -= <y[i, a, f:g], x[col[e], b, f:g]>, which begin at zero for f = 0.
    """

    @intrinsic
    def gather(
        context: Any,
        size: Any,
        more: Any,
        out: Any,
        i: Any,
        f: Any,
        x: Any,
        col: Any,
        value: Any,
        weight: Any,
        signs: Any,
        first: Any,
        end: Any,
        last: Any,
        y: Any,
        dots: Any,
    ) -> Any:
        names = ("size", "more", "out", "i", "f", "x", "col", "value", "weight", "signs", "first", "end", "last", "y", "dots")

        def generate(target: Any, builder: Any, signature: Any, args: Any) -> Any:
            given = dict(zip(names, args, strict=True))
            code = _MaskedCode(target, builder, dict(zip(names, signature.args, strict=True)), given, count)
            f, d = given["f"], size.count
            dims, fixed = ([_INDEX(a) for a in part] for part in (range(d), range(d, d + more.count)))
            masks, totals = code.masks(f), [code.zeros(count) for _ in (*dims, *fixed)]
            factors = [builder.load(code.pointer("signs", _INDEX(k))) for k in range(more.count)]

            def add(entry: Any, b: Any, weights: list[Any], goals: list[list[Any]]) -> list[Any]:
                code.prefetch_at(code.pointer("x", code.row_ahead(entry), b, f))
                vectors = code.load_at("x", code.row_at(entry), b, f, masks)
                for weight, goal in zip(map(code.splat, weights), goals, strict=True):
                    for total, vector in zip(goal, vectors, strict=True):
                        code.add(total, vector, weight)
                return vectors

            with code.loop(given["first"], given["end"]) as (entry, _):
                if diagonal:
                    there = [
                        add(entry, a, [builder.load(code.pointer("value", entry, _INDEX(0), a))], [goal])
                        for a, goal in zip(dims, totals, strict=False)
                    ]
                elif dots == types.none:
                    with code.loop(_INDEX(0), _INDEX(d)) as (b, _):
                        add(entry, b, [builder.load(code.pointer("value", entry, a, b)) for a in dims], totals[:d])
                else:
                    there = [
                        add(entry, b, [builder.load(code.pointer("value", entry, a, b)) for a in dims], totals[:d])
                        for b in dims
                    ]
                for a, factor, goal in zip(fixed, factors, totals[d:], strict=True):
                    add(entry, a, [builder.fmul(factor, builder.load(code.pointer("weight", entry)))], [goal])
                if dots != types.none:
                    here = [code.load_at("y", given["i"], a, f, masks) for a in dims]
                    places = [(a, a) for a in range(d)] if diagonal else [(a, b) for a in range(d) for b in range(d)]
                    begun = builder.icmp_signed("!=", f, _INDEX(0))
                    code.subtract_sums([code.products(here[a], there[b]) for a, b in places], "dots", entry, begun)
            for a, goal in zip((*dims, *fixed), totals, strict=True):
                code.store_at(code.read(goal), "out", given["i"], a, f, masks)
            return target.get_dummy_value()

        number = types.int64
        given = size, more, out, number, number, x, col, value, weight, signs, number, number, number, y, dots
        return types.void(*given), generate

    made: Callable[..., None] = gather
    return made


def _dotting(diagonal: bool) -> Callable[..., None]:
    """Code for out[i, a, b] = -<x[i, a], y[i, b]> - <z[i, a], w[i, b]>; diagonal, out[i, 0, a] of a = b."""

    @intrinsic
    def dot(context: Any, size: Any, out: Any, i: Any, x: Any, y: Any, z: Any, w: Any) -> Any:
        names = ("size", "out", "i", "x", "y", "z", "w")

        def generate(target: Any, builder: Any, signature: Any, args: Any) -> Any:
            given = dict(zip(names, args, strict=True))
            code = _MaskedCode(target, builder, dict(zip(names, signature.args, strict=True)), given, 1)
            dims = range(size.count)
            pairs = [(a, a) for a in dims] if diagonal else [(a, b) for a in dims for b in dims]
            totals = code.zeros(len(pairs))
            with code.loop(_INDEX(0), code.channels, _WIDTH) as (f, _):
                masks = code.masks(f)
                for one, other in (("x", "y"), ("z", "w")):
                    left, right = (
                        [code.load_at(name, given["i"], _INDEX(a), f, masks)[0] for a in dims] for name in (one, other)
                    )
                    for (a, b), total in zip(pairs, totals, strict=True):
                        code.add(total, left[a], right[b])
            code.subtract_sums(code.read(totals), "out", given["i"], ir.IntType(1)(0))
            return target.get_dummy_value()

        return types.void(size, out, types.int64, x, y, z, w), generate

    made: Callable[..., None] = dot
    return made


@intrinsic
def _sum_both(context: Any, out: Any, i: Any, f: Any, x: Any, twin: Any, first: Any, end: Any, last: Any) -> Any:
    """out[i, 0, f:g] = sum of x[e, 0, f:g] over first <= e < end with g = f + 16, out[i, 1, f:g] that of x[twin[e], 0, f:g]."""
    names = ("out", "i", "f", "x", "col", "first", "end", "last")

    def generate(target: Any, builder: Any, signature: Any, args: Any) -> Any:
        given = dict(zip(names, args, strict=True))
        code = _MaskedCode(target, builder, dict(zip(names, signature.args, strict=True)), given, 1)
        f, zero = given["f"], _INDEX(0)
        masks, totals = code.masks(f), code.zeros(2)
        with code.loop(given["first"], given["end"]) as (entry, _):
            code.prefetch_at(code.pointer("x", code.row_ahead(entry), zero, f))
            for total, row in zip(totals, (entry, code.row_at(entry)), strict=True):
                code.add(total, *code.load_at("x", row, zero, f, masks))
        for side, total in enumerate(code.read(totals)):
            code.store_at([total], "out", given["i"], _INDEX(side), f, masks)
        return target.get_dummy_value()

    number = types.int64
    return types.void(out, number, number, x, twin, number, number, number), generate


@intrinsic
def _add_both(context: Any, out: Any, f: Any, x: Any, i: Any, col: Any, first: Any, end: Any) -> Any:
    """out[e, 0, f:g] = x[i, 0, f:g] + x[col[e], 1, f:g] for first <= e < end, with g = f + 16."""
    names = ("out", "f", "x", "i", "col", "first", "end")

    def generate(target: Any, builder: Any, signature: Any, args: Any) -> Any:
        given = dict(zip(names, args, strict=True))
        code = _MaskedCode(target, builder, dict(zip(names, signature.args, strict=True)), given, 1)
        masks = code.masks(given["f"])
        (own,) = code.load_at("x", given["i"], _INDEX(0), given["f"], masks)
        with code.loop(given["first"], given["end"]) as (entry, _):
            (other,) = code.load_at("x", code.row_at(entry), _INDEX(1), given["f"], masks)
            code.store_at([builder.fadd(own, other)], "out", entry, _INDEX(0), given["f"], masks)
        return target.get_dummy_value()

    number = types.int64
    return types.void(out, number, x, number, col, number, number), generate


_gather_wide, _gather_narrow = _gathering(2, diagonal=False), _gathering(1, diagonal=False)
_gather_diagonal = _gathering(2, diagonal=True)
_dot_full, _dot_diagonal = _dotting(diagonal=False), _dotting(diagonal=True)


@njit(inline="always")
def set_blocks(
    size: Any,
    more: Any,
    out: Any,
    i: Any,
    x: Any,
    col: Any,
    value: Any,
    weight: Any,
    signs: Any,
    first: Any,
    end: Any,
    last: Any,
    y: Any,
    dots: Any,
) -> None:
    """out[i] = sum of T_e x[col[e]] over first <= e < end, for x [n, d + k, channels]. Compiled code only.

    T_e is value[e] [d, d], or its diagonal [1, d], followed on the diagonal by weight[e] * signs [k]. `more` is any tuple of
    length k; `last` is the last position of col that may be looked at ahead of time. Unless `dots` is None,
    dots[e] = -y[i] x[col[e]]^T in the shape of value.
    """
    for f in range(0, x.shape[2], 32):
        if value.shape[1] < value.shape[2]:
            _gather_diagonal(size, more, out, i, f, x, col, value, weight, signs, first, end, last, y, dots)
        elif x.shape[2] - f > 16:
            _gather_wide(size, more, out, i, f, x, col, value, weight, signs, first, end, last, y, dots)
        else:
            _gather_narrow(size, more, out, i, f, x, col, value, weight, signs, first, end, last, y, dots)


@njit(inline="always")
def set_dots(size: Any, out: Any, i: Any, x: Any, y: Any, z: Any, w: Any) -> None:
    """out[i] = -x[i] y[i]^T - z[i] w[i]^T [d, d], or its diagonal [1, d]. Compiled code only."""
    if out.shape[1] < out.shape[2]:
        _dot_diagonal(size, out, i, x, y, z, w)
    else:
        _dot_full(size, out, i, x, y, z, w)


@njit(inline="always")
def set_sums(out: Any, i: Any, x: Any, twin: Any, first: Any, end: Any, last: Any) -> None:
    """out[i, 0] = sum of x[e, 0] over first <= e < end, out[i, 1] that of x[twin[e], 0]. Compiled code only."""
    for f in range(0, x.shape[2], 16):
        _sum_both(out, i, f, x, twin, first, end, last)


@njit(inline="always")
def set_ends(out: Any, x: Any, i: Any, col: Any, first: Any, end: Any) -> None:
    """out[e, 0] = x[i, 0] + x[col[e], 1] for first <= e < end. Compiled code only."""
    for f in range(0, x.shape[2], 16):
        _add_both(out, f, x, i, col, first, end)
