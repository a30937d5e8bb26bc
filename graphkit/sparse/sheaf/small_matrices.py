"""Many small matrices at once: products of reflections, inverse roots.

Both have two implementations: a compiled kernel for float32 and float64 on the CPU, plain torch for everything else and for
gradients of gradients.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function

from graphkit.sparse.compiled.work import parallel_for
from graphkit.sparse.sheaf import small_matrix_kernels as kernels
from graphkit.sparse.twice import recorded_gradients


def compiled(tensor: Tensor) -> bool:
    """Whether the compiled kernels take this tensor."""
    return tensor.device.type == "cpu" and tensor.dtype in (torch.float32, torch.float64)


def householder(theta: Tensor, d: int) -> Tensor:
    """Q = H_1 ... H_d with H_i = I - 2 v_i v_i^T / |v_i|^2, where v_i is zero above place i and one there.

    Args:
        theta: What lies below the ones [n, d (d - 1) / 2], one v after another.
        d: Order of the matrices, at least 2.

    Returns:
        Orthogonal matrices [n, d, d] of determinant (-1)^d.
    """
    out: Tensor = _Householder.apply(theta, d)  # type: ignore[no-untyped-call]
    return out


def inverse_root(matrices: Tensor) -> Tensor:
    """M^-1/2 of symmetric positive definite matrices [N, d, d].

    With M = V diag(l) V^T the gradient is V (K * (V^T G V)) V^T, K_ij = -1 / (sqrt(l_i l_j) (sqrt(l_i) + sqrt(l_j))): divided
    differences of l^-1/2 in closed form. Nothing is divided by l_i - l_j, so that equal eigenvalues do no harm.
    """
    out: Tensor = _InverseRoot.apply(matrices)  # type: ignore[no-untyped-call]
    return out


class _Householder(Function):
    @staticmethod
    def forward(ctx: Any, theta: Tensor, d: int) -> Tensor:
        if compiled(theta):
            out = theta.new_empty(len(theta), d, d)
            if d == 3:
                parallel_for(kernels.reflect_three, theta, out.flatten(1))
            else:
                parallel_for(kernels.reflect, (0,) * d, theta, out.flatten(1))
        else:
            out = _plain_householder(theta, d)
        ctx.save_for_backward(theta, out)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None]:
        theta, out = ctx.saved_tensors
        d = out.size(1)
        if torch.is_grad_enabled():
            return recorded_gradients(_plain_householder, (theta, d), (grad,))[0], None
        gradient = torch.empty_like(theta, memory_format=torch.contiguous_format)
        if compiled(theta):
            if d == 3:
                parallel_for(kernels.reflect_three_backward, theta, grad.flatten(1), gradient)
            else:
                parallel_for(kernels.reflect_backward, (0,) * d, theta, out.flatten(1), grad.flatten(1), gradient)
            return gradient, None
        for i in range(d - 1):
            v, scale = _reflection(theta, d, i)
            t, u = -(v * out).sum(1, keepdim=True), (v * grad).sum(1, keepdim=True)
            out = out + scale * v * t
            along = scale**2 * (u * t).sum(2, keepdim=True) * v - scale * (grad * t + u * out).sum(2, keepdim=True)
            gradient[:, _below(d, i)] = along[:, i + 1 :, 0]
            grad = grad - scale * v * u
        return gradient, None


def _plain_householder(theta: Tensor, d: int) -> Tensor:
    out = torch.eye(d, dtype=theta.dtype, device=theta.device).repeat(len(theta), 1, 1)
    out[:, d - 1, d - 1] = -1
    for i in reversed(range(d - 1)):
        v, scale = _reflection(theta, d, i)
        out = out - scale * v * (v * out).sum(1, keepdim=True)
    return out


def _below(d: int, i: int) -> slice:
    """Where theta keeps what lies below the leading one of v_i."""
    start = i * (d - 1) - i * (i - 1) // 2
    return slice(start, start + d - 1 - i)


def _reflection(theta: Tensor, d: int, i: int) -> tuple[Tensor, Tensor]:
    """v_i [n, d, 1] and 2 / |v_i|^2 [n, 1, 1]."""
    head = theta.new_zeros(len(theta), i + 1)
    head[:, i] = 1
    v = torch.cat([head, theta[:, _below(d, i)]], dim=1).unsqueeze(2)
    return v, 2 / v.square().sum(1, keepdim=True)


class _InverseRoot(Function):
    @staticmethod
    def forward(ctx: Any, matrices: Tensor) -> Tensor:
        out: Tensor
        if compiled(matrices):
            root, vectors, out = matrices.new_empty(matrices.shape[:2]), *matrices.new_empty(2, *matrices.shape)
            parallel_for(kernels.inverse_roots, matrices, root, vectors, out)
        else:
            values, vectors = torch.linalg.eigh(matrices)
            root = values.rsqrt()
            out = (vectors * root.unsqueeze(1)) @ vectors.transpose(1, 2)
        ctx.save_for_backward(root, vectors, out)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        root, vectors, out = ctx.saved_tensors
        if torch.is_grad_enabled():
            # R M R = I gives R dR + dR R = -R^2 dM R^2, whose adjoint in dM is this.
            square = out @ out
            solved = _Sylvester.apply(out, (grad + grad.transpose(1, 2)) / 2, root, vectors)  # type: ignore[no-untyped-call]
            again: Tensor = -(square @ solved @ square)
            return again
        if compiled(grad):
            gradient = torch.empty_like(vectors)
            parallel_for(kernels.inverse_roots_backward, root, vectors, grad, gradient)
            return gradient
        r, s = root.unsqueeze(2), root.unsqueeze(1)
        turned = vectors.transpose(1, 2)
        inner = (turned @ grad @ vectors) * (-(r * s).square() / (r + s))
        gradient = vectors @ inner @ turned
        symmetric: Tensor = (gradient + gradient.transpose(1, 2)) / 2
        return symmetric


class _Sylvester(Function):
    """The symmetric X with R X + X R = G, for symmetric G and R = V diag(r) V^T: differentiable any number of times.

    dX solves the same equation with dG - dR X - X dR, so that G gets the solution Y for dX, and R gets -(Y X + X Y). No
    difference of eigenvalues is divided by.
    """

    @staticmethod
    def forward(ctx: Any, matrices: Tensor, right: Tensor, root: Tensor, vectors: Tensor) -> Tensor:
        turned = vectors.transpose(1, 2)
        out = vectors @ ((turned @ right @ vectors) / (root.unsqueeze(2) + root.unsqueeze(1))) @ turned
        ctx.save_for_backward(matrices, out, root, vectors)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        matrices, out, root, vectors = ctx.saved_tensors
        symmetric = (grad + grad.transpose(1, 2)) / 2
        solved: Tensor = _Sylvester.apply(matrices, symmetric, root, vectors)  # type: ignore[no-untyped-call]
        return -(solved @ out + out @ solved), solved, None, None
