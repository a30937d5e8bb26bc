"""Products of small matrices on the CPU, each one vector: F_v^T F_u of the two ends of an edge, reflections, and gradients.

Matrices lie row by row, [.., d d]; diagonal ones by their diagonal, [.., d]. Their order is known to the compiler: an argument
`size` is a tuple of length d.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_FUSE = ("contract",)
_LANE = ir.IntType(32)


class _Algebra:
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
        place = cgutils.get_item_pointer(
            self.target, self.builder, kind, view, [row, ir.Constant(ir.IntType(64), 0)], wraparound=False
        )
        number = self.target.get_value_type(kind.dtype)
        shape = ir.VectorType(number, lanes).as_pointer()
        return self.builder.bitcast(place, shape), number.get_abi_size(self.target.target_data)

    def ask(self, kind: Any, array: Any, row: Any, write: bool) -> None:
        """Start loading a matrix that is read or written later: at random places the processor cannot guess."""
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        shape = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        call = cgutils.get_or_insert_function(self.builder.module, shape, "llvm.prefetch.p0")
        place, _ = self._at(kind, array, row, self.size)
        self.builder.call(call, [self.builder.bitcast(place, byte), number(int(write)), number(3), number(1)])

    def load(self, kind: Any, array: Any, row: Any) -> Any:
        """A matrix."""
        place, align = self._at(kind, array, row, self.size)
        return self.builder.load(place, align=align)

    def store(self, matrix: Any, kind: Any, array: Any, row: Any) -> None:
        """Write a matrix."""
        place, align = self._at(kind, array, row, self.size)
        self.builder.store(matrix, place, align=align)

    def load_symmetric(self, kind: Any, array: Any, row: Any) -> Any:
        """S + S^T of an upper triangle S."""
        place, align = self._at(kind, array, row, self.size if self.diagonal else len(self.upper))
        found = self.builder.load(place, align=align)
        found = found if self.diagonal else self._shuffled(found, self.full)
        return self.builder.fmul(found, ir.Constant(found.type, self.twice))

    def add_upper(self, matrix: Any, kind: Any, array: Any, row: Any) -> None:
        """Add the upper triangle to one."""
        term = matrix if self.diagonal else self._shuffled(matrix, self.upper)
        place, align = self._at(kind, array, row, term.type.count)
        self.builder.store(self.plus(self.builder.load(place, align=align), term), place, align=align)

    def _shuffled(self, matrix: Any, lanes: list[int]) -> Any:
        return self.builder.shuffle_vector(matrix, matrix, ir.Constant(ir.VectorType(_LANE, len(lanes)), lanes))

    def turned(self, matrix: Any) -> Any:
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

    def inner(self, one: Any, other: Any) -> Any:
        """The sum of the products of entries."""
        product, total = self.builder.fmul(one, other), None
        for lane in range(product.type.count):
            term = self.builder.extract_element(product, _LANE(lane))
            total = term if total is None else self.builder.fadd(total, term)
        return total

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


def _forward(diagonal: bool) -> Callable[..., None]:
    """Code for out[i] = w f[k]^T f[t], and out[j] its transpose."""

    @intrinsic
    def forward(context: Any, size: Any, f: Any, k: Any, t: Any, w: Any, out: Any, i: Any, j: Any, ahead: Any) -> Any:
        def generate(target: Any, builder: Any, signature: Any, args: Any) -> Any:
            code = _Algebra(target, builder, size.count, diagonal)
            _, given, k, t, w, goal, i, j, ahead = args
            code.ask(out, goal, ahead, write=True)
            product = code.scaled(code.times(code.turned(code.load(f, given, k)), code.load(f, given, t)), w)
            code.store(product, out, goal, i)
            code.store(code.turned(product), out, goal, j)
            return target.get_dummy_value()

        number = types.int64
        return types.void(size, f, number, number, f.dtype, out, number, number, number), generate

    made: Callable[..., None] = forward
    return made


def _squaring(diagonal: bool) -> Callable[..., None]:
    """Code for out[i] += the upper triangle of w f[k]^T f[k]."""

    @intrinsic
    def square(context: Any, size: Any, f: Any, k: Any, w: Any, out: Any, i: Any) -> Any:
        def generate(target: Any, builder: Any, signature: Any, args: Any) -> Any:
            code = _Algebra(target, builder, size.count, diagonal)
            _, given, k, w, goal, i = args
            own = code.load(f, given, k)
            code.add_upper(code.scaled(code.times(code.turned(own), own), w), out, goal, i)
            return target.get_dummy_value()

        return types.void(size, f, types.int64, f.dtype, out, types.int64), generate

    made: Callable[..., None] = square
    return made


def _backward(diagonal: bool) -> Callable[..., Any]:
    """Code for the gradients of `_forward` and `_squaring`: to[k] and to[t] of the maps; the gradient of w is returned.

    `square` holds the gradients of the latter's results, at low for k and at high for t, or is None.
    """

    @intrinsic
    def backward(
        context: Any,
        size: Any,
        f: Any,
        k: Any,
        t: Any,
        w: Any,
        grad: Any,
        i: Any,
        j: Any,
        ahead: Any,
        square: Any,
        low: Any,
        high: Any,
        to: Any,
    ) -> Any:
        def generate(target: Any, builder: Any, signature: Any, args: Any) -> Any:
            code = _Algebra(target, builder, size.count, diagonal)
            _, given, k, t, w, outer, i, j, ahead, squares, low, high, goal = args
            code.ask(grad, outer, ahead, write=False)
            p, q = code.load(f, given, k), code.load(f, given, t)
            g = code.plus(code.load(grad, outer, i), code.turned(code.load(grad, outer, j)))
            for_p, for_q = code.times(q, code.turned(g)), code.times(p, g)
            energy = code.inner(p, for_p)
            if square != types.none:
                half = ir.Constant(p.type.element, 0.5)
                own_p, own_q = (code.times(one, code.load_symmetric(square, squares, at)) for one, at in ((p, low), (q, high)))
                own = builder.fadd(code.inner(p, own_p), code.inner(q, own_q))
                energy = builder.fadd(energy, builder.fmul(half, own))
                for_p, for_q = code.plus(for_p, own_p), code.plus(for_q, own_q)
            code.store(code.scaled(for_p, w), to, goal, k)
            code.store(code.scaled(for_q, w), to, goal, t)
            return energy

        number = types.int64
        given = size, f, number, number, f.dtype, grad, number, number, number, square, number, number, to
        return f.dtype(*given), generate

    made: Callable[..., Any] = backward
    return made


set_products, set_diagonal_products = _forward(diagonal=False), _forward(diagonal=True)
add_squares, add_diagonal_squares = _squaring(diagonal=False), _squaring(diagonal=True)
set_gradients, set_diagonal_gradients = _backward(diagonal=False), _backward(diagonal=True)


@intrinsic
def set_reflections(context: Any, size: Any, theta: Any, k: Any, out: Any) -> Any:
    """out[k] = H_1 ... H_d of the parameters theta[k]; the last reflection has none."""

    def generate(target: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = _Algebra(target, builder, size.count, diagonal=False)
        _, given, k, goal = args
        d, number = size.count, target.get_value_type(theta.dtype)
        signs = [float(a == b) if a < d - 1 else -float(a == b) for a in range(d) for b in range(d)]
        product = ir.Constant(ir.VectorType(number, d * d), signs)
        for _, _, reflection in reversed(code.reflections(theta, given, k)):
            product = code.times(reflection, product)
        code.store(product, out, goal, k)
        return target.get_dummy_value()

    return types.void(size, theta, types.int64, out), generate


@intrinsic
def set_reflection_gradients(context: Any, size: Any, theta: Any, k: Any, out: Any, grad: Any, to: Any) -> Any:
    """to[k], the gradient of theta[k], undoing one reflection of Q = out[k] after another: each is its own inverse.

    For H = I - s v v^T with gradient D, that of v is s^2 (v^T D v) v - s (D + D^T) v.
    """

    def generate(target: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = _Algebra(target, builder, size.count, diagonal=False)
        _, given, k, products, outer, goal = args
        product, g, start = code.load(out, products, k), code.load(grad, outer, k), 0
        half = ir.Constant(product.type.element, 0.5)
        for i, (v, scale, reflection) in enumerate(code.reflections(theta, given, k)):
            product = code.times(reflection, product)
            inner = code.times(g, code.turned(product))
            both = code.applied(code.plus(inner, code.turned(inner)), v)
            along = builder.fmul(builder.fmul(scale, half), code.inner(v, both))
            found = code.scaled(builder.fsub(code.scaled(v, along), both), scale)
            for a in range(i + 1, size.count):
                place = cgutils.get_item_pointer(
                    target,
                    builder,
                    to,
                    target.make_array(to)(target, builder, goal),
                    [k, ir.Constant(ir.IntType(64), start + a - i - 1)],
                    wraparound=False,
                )
                builder.store(builder.extract_element(found, _LANE(a)), place)
            start += size.count - 1 - i
            g = code.times(reflection, g)
        return target.get_dummy_value()

    return types.void(size, theta, types.int64, out, grad, to), generate
