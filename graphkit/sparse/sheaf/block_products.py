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

from graphkit.sparse.compiled.matrix_code import INDEX, Algebra

_LANE = ir.IntType(32)


def _forward(diagonal: bool) -> Callable[..., None]:
    """Code for out[e] = w[e] f[e]^T f[twin[e]] over first <= e < end.

    Unless `square` is None, square[i] is the upper triangle of the sum of w[e] f[e]^T f[e].
    """

    @intrinsic
    def forward(
        context: Any,
        size: Any,
        f: Any,
        twin: Any,
        w: Any,
        out: Any,
        square: Any,
        i: Any,
        first: Any,
        end: Any,
        last: Any,
    ) -> Any:
        def generate(target: Any, builder: Any, signature: Any, args: Any) -> Any:
            code = Algebra(target, builder, size.count, diagonal)
            _, given, twins, weights, goal, squares, i, first, end, last = args
            total = cgutils.alloca_once_value(builder, code.zeros(f))
            with code.loop(first, end) as (e, _):
                code.prefetch(f, given, code.number(twin, twins, code.entry_ahead(e, last)))
                own, other = code.load(f, given, e), code.load(f, given, code.number(twin, twins, e))
                transposed = code.scaled(code.transpose(own), code.weight(w, weights, e))
                code.store(code.times(transposed, other), out, goal, e)
                builder.store(code.plus(builder.load(total), code.times(transposed, own)), total)
            if square != types.none:
                code.store_upper(builder.load(total), square, squares, i)
            return target.get_dummy_value()

        number = types.int64
        return types.void(size, f, twin, w, out, square, number, number, number, number), generate

    made: Callable[..., None] = forward
    return made


def _forward_from_nodes(diagonal: bool) -> Callable[..., None]:
    """Code of `_forward` for f[e] = tanh(a[i] + b[col[e]]), entry by entry; `nodes` holds (a, b) side by side."""

    @intrinsic
    def forward(
        context: Any, size: Any, nodes: Any, col: Any, w: Any, out: Any, square: Any, i: Any, first: Any, end: Any
    ) -> Any:
        def generate(target: Any, builder: Any, signature: Any, args: Any) -> Any:
            code = Algebra(target, builder, size.count, diagonal)
            _, given, columns, weights, goal, squares, i, first, end = args
            total = cgutils.alloca_once_value(builder, code.zeros(nodes))
            with code.loop(first, end) as (e, _):
                own, other = code.tanh_of_ends(nodes, given, i, code.number(col, columns, e))
                transposed = code.scaled(code.transpose(own), code.weight(w, weights, e))
                code.store(code.times(transposed, other), out, goal, e)
                builder.store(code.plus(builder.load(total), code.times(transposed, own)), total)
            code.store_upper(builder.load(total), square, squares, i)
            return target.get_dummy_value()

        number = types.int64
        return types.void(size, nodes, col, w, out, square, number, number, number), generate

    made: Callable[..., None] = forward
    return made


def _gradients(code: Algebra, grad: Any, outer: Any, twin: Any, twins: Any, e: Any, last: Any) -> tuple[Any, Any]:
    """grad[e]^T and grad[twin[e]]; that of the twin of an entry ahead is prefetched."""
    code.prefetch(grad, outer, code.number(twin, twins, code.entry_ahead(e, last)))
    return code.transpose(code.load(grad, outer, e)), code.load(grad, outer, code.number(twin, twins, e))


def _backward(diagonal: bool) -> Callable[..., None]:
    """Code for the gradients of `_forward`: to[e] of the maps; to_weight[e] unless it is None.

    `square` holds the gradients of the second result, or is None.
    """

    @intrinsic
    def backward(
        context: Any,
        size: Any,
        f: Any,
        twin: Any,
        w: Any,
        grad: Any,
        square: Any,
        to: Any,
        to_weight: Any,
        i: Any,
        first: Any,
        end: Any,
        last: Any,
    ) -> Any:
        def generate(target: Any, builder: Any, signature: Any, args: Any) -> Any:
            code = Algebra(target, builder, size.count, diagonal)
            _, given, twins, weights, outer, squares, goal, weight_goal, i, first, end, last = args
            at_own = None if square == types.none else code.load_symmetric(square, squares, i)
            with code.loop(first, end) as (e, _):
                code.prefetch(f, given, code.number(twin, twins, code.entry_ahead(e, last)))
                opposite = code.number(twin, twins, e)
                own, other = code.load(f, given, e), code.load(f, given, opposite)
                here, there = _gradients(code, grad, outer, twin, twins, e, last)
                found = code.times(other, code.plus(here, there))
                found = found if at_own is None else code.plus(found, code.times(own, at_own))
                code.store(code.scaled(found, code.weight(w, weights, e)), to, goal, e)
                if to_weight != types.none:
                    builder.store(code.energy(own, other, here, at_own), code.pointer(to_weight, weight_goal, e))
            return target.get_dummy_value()

        number = types.int64
        return types.void(size, f, twin, w, grad, square, to, to_weight, number, number, number, number), generate

    made: Callable[..., None] = backward
    return made


