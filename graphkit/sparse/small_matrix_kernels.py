"""Compiled kernels for many small matrices on the CPU: products of reflections, eigenvalues.

Matrices at the ends of edges lie entry by entry, [d, d, ends], so that a step of all of them is one loop over consecutive ends.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange

_LANES = 256  # matrices a task


@njit(parallel=True, cache=True)
def reflect(theta: Any, out: Any) -> None:
    """Products of Householder reflections, Q = H_1 ... H_d; out [d, d, ends] is the identity at first.

    theta [d (d - 1) / 2, ends] holds, one reflection after another, what of v_i lies below its leading 1 at place i.
    """
    d, _, ends = out.shape
    for task in prange(-(-ends // _LANES)):
        first = task * _LANES
        lanes = min(_LANES, ends - first)
        for k in range(lanes):
            out[d - 1, d - 1, first + k] = -1  # the last reflection has no parameter
        v = np.ones((d, lanes), out.dtype)
        norm, t = np.empty(lanes, out.dtype), np.empty(lanes, out.dtype)
        start = theta.shape[0]
        for i in range(d - 2, -1, -1):
            start -= d - 1 - i
            _reflection(theta, start, i, first, v, norm)
            for b in range(i, d):
                t[:] = 0
                for a in range(i, d):
                    p, q = v[a], out[a, b, first : first + lanes]
                    for k in range(lanes):
                        t[k] += p[k] * q[k]
                for a in range(i, d):
                    p, q = v[a], out[a, b, first : first + lanes]
                    for k in range(lanes):
                        q[k] -= norm[k] * p[k] * t[k]


@njit(cache=True)
def _reflection(theta: Any, start: int, i: int, first: int, v: Any, norm: Any) -> None:
    """v_i, with its leading 1 at place i, and 2 / |v_i|^2."""
    d, lanes = v.shape
    v[i, :] = 1
    norm[:] = 1
    for a in range(i + 1, d):
        p = theta[start + a - i - 1, first : first + lanes]
        for k in range(lanes):
            v[a, k] = p[k]
            norm[k] += p[k] * p[k]
    for k in range(lanes):
        norm[k] = (norm[k] - norm[k] + 2) / norm[k]  # 2 in the dtype of theta


@njit(parallel=True, cache=True)
def reflect_backward(theta: Any, out: Any, grad: Any, grad_theta: Any) -> None:
    """Gradient of `reflect`, undoing one reflection of Q after another: H_i is its own inverse."""
    d, _, ends = out.shape
    for task in prange(-(-ends // _LANES)):
        first = task * _LANES
        lanes = min(_LANES, ends - first)
        matrix, g = np.empty((d, d, lanes), out.dtype), np.empty((d, d, lanes), out.dtype)
        for a in range(d):
            for b in range(d):
                matrix[a, b, :] = out[a, b, first : first + lanes]
                g[a, b, :] = grad[a, b, first : first + lanes]
        v = np.ones((d, lanes), out.dtype)
        norm, t, u = np.empty(lanes, out.dtype), np.empty(lanes, out.dtype), np.empty(lanes, out.dtype)
        inner = np.empty(lanes, out.dtype)
        start = 0
        for i in range(d - 1):
            _reflection(theta, start, i, first, v, norm)
            inner[:] = 0
            for a in range(i + 1, d):
                grad_theta[start + a - i - 1, first : first + lanes] = 0
            for b in range(i, d):
                t[:] = 0
                u[:] = 0
                for a in range(i, d):
                    p, q, s = v[a], matrix[a, b], g[a, b]
                    for k in range(lanes):
                        t[k] -= p[k] * q[k]  # v^T H_i Q = -v^T Q
                        u[k] += p[k] * s[k]
                for a in range(i, d):
                    p, q, s = v[a], matrix[a, b], g[a, b]
                    for k in range(lanes):
                        q[k] += norm[k] * p[k] * t[k]
                    if a > i:
                        to = grad_theta[start + a - i - 1, first : first + lanes]
                        for k in range(lanes):
                            to[k] -= norm[k] * (s[k] * t[k] + u[k] * q[k])
                    for k in range(lanes):
                        s[k] -= norm[k] * p[k] * u[k]
                for k in range(lanes):
                    inner[k] += u[k] * t[k]
            for a in range(i + 1, d):
                p, to = v[a], grad_theta[start + a - i - 1, first : first + lanes]
                for k in range(lanes):
                    to[k] += norm[k] * norm[k] * inner[k] * p[k]
            start += d - 1 - i


@njit(parallel=True, cache=True)
def eigen(matrices: Any, values: Any, vectors: Any) -> None:
    """Eigenvalues [N, d] and eigenvectors (columns) [N, d, d] of small symmetric matrices, by Jacobi rotations in float64."""
    n, d, _ = matrices.shape
    for task in prange(-(-n // _LANES)):
        a, v = np.empty((d, d)), np.empty((d, d))
        for i in range(task * _LANES, min(task * _LANES + _LANES, n)):
            for p in range(d):
                for q in range(d):
                    a[p, q] = matrices[i, p, q]
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
            for p in range(d):
                values[i, p] = a[p, p]
                for q in range(d):
                    vectors[i, p, q] = v[p, q]


@njit(cache=True)
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
