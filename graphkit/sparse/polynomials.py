"""Polynomials of an operator, Y = sum_k c_k A^k X: Horner's scheme forward and backward, no autograd over the powers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import Function

from graphkit.sparse.compiled.work import parallel_for
from graphkit.sparse.csr import CSR
from graphkit.sparse.edge_list import EdgeList
from graphkit.sparse.gathering import gather, incidence_of, sum_rows
from graphkit.sparse.polynomial_kernel import scaled_from_rows, scaled_rows
from graphkit.sparse.spmm import spmm
from graphkit.sparse.structure import untraced
from graphkit.sparse.twice import recorded_gradients


@untraced
def polynomial(operator: CSR, coefficients: Sequence[float] | Tensor, x: Tensor) -> Tensor:
    """Y = sum_k c_k A^k X.

    Differentiable any number of times in X, in the coefficients and in the values of A. For fixed values the backward pass is
    the same polynomial of A^T (of A itself where A is symmetric) and nothing but X is kept between the two.

    Args:
        operator: A [N, N].
        coefficients: c_0, ..., c_K, K >= 0; a tensor [K + 1] where they need gradients.
        x: Features [N, C], floating point, on the operator's device.

    Returns:
        [N, C] in the dtype of x.

    Raises:
        ValueError: A is not square, x does not fit it, or there is no coefficient.
    """
    _check(operator, coefficients, x)
    if operator.requires_grad or isinstance(operator, EdgeList):
        return _by_autograd(operator, coefficients, x)
    given = coefficients if isinstance(coefficients, Tensor) else None
    out: Tensor = _Polynomial.apply(operator, _numbers(coefficients), given, x)  # type: ignore[no-untyped-call]
    return out


@untraced
def polynomial_rows(operator: CSR, coefficients: Sequence[float] | Tensor, x: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """The given rows of Y = sum_k c_k A^k X, and of X.

    Exact, and cheaper than taking rows of Y: the last product is computed at these rows alone, and the first product of the
    backward pass visits only entries in their columns. The rows of X come along since a gradient that reaches them (of a
    penalty, say) is then added where it belongs, instead of spread over a table of zeros first.

    Args:
        operator: A [N, N].
        coefficients: As in `polynomial`.
        x: Features [N, C].
        rows: Distinct row ids [R], int64.

    Returns:
        Rows of Y [R, C] and of X [R, C].

    Raises:
        ValueError: As `polynomial`, or an id is out of range.
    """
    _check(operator, coefficients, x)
    if rows.numel() and not 0 <= int(rows.min()) <= int(rows.max()) < x.size(0):
        raise ValueError(f"rows must lie in [0, {x.size(0)}).")
    if operator.requires_grad:
        return gather(_by_autograd(operator, coefficients, x), rows), gather(x, rows)
    given = coefficients if isinstance(coefficients, Tensor) else None
    pair: tuple[Tensor, Tensor] = _PolynomialRows.apply(  # type: ignore[no-untyped-call]
        operator, _numbers(coefficients), given, x, rows
    )
    return pair


def _check(operator: CSR, coefficients: Sequence[float] | Tensor, x: Tensor) -> None:
    if operator.shape[0] != operator.shape[1]:
        raise ValueError(f"a polynomial needs a square operator, got {operator.shape[0]} x {operator.shape[1]}.")
    if x.dim() != 2 or x.size(0) != operator.shape[0] or not x.is_floating_point():
        raise ValueError(f"x must be floating point [{operator.shape[0]}, C], got {x.dtype} {list(x.shape)}.")
    if len(coefficients) == 0:
        raise ValueError("a polynomial needs at least one coefficient.")


def _numbers(coefficients: Sequence[float] | Tensor) -> list[float]:
    return coefficients.detach().tolist() if isinstance(coefficients, Tensor) else [float(c) for c in coefficients]


def _by_autograd(operator: CSR, coefficients: Sequence[float] | Tensor, x: Tensor) -> Tensor:
    """Values that need gradients: each product keeps its input for the gradient of the values."""
    h = coefficients[-1] * x
    for k in range(len(coefficients) - 2, -1, -1):
        h = operator.matmul(h) + coefficients[k] * x
    return h


class _Polynomial(Function):
    @staticmethod
    def forward(ctx: Any, operator: CSR, numbers: list[float], coefficients: Tensor | None, x: Tensor) -> Tensor:
        ctx.operator, ctx.numbers = operator, numbers
        learned = coefficients is not None and coefficients.requires_grad
        ctx.save_for_backward(*((coefficients, x) if learned else ()))
        return _horner(operator, numbers, x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, None, Tensor | None, Tensor | None]:
        adjoint = ctx.operator.t()
        if not ctx.saved_tensors:
            return None, None, None, _Polynomial.apply(adjoint, ctx.numbers, None, grad)  # type: ignore[no-untyped-call]
        coefficients, x = ctx.saved_tensors
        if torch.is_grad_enabled():
            found = recorded_gradients(lambda c, x: _by_autograd(ctx.operator, c, x), (coefficients, x), (grad,))
            return None, None, found[0], found[1]
        products, grad_x = [(grad * x).sum()], ctx.numbers[0] * grad
        for c in ctx.numbers[1:]:
            grad = _step(adjoint, grad, 1.0)
            products.append((grad * x).sum())
            grad_x.add_(grad, alpha=c)
        return None, None, torch.stack(products).to(coefficients.dtype), grad_x


class _PolynomialRows(Function):
    @staticmethod
    def forward(
        ctx: Any, operator: CSR, numbers: list[float], coefficients: Tensor | None, x: Tensor, rows: Tensor
    ) -> tuple[Tensor, Tensor]:
        ctx.operator, ctx.numbers, ctx.size = operator, numbers, x.size(0)
        ctx.set_materialize_grads(False)
        learned = coefficients is not None and coefficients.requires_grad
        ctx.save_for_backward(rows, *((coefficients, x) if learned else ()))
        return _horner(operator, numbers, x, rows), x[rows]

    @staticmethod
    def backward(ctx: Any, grad: Tensor | None, grad_own: Tensor | None) -> tuple[Any, ...]:
        rows, *learned = ctx.saved_tensors
        adjoint, numbers = ctx.operator.t(), ctx.numbers
        grad_c = grad_x = None
        if torch.is_grad_enabled():
            return None, None, *_recorded_rows(ctx.operator, numbers, rows, ctx.size, learned, grad, grad_own), None
        if grad is not None:
            if learned:
                grad_c, grad_x = _backward_powers(adjoint, numbers, grad, rows, *learned)
            elif len(numbers) == 1:
                grad_x = _spread(numbers[0] * grad, rows, ctx.size)
            else:
                grad_x = _step_from_rows(adjoint, grad, rows, numbers[-1], numbers[-2])
                for c in reversed(numbers[:-2]):
                    grad_x = _step(adjoint, grad_x, 1.0).index_add_(0, rows, grad, alpha=c)
        if grad_own is not None:
            grad_x = _spread(grad_own, rows, ctx.size) if grad_x is None else grad_x.index_add_(0, rows, grad_own)
        return None, None, grad_c, grad_x, None


def _recorded_rows(
    operator: CSR, numbers: list[float], rows: Tensor, size: int, learned: list[Tensor], grad: Tensor | None, own: Tensor | None
) -> tuple[Tensor | None, Tensor | None]:
    """Gradients of the coefficients and of X that can be differentiated again."""
    if learned:

        def plain(coefficients: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
            return gather(_by_autograd(operator, coefficients, x), rows), gather(x, rows)

        grad_c, grad_x = recorded_gradients(plain, learned, (grad, own))
        return grad_c, grad_x
    incidence, grad_x = incidence_of(rows, size), None
    if grad is not None:
        grad_x = polynomial(operator.t(), numbers, sum_rows(grad, rows, incidence))
    if own is not None:
        spread = sum_rows(own, rows, incidence)
        grad_x = spread if grad_x is None else grad_x + spread
    return None, grad_x


def _backward_powers(
    adjoint: CSR, numbers: list[float], grad: Tensor, rows: Tensor, coefficients: Tensor, x: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients <X, (A^T)^k G> of the coefficients and of X, for a G that has these rows alone."""
    products, grad_x = [(grad * x[rows]).sum()], _spread(numbers[0] * grad, rows, x.size(0))
    power = grad
    for k, c in enumerate(numbers[1:]):
        power = _step_from_rows(adjoint, grad, rows, 1.0, 0.0) if k == 0 else _step(adjoint, power, 1.0)
        products.append((power * x).sum())
        grad_x.add_(power, alpha=c)
    return torch.stack(products).to(coefficients.dtype), grad_x