def _backward_to_nodes(diagonal: bool) -> Callable[..., None]:
    """Code for the gradients of `_forward_from_nodes`: to[2 i] of a, to[2 i + 1] of b; to_weight as in `_backward`.

    `square` holds the gradients of the second result. Maps are recomputed and their gradients never stored: the gradient of b
    comes from the opposite ends, whose gradients are computed a second time.
    """

    @intrinsic
    def backward(
        context: Any,
        size: Any,
        nodes: Any,
        twin: Any,
        col: Any,
        w: Any,
        grad: Any,
        square: Any,
        to: Any,
        to_weight: Any,
        i: Any,
        first: Any,
        end: Any,
        last: Any,
    ) -> Any:
        def generate(target: Any, builder: Any, signature: Any, args: Any) -> Any:
            code = Algebra(target, builder, size.count, diagonal)
            _, given, twins, columns, weights, outer, squares, goal, weight_goal, i, first, end, last = args
            totals = [cgutils.alloca_once_value(builder, code.zeros(nodes)) for _ in range(2)]
            at_own = code.load_symmetric(square, squares, i)
            with code.loop(first, end) as (e, _):
                u = code.number(col, columns, e)
                own, other = code.tanh_of_ends(nodes, given, i, u)
                here, there = _gradients(code, grad, outer, twin, twins, e, last)
                both, weight = code.plus(here, there), code.weight(w, weights, e)
                at_other = code.load_symmetric(square, squares, u)
                found = code.plus(code.times(other, both), code.times(own, at_own))
                opposite = code.plus(code.times(own, code.transpose(both)), code.times(other, at_other))
                for total, value, end_map in zip(totals, (found, opposite), (own, other), strict=True):
                    term = code.scaled(code.through_tanh(value, end_map), weight)
                    builder.store(code.plus(builder.load(total), term), total)
                if to_weight != types.none:
                    builder.store(code.energy(own, other, here, at_own), code.pointer(to_weight, weight_goal, e))
            for side, total in enumerate(totals):
                code.store(builder.load(total), to, goal, builder.add(builder.mul(i, INDEX(2)), INDEX(side)))
            return target.get_dummy_value()

        number = types.int64
        return types.void(size, nodes, twin, col, w, grad, square, to, to_weight, number, number, number, number), generate

    made: Callable[..., None] = backward
    return made


set_products, set_diagonal_products = _forward(diagonal=False), _forward(diagonal=True)
set_products_from_nodes, set_diagonal_products_from_nodes = (
    _forward_from_nodes(diagonal=False),
    _forward_from_nodes(diagonal=True),
)
set_gradients, set_diagonal_gradients = _backward(diagonal=False), _backward(diagonal=True)
set_node_gradients, set_diagonal_node_gradients = _backward_to_nodes(diagonal=False), _backward_to_nodes(diagonal=True)


@intrinsic
def set_reflections(context: Any, size: Any, theta: Any, k: Any, out: Any) -> Any:
    """out[k] = H_1 ... H_d of the parameters theta[k]; the last reflection has none."""

    def generate(target: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = Algebra(target, builder, size.count, diagonal=False)
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
        code = Algebra(target, builder, size.count, diagonal=False)
        _, given, k, products, outer, goal = args
        product, g, start = code.load(out, products, k), code.load(grad, outer, k), 0
        half = ir.Constant(product.type.element, 0.5)
        for i, (v, scale, reflection) in enumerate(code.reflections(theta, given, k)):
            product = code.times(reflection, product)
            inner = code.times(g, code.transpose(product))
            both = code.applied(code.plus(inner, code.transpose(inner)), v)
            along = builder.fmul(builder.fmul(scale, half), code.inner(v, both))
            found = code.scaled(builder.fsub(code.scaled(v, along), both), scale)
            for a in range(i + 1, size.count):
                place = cgutils.get_item_pointer(
                    target,
                    builder,
                    to,
                    target.make_array(to)(target, builder, goal),
                    [k, INDEX(start + a - i - 1)],
                    wraparound=False,
                )
                builder.store(builder.extract_element(found, _LANE(a)), place)
            start += size.count - 1 - i
            g = code.times(reflection, g)
        return target.get_dummy_value()

    return types.void(size, theta, types.int64, out, grad, to), generate
