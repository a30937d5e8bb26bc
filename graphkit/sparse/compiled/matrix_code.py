"""Small matrices in compiled code, each one vector in registers: the algebra that code on edges and nodes is written with.

Matrices lie row by row, [.., d d]; diagonal ones by their diagonal, [.., d].
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

_FUSE = ("contract",)  # a product and a sum may round once
_LANE, INDEX = ir.IntType(32), ir.IntType(64)
_AHEAD = 16  # prefetch distance, in entries
# tanh x = x P(x^2) / Q(x^2) up to 2e-8 of its size for |x| <= 9.02, where it rounds to one in single precision: coefficients
# from the constant one on, fitted by reweighted least squares.
_TANH_END = 9.02
_TANH_P = (1.0, 0.133796722, 0.00349398027, 2.05825727e-05, 1.331781e-08)
_TANH_Q = (1.0, 0.467129886, 0.0258708689, 0.000328300317, 7.76150216e-07)


class Algebra:
    """Small matrices as vectors; for diagonal ones every product goes lane by lane."""

    def __init__(self, target: Any, builder: Any, d: int, diagonal: bool) -> None:
        self.target, self.builder, self.d, self.diagonal = target, builder, d, diagonal
        self.size = d if diagonal else d * d
        upper = [(a, b) for a in range(d) for b in range(a, d)]
        self.upper = [a * d + b for a, b in upper]
        self.full = [upper.index((min(a, b), max(a, b))) for a in range(d) for b in range(d)]
        self.twice = [2.0 if diagonal or a == b else 1.0 for a in range(d) for b in range(1 if diagonal else d)]

    def _at(self, kind: Any, array: Any, row: Any, lanes: int) -> tuple[Any, int]:
        view = self.target.make_array(kind)(self.target, self.builder, array)
        place = cgutils.get_item_pointer(self.target, self.builder, kind, view, [row, INDEX(0)], wraparound=False)
        number = self.target.get_value_type(kind.dtype)
        shape = ir.VectorType(number, lanes).as_pointer()
        return self.builder.bitcast(place, shape), number.get_abi_size(self.target.target_data)

    def prefetch(self, kind: Any, array: Any, row: Any) -> None:
        """Prefetch a matrix. The hardware prefetcher cannot predict gathered rows."""
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        shape = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        call = cgutils.get_or_insert_function(self.builder.module, shape, "llvm.prefetch.p0")
        place, _ = self._at(kind, array, row, self.size)
        self.builder.call(call, [self.builder.bitcast(place, byte), number(0), number(3), number(1)])

    def load(self, kind: Any, array: Any, row: Any) -> Any:
        """A matrix."""
        place, align = self._at(kind, array, row, self.size)
        return self.builder.load(place, align=align)

    def store(self, matrix: Any, kind: Any, array: Any, row: Any) -> None:
        """Write a matrix."""
        place, align = self._at(kind, array, row, matrix.type.count)
        self.builder.store(matrix, place, align=align)

    def load_symmetric(self, kind: Any, array: Any, row: Any) -> Any:
        """S + S^T of an upper triangle S."""
        place, align = self._at(kind, array, row, self.size if self.diagonal else len(self.upper))
        found = self.builder.load(place, align=align)
        found = found if self.diagonal else self._shuffled(found, self.full)
        return self.builder.fmul(found, ir.Constant(found.type, self.twice))

    def store_upper(self, matrix: Any, kind: Any, array: Any, row: Any) -> None:
        """Write the upper triangle."""
        self.store(matrix if self.diagonal else self._shuffled(matrix, self.upper), kind, array, row)

    def pointer(self, kind: Any, array: Any, at: Any) -> Any:
        """Address of a number."""
        view = self.target.make_array(kind)(self.target, self.builder, array)
        return cgutils.get_item_pointer(self.target, self.builder, kind, view, [at], wraparound=False)

    def number(self, kind: Any, array: Any, at: Any) -> Any:
        """A number of an array; whole ones in 64 bits."""
        found = self.builder.load(self.pointer(kind, array, at))
        return self.builder.sext(found, INDEX) if isinstance(kind.dtype, types.Integer) and kind.dtype.bitwidth < 64 else found

    def weight(self, kind: Any, array: Any, at: Any) -> Any:
        """A number of an array, or its only one."""
        view = self.target.make_array(kind)(self.target, self.builder, array)
        (length,) = cgutils.unpack_tuple(self.builder, view.shape)
        return self.number(kind, array, self._least(at, self.builder.sub(length, INDEX(1))))

    def zeros(self, kind: Any) -> Any:
        """The matrix of zeros."""
        return ir.Constant(ir.VectorType(self.target.get_value_type(kind.dtype), self.size), None)

    def entry_ahead(self, entry: Any, last: Any) -> Any:
        """The entry that is prefetched while this one is computed."""
        return self._least(self.builder.add(entry, INDEX(_AHEAD)), last)

    def _least(self, one: Any, other: Any) -> Any:
        return self.builder.select(self.builder.icmp_signed("<", one, other), one, other)

    def loop(self, first: Any, end: Any) -> Any:
        """A loop over first <= e < end."""
        return cgutils.for_range_slice(self.builder, first, end, INDEX(1), inc=True)

    def _shuffled(self, matrix: Any, lanes: list[int]) -> Any:
        return self.builder.shuffle_vector(matrix, matrix, ir.Constant(ir.VectorType(_LANE, len(lanes)), lanes))

    def transpose(self, matrix: Any) -> Any:
        """The transpose."""
        d = self.d
        return matrix if self.diagonal else self._shuffled(matrix, [b * d + a for a in range(d) for b in range(d)])

    def times(self, one: Any, other: Any) -> Any:
        """The product of two matrices."""
        if self.diagonal:
            return self.builder.fmul(one, other, flags=_FUSE)
        d, total = self.d, None
        for c in range(d):
            left = self._shuffled(one, [a * d + c for a in range(d) for _ in range(d)])
            right = self._shuffled(other, [c * d + b for _ in range(d) for b in range(d)])
            term = self.builder.fmul(left, right, flags=_FUSE)
            total = term if total is None else self.plus(total, term)
        return total

    def plus(self, one: Any, other: Any) -> Any:
        """The sum."""
        return self.builder.fadd(one, other, flags=_FUSE)

    def scaled(self, matrix: Any, scalar: Any) -> Any:
        """A multiple."""
        one = self.builder.insert_element(ir.Constant(matrix.type, ir.Undefined), scalar, _LANE(0))
        return self.builder.fmul(matrix, self._shuffled(one, [0] * matrix.type.count))

    def tanh_of_ends(self, kind: Any, array: Any, row: Any, col: Any) -> tuple[Any, Any]:
        """tanh(a[row] + b[col]) and tanh(a[col] + b[row]) of an array of (a, b) side by side."""
        own, other = (self._pair(kind, array, at) for at in (row, col))
        lanes = list(range(2 * self.size))
        swapped = self._shuffled(own, lanes[self.size :] + lanes[: self.size])
        both = self._tanh(self.plus(other, swapped))  # a[col] + b[row] and b[col] + a[row]
        return self._shuffled(both, lanes[self.size :]), self._shuffled(both, lanes[: self.size])

    def _pair(self, kind: Any, array: Any, row: Any) -> Any:
        place, align = self._at(kind, array, row, 2 * self.size)
        return self.builder.load(place, align=align)

    def _tanh(self, x: Any) -> Any:
        """Lane by lane: a quotient of polynomials in single precision, to 4e-7 of the value, the C library's in double."""
        number, builder = x.type.element, self.builder
        if isinstance(number, ir.DoubleType):
            call = cgutils.get_or_insert_function(builder.module, ir.FunctionType(number, [number]), "tanh")
            found = ir.Constant(x.type, ir.Undefined)
            for lane in map(_LANE, range(x.type.count)):
                found = builder.insert_element(found, builder.call(call, [builder.extract_element(x, lane)]), lane)
            return found
        for sign, beyond in ((1.0, ">"), (-1.0, "<")):  # no number stays none
            end = self._splat(x, sign * _TANH_END)
            x = builder.select(builder.fcmp_ordered(beyond, x, end), end, x)
        square = builder.fmul(x, x)
        over, under = (self._polynomial(square, coefficients) for coefficients in (_TANH_P, _TANH_Q))
        return builder.fdiv(builder.fmul(x, over), under)

    def _polynomial(self, x: Any, coefficients: tuple[float, ...]) -> Any:
        total = self._splat(x, coefficients[-1])
        for coefficient in reversed(coefficients[:-1]):
            total = self.plus(self.builder.fmul(total, x, flags=_FUSE), self._splat(x, coefficient))
        return total

    def _splat(self, like: Any, number: float) -> Any:
        return ir.Constant(like.type, [number] * like.type.count)

    def through_tanh(self, gradient: Any, value: Any) -> Any:
        """The gradient of x from that of tanh x, entry by entry; `value` is tanh x."""
        one = self._splat(value, 1.0)
        slope = self.builder.fsub(one, self.builder.fmul(value, value, flags=_FUSE), flags=_FUSE)
        return self.builder.fmul(gradient, slope)

    def inner(self, one: Any, other: Any) -> Any:
        """The sum of the products of entries."""
        product, total = self.builder.fmul(one, other), None
        for lane in range(product.type.count):
            term = self.builder.extract_element(product, _LANE(lane))
            total = term if total is None else self.builder.fadd(total, term)
        return total

    def energy(self, own: Any, other: Any, here: Any, at_own: Any) -> Any:
        """<own, other here + own at_own / 2>, without the second term where there is none."""
        total = self.times(other, here)
        if at_own is not None:
            total = self.plus(total, self.scaled(self.times(own, at_own), ir.Constant(own.type.element, 0.5)))
        return self.inner(own, total)

    def outer(self, one: Any, other: Any) -> Any:
        """The matrix x y^T of two vectors of d lanes."""
        dims = range(self.d)
        left, right = (
            self._shuffled(one, [a for a in dims for _ in dims]),
            self._shuffled(other, [b for _ in dims for b in dims]),
        )
        return self.builder.fmul(left, right)

    def applied(self, matrix: Any, vector: Any) -> Any:
        """The matrix times a vector of d lanes."""
        total, d = ir.Constant(vector.type, None), self.d
        for b in range(d):
            column = self._shuffled(matrix, [a * d + b for a in range(d)])
            total = self.plus(total, self.builder.fmul(column, self._shuffled(vector, [b] * d), flags=_FUSE))
        return total

    def reflections(self, kind: Any, array: Any, row: Any) -> list[tuple[Any, Any, Any]]:
        """Of each reflection with parameters: v, with a leading 1, s = 2 / |v|^2, and I - s v v^T."""
        d, found, start = self.d, [], 0
        place, align = self._at(kind, array, row, d * (d - 1) // 2)
        theta = self.builder.load(place, align=align)
        for i in range(d - 1):
            v = ir.Constant(ir.VectorType(theta.type.element, d), [float(a == i) for a in range(d)])
            for a in range(i + 1, d):
                v = self.builder.insert_element(v, self.builder.extract_element(theta, _LANE(start + a - i - 1)), _LANE(a))
            start += d - 1 - i
            scale = self.builder.fdiv(ir.Constant(theta.type.element, 2.0), self.inner(v, v))
            unit = ir.Constant(ir.VectorType(theta.type.element, d * d), [float(a == b) for a in range(d) for b in range(d)])
            found.append((v, scale, self.builder.fsub(unit, self.scaled(self.outer(v, v), scale))))
        return found