def _horner(operator: CSR, numbers: list[float], x: Tensor, rows: Tensor | None = None) -> Tensor:
    """Sum_k c_k A^k x, or its rows: h <- A h + c_k x, the last step at these rows."""
    if len(numbers) == 1:
        return numbers[0] * (x if rows is None else x[rows])
    h, factor = x, numbers[-1]
    for k in range(len(numbers) - 2, -1, -1):
        h, factor = _step(operator, h, factor, numbers[k], x, rows if k == 0 else None), 1.0
    return h


def _step(operator: CSR, x: Tensor, a: float, b: float = 0.0, y: Tensor | None = None, rows: Tensor | None = None) -> Tensor:
    """A A x + b y, all rows or the given ones."""
    structure = operator.structure
    if not _compiled(x):
        out = spmm(structure, operator.weights(x.dtype), x).mul_(a)
        out = out if y is None else out.add_(y, alpha=b)
        return out if rows is None else out[rows]
    x = x.contiguous()
    addend = x.new_zeros(0, x.size(1)) if y is None else y.contiguous()
    if rows is None:
        rows, blocks = torch.arange(structure.shape[0]), structure.row_blocks
    else:
        # The last block ends with the last row; rows without entries may make blocks empty, which does no harm.
        work = structure.rowptr.diff()[rows].cumsum(0)
        total = int(work[-1]) if work.numel() else 0
        blocks = torch.searchsorted(work, torch.arange(65) * total // 64)
        blocks[0], blocks[-1] = 0, rows.numel()
    out = x.new_empty(rows.numel(), x.size(1))
    arrays = blocks, rows, structure.rowptr, structure.narrow_col, operator.weights(x.dtype), x
    parallel_for(scaled_rows, *arrays, _factors(a, b, x), addend, out)
    return out


def _step_from_rows(operator: CSR, g: Tensor, rows: Tensor, a: float, b: float) -> Tensor:
    """A A x + b x for the x that has the rows g at `rows` and zeros elsewhere."""
    structure, size = operator.structure, operator.shape[0]
    if not _compiled(g):
        x = _spread(g, rows, size)
        return _step(operator, x, a, b, x)
    g = g.contiguous()
    slot = torch.full((size,), -1, dtype=torch.int32)
    slot[rows] = torch.arange(rows.numel(), dtype=torch.int32)
    out = g.new_empty(size, g.size(1))
    longest = int(structure.rowptr.diff().max()) if size else 0
    arrays = structure.row_blocks, structure.rowptr, structure.narrow_col, operator.weights(g.dtype), slot, g
    parallel_for(scaled_from_rows, *arrays, _factors(a, b, g), longest, out)
    return out


def _spread(g: Tensor, rows: Tensor, size: int) -> Tensor:
    return g.new_zeros(size, g.size(1)).index_copy_(0, rows, g)


def _compiled(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64)


def _factors(a: float, b: float, like: Tensor) -> Any:
    """In the dtype of the sums: a Python number among them would turn float32 loops into float64 ones."""
    return np.array([a, b], dtype=np.float64 if like.dtype == torch.float64 else np.float32)
