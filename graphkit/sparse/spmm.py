"""Sparse times dense and its gradients: the two kernels everything in this package propagates with."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.autograd.function import Function, once_differentiable

from graphkit.sparse.structure import Structure, untraced

if TYPE_CHECKING:
    from graphkit.sparse.csr import CSR


with warnings.catch_warnings():
    # torch says once a process that its CSR tensors are in beta: let it say so here, to nobody. All that is used is under test.
    warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
    torch.zeros(1, 1).to_sparse_csr()


def torch_csr(structure: Structure, value: Tensor) -> Tensor:
    """A torch sparse CSR tensor over these indices, sharing memory."""
    return torch.sparse_csr_tensor(structure.rowptr, structure.col, value, structure.shape, check_invariants=False)


def spmm(structure: Structure, value: Tensor, x: Tensor) -> Tensor:
    """A @ x for x [num_cols, C] of the values' dtype; bfloat16 and float16 accumulate in float32."""
    matrix, x = torch_csr(structure, value), x.contiguous()
    with torch.autocast(x.device.type, enabled=False):
        if x.device.type == "cpu":
            # Half the time of `matrix @ x`, and the only one of the two that knows bfloat16.
            out: Tensor = torch.sparse.mm(matrix, x, "sum")
        else:
            out = matrix @ x
        return out


def sddmm(structure: Structure, rows: Tensor, cols: Tensor) -> Tensor:
    """<rows_i, cols_j> for every entry (i, j) [nnz], for rows [num_rows, C] and cols [num_cols, C]."""
    dtype = rows.dtype if rows.dtype in (torch.float32, torch.float64) else torch.float32
    rows, cols = rows.to(dtype).contiguous(), cols.to(dtype).contiguous()
    pattern = torch_csr(structure, rows.new_zeros(structure.nnz))
    with torch.autocast(rows.device.type, enabled=False):
        sampled: Tensor = torch.sparse.sampled_addmm(pattern, rows, cols.t(), beta=0.0)
    return sampled.values()


@untraced
def propagate(operator: CSR, x: Tensor) -> Tensor:
    """Y = A X, differentiable once in X and in the values of A."""
    # `value` stands beside the operator only when it needs a gradient: autograd sees tensors that are arguments.
    out: Tensor = _SpMM.apply(operator, operator.value if operator.requires_grad else None, x)  # type: ignore[no-untyped-call]
    return out


class _SpMM(Function):
    """Y = A X, with dX = A^T dY and dA_ij = <dY_i, X_j> on the entries of A."""

    @staticmethod
    def forward(ctx: Any, operator: CSR, value: Tensor | None, x: Tensor) -> Tensor:
        ctx.operator = operator
        if value is None:
            return spmm(operator.structure, operator.weights(x.dtype), x)
        ctx.save_for_backward(value, x)
        return spmm(operator.structure, value.to(x.dtype), x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor | None, Tensor | None]:
        operator: CSR = ctx.operator
        if not ctx.saved_tensors:
            adjoint = operator.t()
            return None, None, spmm(adjoint.structure, adjoint.weights(grad.dtype), grad)
        value, x = ctx.saved_tensors
        structure = operator.structure
        grad_value = grad_x = None
        if ctx.needs_input_grad[1]:
            grad_value = sddmm(structure, grad, x).to(value.dtype)
        if ctx.needs_input_grad[2]:
            turned = value if operator.promised_symmetric else value[structure.perm]
            grad_x = spmm(structure.t(), turned.to(grad.dtype), grad)
        return None, grad_value, grad_x
