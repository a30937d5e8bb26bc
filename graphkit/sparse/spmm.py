"""Sparse times dense and its gradients: the two kernels everything in this package propagates with."""

from __future__ import annotations

import warnings
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import Function

from graphkit.sparse.compiled.work import parallel_for
from graphkit.sparse.spmm_kernel import inner_products, rows_times, rows_times_and_own
from graphkit.sparse.structure import Structure, untraced

with warnings.catch_warnings():
    # torch says once a process that its CSR tensors are in beta: let it say so here, to nobody. All that is used is under test.
    warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
    torch.zeros(1, 1).to_sparse_csr()


_BLOCK = 256  # rows that an inner product sums in the numbers' own precision


class Operator(Protocol):
    """What a product reads of an operator: `graphkit.sparse.CSR`, which is built on this file."""

    @property
    def structure(self) -> Structure:
        """Where the entries lie."""

    @property
    def value(self) -> Tensor | None:
        """Values of the entries; None for ones."""

    @property
    def mask(self) -> Tensor | None:
        """Which entries are present; None for all."""

    @property
    def requires_grad(self) -> bool:
        """Whether the values need gradients."""

    @property
    def promised_symmetric(self) -> bool:
        """Whether A = A^T is known."""

    def t(self) -> Operator:
        """The adjoint."""

    def weights(self, dtype: torch.dtype) -> Tensor:
        """Values of all stored entries in this dtype."""


def torch_csr(structure: Structure, value: Tensor) -> Tensor:
    """A torch sparse CSR tensor over these indices, sharing memory."""
    return torch.sparse_csr_tensor(structure.rowptr, structure.col, value, structure.shape, check_invariants=False)


def spmm(structure: Structure, value: Tensor | None, x: Tensor) -> Tensor:
    """A @ x for x [num_cols, C]; values of x's dtype, or None for ones. bfloat16 and float16 accumulate in float32."""
    x = x.contiguous()
    if x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64):
        # Two to three times as fast as torch's two kernels.
        out = x.new_empty(structure.shape[0], x.size(1))
        given = x.new_zeros(0) if value is None else value
        small = (structure.nnz + structure.shape[0]) * x.size(1) < 2**20
        parallel_for(rows_times, structure.row_blocks, structure.rowptr, structure.narrow_col, given, x, out, alone=small)
        return out
    ones = torch.ones(structure.nnz, dtype=x.dtype, device=x.device) if value is None else value
    matrix = torch_csr(structure, ones)
    with torch.autocast(x.device.type, enabled=False):
        if x.device.type == "cpu":
            half: Tensor = torch.sparse.mm(matrix, x, "sum")  # `matrix @ x` knows no bfloat16 on CPU
            return half
        return matrix @ x


def sddmm(structure: Structure, rows: Tensor, cols: Tensor) -> Tensor:
    """<rows_i, cols_j> for every entry (i, j) [nnz], for rows [num_rows, C] and cols [num_cols, C]."""
    dtype = rows.dtype if rows.dtype in (torch.float32, torch.float64) else torch.float32
    rows, cols = rows.to(dtype).contiguous(), cols.to(dtype).contiguous()
    pattern = torch_csr(structure, rows.new_zeros(structure.nnz))
    with torch.autocast(rows.device.type, enabled=False):
        sampled: Tensor = torch.sparse.sampled_addmm(pattern, rows, cols.t(), beta=0.0)
    return sampled.values()


@untraced
def propagate(operator: Operator, x: Tensor) -> Tensor:
    """Y = A X, differentiable any number of times in X and in the values of A."""
    if operator.requires_grad:
        out: Tensor = _SpMM.apply(  # type: ignore[no-untyped-call]
            operator.structure, operator.value, x, operator.promised_symmetric
        )
    else:
        out = _FixedSpMM.apply(operator, x)  # type: ignore[no-untyped-call]
    return out


@untraced
def propagate_and_keep(operator: Operator, x: Tensor, eps: Tensor) -> Tensor:
    """Y = A X + (1 + eps) X for square A, differentiable any number of times in X, eps [1] and the values of A."""
    if operator.requires_grad or x.device.type != "cpu" or x.dtype not in (torch.float32, torch.float64):
        return torch.addcmul(propagate(operator, x), x, 1 + eps)
    out: Tensor = _KeepingSpMM.apply(operator, x, eps)  # type: ignore[no-untyped-call]
    return out


