"""Compiled kernels for many small matrices on the CPU: products of reflections, inverse roots."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from graphkit.sparse.compiled.kernel import kernel
from graphkit.sparse.compiled.work import next_block
from graphkit.sparse.sheaf.block_products import set_reflection_gradients, set_reflections

_TASK = 256  # matrices per task


@kernel(nogil=True)
def reflect(counter: Any, size: Any, theta: Any, out: Any) -> None:
    """Products of Householder reflections, Q = H_1 ... H_d; out [ends, d d]. `size` is any tuple of length d.

    theta [ends, d (d - 1) / 2] holds, one reflection after another, what of v_i lies below its leading 1 at place i.
    """
    first = next_block(counter) * _TASK
    while first < theta.shape[0]:
        for k in range(first, min(first + _TASK, theta.shape[0])):
            set_reflections(size, theta, k, out)
        first = next_block(counter) * _TASK


@kernel(nogil=True)
def reflect_backward(counter: Any, size: Any, theta: Any, out: Any, grad: Any, grad_theta: Any) -> None:
    """Gradient of `reflect`."""
    first = next_block(counter) * _TASK
    while first < theta.shape[0]:
        for k in range(first, min(first + _TASK, theta.shape[0])):
            set_reflection_gradients(size, theta, k, out, grad, grad_theta)
        first = next_block(counter) * _TASK


@njit(inline="always")
def _reflections_of_three(theta: Any, k: Any) -> Any:
    """(a, b, c), (n, m), (g11, g12, g22) and (w1, w2) of `reflect_three`, with n = 2 / |v|^2 and v^T G = (1, w1, w2).

    The rest of G is ones and zeros, and -g12 for g21.
    """
    one, two = theta.dtype.type(1), theta.dtype.type(2)
    a, b, c = theta[k, 0], theta[k, 1], theta[k, 2]
    n, m = two / (one + a * a + b * b), two / (one + c * c)
    g11, g12, g22 = one - m, m * c, m * c * c - one
    return (a, b, c), (n, m), (g11, g12, g22), (a * g11 - b * g12, a * g12 + b * g22)


@kernel(nogil=True, error_model="numpy")
def reflect_three(counter: Any, theta: Any, out: Any) -> None:
    """`reflect` for d = 3, written out: Q = (I - n v v^T) G with v = (1, a, b) and G = H_2 H_3, which c gives."""
    one = theta.dtype.type(1)
    first = next_block(counter) * _TASK
    while first < theta.shape[0]:
        for k in range(first, min(first + _TASK, theta.shape[0])):
            (a, b, _), (n, _), (g11, g12, g22), (w1, w2) = _reflections_of_three(theta, k)
            out[k, 0], out[k, 1], out[k, 2] = one - n, -n * w1, -n * w2
            out[k, 3], out[k, 4], out[k, 5] = -n * a, g11 - n * a * w1, g12 - n * a * w2
            out[k, 6], out[k, 7], out[k, 8] = -n * b, -g12 - n * b * w1, g22 - n * b * w2
        first = next_block(counter) * _TASK


@kernel(nogil=True, error_model="numpy")
def reflect_three_backward(counter: Any, theta: Any, grad: Any, grad_theta: Any) -> None:
    """Gradient of `reflect_three`, with D that of Q: n gets -v^T D w, v gets -n (D w + G D^T v), G gets (I - n v v^T) D."""
    two = theta.dtype.type(2)
    first = next_block(counter) * _TASK
    while first < theta.shape[0]:
        for k in range(first, min(first + _TASK, theta.shape[0])):
            (a, b, c), (n, m), (g11, g12, g22), (w1, w2) = _reflections_of_three(theta, k)
            d00, d01, d02 = grad[k, 0], grad[k, 1], grad[k, 2]
            d10, d11, d12 = grad[k, 3], grad[k, 4], grad[k, 5]
            d20, d21, d22 = grad[k, 6], grad[k, 7], grad[k, 8]
            # D w, and t = D^T v
            x0, x1, x2 = d00 + d01 * w1 + d02 * w2, d10 + d11 * w1 + d12 * w2, d20 + d21 * w1 + d22 * w2
            t1, t2 = d01 + a * d11 + b * d21, d02 + a * d12 + b * d22
            to_n = -(x0 + a * x1 + b * x2)
            grad_theta[k, 0] = -n * (x1 + g11 * t1 + g12 * t2 + n * a * to_n)
            grad_theta[k, 1] = -n * (x2 - g12 * t1 + g22 * t2 + n * b * to_n)
            h11, h12, h21, h22 = d11 - n * a * t1, d12 - n * a * t2, d21 - n * b * t1, d22 - n * b * t2
            to_m = -h11 + c * (h12 - h21) + c * c * h22
            grad_theta[k, 2] = m * (h12 - h21 + two * c * h22 - m * c * to_m)
        first = next_block(counter) * _TASK


@kernel(nogil=True)
def inverse_roots(counter: Any, matrices: Any, root: Any, vectors: Any, out: Any) -> None:
    """M^-1/2 of symmetric matrices [N, d, d], by Jacobi rotations in float64.

    Also l^-1/2 of their eigenvalues [N, d], and their eigenvectors (columns) [N, d, d].
    """
    n, d, _ = matrices.shape
    a, v = np.empty((d, d)), np.empty((d, d))
    first = next_block(counter) * _TASK
    while first < n:
        for i in range(first, min(first + _TASK, n)):
            _eigen(matrices[i], a, v)
            for p in range(d):
                a[p, p] = 1.0 / np.sqrt(a[p, p])
                root[i, p] = a[p, p]
                for q in range(d):
                    vectors[i, p, q] = v[p, q]
            for p in range(d):
                for q in range(d):
                    total = 0.0
                    for k in range(d):
                        total += v[p, k] * a[k, k] * v[q, k]
                    out[i, p, q] = total
        first = next_block(counter) * _TASK


@kernel(nogil=True)
def inverse_roots_backward(counter: Any, root: Any, vectors: Any, grad: Any, out: Any) -> None:
    """V (K * (V^T G V)) V^T with the symmetric part of G, K_ij = -r_i^2 r_j^2 / (r_i + r_j) for r = l^-1/2."""
    n, d, _ = vectors.shape
    g, t = np.empty((d, d)), np.empty((d, d))
    first = next_block(counter) * _TASK
    while first < n:
        for i in range(first, min(first + _TASK, n)):
            v, r = vectors[i], root[i]
            for p in range(d):
                for q in range(d):
                    g[p, q] = 0.5 * grad[i, p, q] + 0.5 * grad[i, q, p]
            _sandwich(g, v, t, True)
            for p in range(d):
                for q in range(d):
                    g[p, q] *= -r[p] * r[p] * r[q] * r[q] / (r[p] + r[q])
            _sandwich(g, v, t, False)
            out[i] = g
        first = next_block(counter) * _TASK


@kernel()
def _sandwich(g: Any, v: Any, t: Any, turned: bool) -> None:
    """Turn g into V g V^T, or V^T g V; t is room for what lies between."""
    d = g.shape[0]
    for p in range(d):
        for q in range(d):
            total = 0.0
            for k in range(d):
                total += g[p, k] * (v[k, q] if turned else v[q, k])
            t[p, q] = total
    for p in range(d):
        for q in range(d):
            total = 0.0
            for k in range(d):
                total += (v[k, p] if turned else v[p, k]) * t[k, q]
            g[p, q] = total


@kernel()
def _eigen(matrix: Any, a: Any, v: Any) -> None:
    """Eigenvalues, on the diagonal of a, and eigenvectors, the columns of v."""
    d = a.shape[0]
    for p in range(d):
        for q in range(d):
            a[p, q] = matrix[p, q]
            v[p, q] = 1.0 if p == q else 0.0
    for _ in range(30):  # sweeps; five are plenty, NaN never ends
        off = total = 0.0
        for p in range(d):
            total += a[p, p] * a[p, p]
            for q in range(p):
                off += a[p, q] * a[p, q]
        if off <= 1e-34 * total:
            break
        for p in range(d):
            for q in range(p):
                if a[p, q] != 0.0:
                    _rotate(a, v, p, q)


@kernel()
def _rotate(a: Any, v: Any, p: int, q: int) -> None:
    """One Jacobi rotation, which makes a[p, q] zero."""
    ratio = (a[q, q] - a[p, p]) / (2.0 * a[p, q])
    t = 1.0 / (abs(ratio) + np.sqrt(ratio * ratio + 1.0))
    if ratio < 0.0:
        t = -t
    c = 1.0 / np.sqrt(t * t + 1.0)
    s = t * c
    for k in range(a.shape[0]):
        x, y = a[k, p], a[k, q]
        a[k, p], a[k, q] = c * x - s * y, s * x + c * y
    for k in range(a.shape[0]):
        x, y = a[p, k], a[q, k]
        a[p, k], a[q, k] = c * x - s * y, s * x + c * y
    for k in range(a.shape[0]):
        x, y = v[k, p], v[k, q]
        v[k, p], v[k, q] = c * x - s * y, s * x + c * y
