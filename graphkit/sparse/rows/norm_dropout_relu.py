"""Normalize, drop and rectify the rows of a matrix in one sweep on the CPU.

Each of the three steps in PyTorch reads and writes the whole matrix: beside a matrix product of a common width they cost more
than the product. Here one compiled pass does all of it, with the random bits of `dropout`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import prange, types
from numba.extending import overload
from torch import Tensor
from torch.nn import functional

from graphkit.sparse.compiled.kernel import kernel
from graphkit.sparse.compiled.threads import kernel_threads
from graphkit.sparse.rows.dropout import draw, dropout, new_seed, row_key, threshold
from graphkit.sparse.structure import untraced
from graphkit.sparse.twice import recorded_gradients

_ROWS = 64  # rows a task


@untraced
def norm_dropout_relu(
    x: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    p: float = 0.0,
    training: bool = True,
    eps: float = 1e-5,
) -> Tensor:
    """ReLU(Dropout_p(LayerNorm(x))); without `weight` the normalization is left out.

    Dropout and ReLU commute, so the order of the last two does not matter. The seed of the mask is drawn from torch's
    global CPU generator: one draw a call, whatever the size.

    Args:
        x: Rows [R, C], float32, float64 or bfloat16 (computed in float32).
        weight: Scale of the normalization [C], or None.
        bias: Shift of the normalization [C]; needed with `weight`.
        p: Dropout probability in [0, 1).
        training: Whether dropout is active.
        eps: Added to the variance.

    Returns:
        [R, C] in the dtype of x.

    Raises:
        ValueError: p outside [0, 1), one of weight and bias without the other, or of another width than x.
    """
    if not 0.0 <= p < 1.0:
        raise ValueError(f"p must lie in [0, 1), got {p}.")
    if (weight is None) != (bias is None):
        raise ValueError("weight and bias come together or not at all.")
    for name, given in (("weight", weight), ("bias", bias)):
        if given is not None and given.shape != x.shape[-1:]:
            raise ValueError(f"{name} must have shape {list(x.shape[-1:])}, got {list(given.shape)}.")
    if (
        torch.compiler.is_exporting()
        or x.device.type != "cpu"
        or x.dim() != 2
        or x.dtype not in (torch.float32, torch.float64, torch.bfloat16)
    ):
        if weight is not None:
            x = functional.layer_norm(x, x.shape[-1:], weight, bias, eps)
        return functional.relu(dropout(x, p, training))
    out: Tensor = _NormDropoutReLU.apply(x, weight, bias, p if training else 0.0, eps)  # type: ignore[no-untyped-call]
    return out


class _NormDropoutReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, p: float, eps: float) -> Tensor:
        x = x.contiguous()
        wide = torch.float64 if x.dtype == torch.float64 else torch.float32
        rows, channels = x.shape
        out = torch.empty_like(x)
        normed = weight is not None
        stats = torch.empty(2, rows if normed else 0, dtype=wide)
        scale = weight.detach().to(wide) if weight is not None else x.new_zeros(channels, dtype=wide)
        shift = bias.detach().to(wide) if bias is not None else x.new_zeros(channels, dtype=wide)
        seed = new_seed() if p > 0 else 0
        # In the dtype of the sums: a Python number among them would turn float32 loops into float64 ones.
        constants = torch.tensor([0.0, 1.0, channels, eps, 1 / (1 - p)], dtype=wide)
        arrays = _array(x), _array(scale), _array(shift), normed, _array(constants)
        with kernel_threads():
            _forward(*arrays, threshold(p), seed, _array(out), _array(stats))
        ctx.save_for_backward(x if normed else None, weight, bias, scale, constants, stats, out)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, scale, constants, stats, out = ctx.saved_tensors
        if torch.is_grad_enabled():
            return *_recorded(x, weight, bias, constants, out.detach(), grads[0]), None, None
        grad = grads[0].to(out.dtype).contiguous()
        gradient = torch.empty_like(out)
        normed = x is not None
        tasks = -(-out.size(0) // _ROWS)
        partial = torch.zeros(tasks if normed else 0, 2, out.size(1), dtype=scale.dtype)
        source = _array(x if normed else out)
        arrays = _array(scale), normed, _array(constants), _array(stats), _array(out), _array(grad), _array(gradient)
        with kernel_threads():
            _backward(source, *arrays, _array(partial))
        if not normed:
            return gradient, None, None, None, None
        sums = partial.sum(0)
        return gradient, sums[0].to(weight.dtype), sums[1].to(bias.dtype), None, None


def _recorded(
    x: Tensor | None, weight: Tensor, bias: Tensor, constants: Tensor, out: Tensor, grad: Tensor
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Gradients of x, weight and bias that can be differentiated again."""
    factor, eps = float(constants[4]), float(constants[3])
    if x is None:
        return torch.where(out > 0, grad * factor, 0.0), None, None

    def plain(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        wide = constants.dtype
        normed = functional.layer_norm(x.to(wide), x.shape[-1:], weight.to(wide), bias.to(wide), eps)
        return torch.where(out > 0, normed * factor, 0.0).to(x.dtype)

    of_x, of_weight, of_bias = recorded_gradients(plain, (x, weight, bias), (grad,))
    return of_x, of_weight, of_bias


def _array(tensor: Tensor) -> Any:
    """A NumPy view; bfloat16, which NumPy lacks, as the upper halves of float32 bit patterns."""
    tensor = tensor.detach().contiguous()
    return tensor.view(torch.uint16).numpy() if tensor.dtype == torch.bfloat16 else tensor.numpy()


def _widen(value):  # type: ignore[no-untyped-def]
    """The float32 of a bfloat16 pattern; other numbers as they are. Compiled code only."""
    raise NotImplementedError


def _narrow(value, like):  # type: ignore[no-untyped-def]
    """The bfloat16 pattern of a float32, to nearest, ties to even; as it is unless `like` is one. Compiled code only."""
    raise NotImplementedError


@overload(_widen, inline="always")
def _compile_widen(value):  # type: ignore[no-untyped-def]
    if value == types.uint16:
        return lambda value: np.uint32(np.uint32(value) << np.uint32(16)).view(np.float32)
    return lambda value: value


@overload(_narrow, inline="always")
def _compile_narrow(value, like):  # type: ignore[no-untyped-def]
    if like == types.uint16:

        def narrow(value, like):  # type: ignore[no-untyped-def]
            bits = np.float32(value).view(np.uint32)
            return np.uint16(np.uint32(bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16))

        return narrow
    return lambda value, like: value


@kernel(parallel=True, fastmath={"reassoc", "contract", "nsz"})
def _forward(
    x: Any,
    weight: Any,
    bias: Any,
    normed: bool,
    constants: Any,
    threshold: int,
    seed: int,
    out: Any,
    stats: Any,
) -> None:
    rows, channels = x.shape
    zero, one, width, eps, factor = constants[0], constants[1], constants[2], constants[3], constants[4]
    limit = np.uint32(threshold)
    for task in prange((rows + _ROWS - 1) // _ROWS):
        z = np.empty(channels, weight.dtype)
        for r in range(task * _ROWS, min(rows, (task + 1) * _ROWS)):
            if normed:
                total = zero
                for f in range(channels):
                    total += _widen(x[r, f])
                mean = total / width
                spread = zero
                for f in range(channels):
                    offset = _widen(x[r, f]) - mean
                    spread += offset * offset
                inverse = one / np.sqrt(spread / width + eps)
                stats[0, r] = mean
                stats[1, r] = inverse
                for f in range(channels):
                    z[f] = (_widen(x[r, f]) - mean) * inverse * weight[f] + bias[f]
            else:
                for f in range(channels):
                    z[f] = _widen(x[r, f])
            if limit == np.uint32(0):
                for f in range(channels):
                    out[r, f] = _narrow(max(z[f], zero), out[r, f])
            else:
                key = row_key(seed, r)
                low = np.uint32(key & np.uint64(0xFFFFFFFF))
                high = np.uint32(key >> np.uint64(32))
                for f in range(channels):
                    # A factor, not a choice of values: a dropped NaN stays one, as in torch, and is noticed.
                    kept = z[f] * (factor if draw(low, high, f) >= limit else zero)
                    out[r, f] = _narrow(max(kept, zero), out[r, f])


@kernel(parallel=True, fastmath={"reassoc", "contract", "nsz"})
def _backward(
    x: Any,
    weight: Any,
    normed: bool,
    constants: Any,
    stats: Any,
    out: Any,
    grad: Any,
    gradient: Any,
    partial: Any,
) -> None:
    rows, channels = out.shape
    zero, width, factor = constants[0], constants[2], constants[4]
    for task in prange((rows + _ROWS - 1) // _ROWS):
        dz = np.empty(channels, weight.dtype)
        xhat = np.empty(channels, weight.dtype)
        for r in range(task * _ROWS, min(rows, (task + 1) * _ROWS)):
            # A positive output was kept and passed the rectifier: no mask needs to be stored.
            if not normed:
                for f in range(channels):
                    passed = zero if _widen(out[r, f]) <= zero else _widen(grad[r, f]) * factor
                    gradient[r, f] = _narrow(passed, gradient[r, f])
                continue
            mean, inverse = stats[0, r], stats[1, r]
            first = zero
            second = zero
            for f in range(channels):
                passed = zero if _widen(out[r, f]) <= zero else _widen(grad[r, f]) * factor
                xhat[f] = (_widen(x[r, f]) - mean) * inverse
                partial[task, 0, f] += passed * xhat[f]
                partial[task, 1, f] += passed
                dz[f] = passed * weight[f]
                first += dz[f]
                second += dz[f] * xhat[f]
            first /= width
            second /= width
            for f in range(channels):
                gradient[r, f] = _narrow((dz[f] - first - xhat[f] * second) * inverse, gradient[r, f])