class _KeepingSpMM(Function):
    """Y = A X + (1 + eps) X for values without gradient, with dX = A^T dY + (1 + eps) dY and d eps = <dY, X>: one sweep each.

    In PyTorch's own operations the self term writes two more matrices of the size of X forward, and four backward.
    """

    @staticmethod
    def forward(ctx: Any, operator: Operator, x: Tensor, eps: Tensor) -> Tensor:
        ctx.operator = operator
        ctx.save_for_backward(x if eps.requires_grad else None, eps)
        structure, value, x = operator.structure, _weights(operator, x.dtype), x.contiguous()
        out = torch.empty_like(x)
        given = x.new_zeros(0) if value is None else value
        small = (structure.nnz + x.size(0)) * x.size(1) < 2**20
        arrays = structure.row_blocks, structure.rowptr, structure.narrow_col, given, (1 + eps).to(x.dtype), x, out
        parallel_for(rows_times_and_own, *arrays, alone=small)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor | None, Tensor | None]:
        x, eps = ctx.saved_tensors
        grad_x = grad_eps = None
        if ctx.needs_input_grad[1]:
            grad_x = _KeepingSpMM.apply(ctx.operator.t(), grad, eps)  # type: ignore[no-untyped-call]
        if ctx.needs_input_grad[2]:
            grad_eps = (_inner(grad, x) if not torch.is_grad_enabled() else (grad * x).sum()).to(eps.dtype).expand_as(eps)
        return None, grad_x, grad_eps


def _inner(a: Tensor, b: Tensor) -> Tensor:
    """<a, b> of two matrices, in float64 over blocks of rows: threads do not change a bit."""
    if not a.numel():
        return a.new_zeros((), dtype=torch.float64)
    partial = a.new_empty(-(-a.size(0) // _BLOCK))
    parallel_for(inner_products, a, b, partial, alone=a.numel() < 2**18)
    return partial.double().sum()


class _FixedSpMM(Function):
    """Y = A X for values without gradient, with dX = A^T dY."""

    @staticmethod
    def forward(ctx: Any, operator: Operator, x: Tensor) -> Tensor:
        ctx.operator = operator
        return spmm(operator.structure, _weights(operator, x.dtype), x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor]:
        return None, _FixedSpMM.apply(ctx.operator.t(), grad)  # type: ignore[no-untyped-call]


class _SpMM(Function):
    """Y = A X, with dX = A^T dY and dA_ij = <dY_i, X_j> on the entries of A; `symmetric` says that A^T = A."""

    @staticmethod
    def forward(ctx: Any, structure: Structure, value: Tensor, x: Tensor, symmetric: bool) -> Tensor:
        ctx.save_for_backward(value, x)
        ctx.structure, ctx.symmetric = structure, symmetric
        return spmm(structure, value.to(x.dtype), x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor | None, Tensor | None, None]:
        value, x = ctx.saved_tensors
        structure, symmetric = ctx.structure, ctx.symmetric
        grad_value = grad_x = None
        if ctx.needs_input_grad[1]:
            grad_value = _SDDMM.apply(structure, grad, x).to(value.dtype)  # type: ignore[no-untyped-call]
        if ctx.needs_input_grad[2]:
            turned = value if symmetric else value.index_select(0, structure.perm)
            grad_x = _SpMM.apply(structure.t(), turned, grad, symmetric)  # type: ignore[no-untyped-call]
        return None, grad_value, grad_x, None


class _SDDMM(Function):
    """`sddmm`, with dR = S C and dC = S^T R for the matrix S that has the gradients as its entries."""

    @staticmethod
    def forward(ctx: Any, structure: Structure, rows: Tensor, cols: Tensor) -> Tensor:
        ctx.save_for_backward(rows, cols)
        ctx.structure = structure
        return sddmm(structure, rows, cols)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor | None, Tensor | None]:
        rows, cols = ctx.saved_tensors
        structure = ctx.structure
        grad_rows = grad_cols = None
        if ctx.needs_input_grad[1]:
            grad_rows = _SpMM.apply(structure, grad, cols, False)  # type: ignore[no-untyped-call]
        if ctx.needs_input_grad[2]:
            turned = grad.index_select(0, structure.perm)
            grad_cols = _SpMM.apply(structure.t(), turned, rows, False)  # type: ignore[no-untyped-call]
        return None, grad_rows, grad_cols


def _weights(operator: Operator, dtype: torch.dtype) -> Tensor | None:
    """The operator's values, or None where all are one: such products need no multiplication."""
    return None if operator.value is None and operator.mask is None else operator.weights(dtype)
