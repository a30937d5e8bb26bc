"""Dropout on the CPU in one pass over memory, and the random bits that it takes.

PyTorch's draws its mask from a single-threaded generator, at 10 to 20 ns an entry: beside the layers here that is among the
dearest parts of a training step. These bits come from a counter-based generator: they depend on (seed, row, column) alone and
never on the number of threads, and the mask is drawn again for the gradient instead of being kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from torch import Tensor
from torch.nn import functional

from graphkit.sparse.compiled.kernel import kernel
from graphkit.sparse.compiled.work import next_block, parallel_for

_WORD = ir.IntType(32)
_PIECE = 4096  # entries that share a key
_ALONE = 2**18  # up to here another thread would wake too late


def dropout(x: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """Dropout_p(X): each entry zero with probability p, else divided by 1 - p, as `torch.nn.functional.dropout` has it.

    The seed of the mask is drawn from torch's global CPU generator: one draw a call, whatever the size.

    Args:
        x: Any shape; float32 and float64 on the CPU are dropped here, all else, and what is compiled, by PyTorch.
        p: Probability in [0, 1).
        training: Whether dropout is active; x itself is returned otherwise.

    Returns:
        As x; differentiable any number of times.

    Raises:
        ValueError: p outside [0, 1).

    Example:
        >>> dropout(torch.ones(6), 0.5)  # about half of it zeros, the rest twos
    """
    if not 0.0 <= p < 1.0:
        raise ValueError(f"p must lie in [0, 1), got {p}.")
    if not training or p == 0.0:
        return x
    if x.device.type != "cpu" or x.dtype not in (torch.float32, torch.float64) or torch.compiler.is_compiling():
        return functional.dropout(x, p, training)
    out: Tensor = _Dropout.apply(x, p, new_seed())  # type: ignore[no-untyped-call]
    return out


class _Dropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, p: float, seed: int) -> Tensor:
        ctx.p, ctx.seed = p, seed
        x = x.contiguous()
        out = torch.empty_like(x)
        scale = torch.tensor([1 / (1 - p)], dtype=x.dtype)  # a Python number would turn float32 loops into float64 ones
        parallel_for(_dropped, x.view(-1), scale, threshold(p), seed, out.view(-1), alone=x.numel() <= _ALONE)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        gradient: Tensor = _Dropout.apply(grads[0], ctx.p, ctx.seed)  # type: ignore[no-untyped-call]
        return gradient, None, None


def new_seed() -> int:
    """A seed from torch's global CPU generator."""
    return int(torch.randint(2**62, (), dtype=torch.int64))


def threshold(p: float) -> int:
    """Of 32 uniform bits, how many patterns drop an entry."""
    return min(round(p * 2**32), 2**32 - 1)


@kernel(nogil=True)
def _dropped(counter: Any, x: Any, scale: Any, dropping: int, seed: int, out: Any) -> None:
    limit, factor, zero = np.uint32(dropping), scale[0], scale[0] - scale[0]
    piece = next_block(counter)
    while piece * _PIECE < x.size:
        given, goal = x[piece * _PIECE : (piece + 1) * _PIECE], out[piece * _PIECE : (piece + 1) * _PIECE]
        key = row_key(seed, piece)
        low, high = np.uint32(key & np.uint64(0xFFFFFFFF)), np.uint32(key >> np.uint64(32))
        for f in range(given.size):
            # A factor, not a choice of values: a dropped NaN stays one, as in torch, and is noticed.
            goal[f] = given[f] * (factor if draw(low, high, f) >= limit else zero)
        piece = next_block(counter)


@njit(inline="always")
def row_key(seed: int, row: int) -> Any:
    """64 well mixed bits for (seed, row): the finalizer of splitmix64."""
    z = np.uint64(seed) + np.uint64(row + 1) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@intrinsic
def draw(context: Any, low: Any, high: Any, column: Any) -> Any:
    """32 uniform bits for (row key, column); compiled code only.

    Written out because Numba multiplies in 64 bits, which takes vectors three times as long.
    """

    def generate(target: Any, builder: Any, signature: Any, args: Any) -> Any:
        low, high, column = (builder.trunc(one, _WORD) if one.type.width > 32 else one for one in args)

        def mixed(z: Any, shift: int) -> Any:
            return builder.xor(z, builder.lshr(z, _WORD(shift)))

        z = builder.add(builder.mul(column, _WORD(0x9E3779B9)), low)
        z = builder.mul(mixed(z, 16), _WORD(0x7FEB352D))
        z = builder.mul(builder.add(mixed(z, 15), high), _WORD(0x846CA68B))
        return mixed(builder.mul(mixed(z, 16), _WORD(0x9E3779B1)), 15)

    return types.uint32(types.uint32, types.uint32, types.int64), generate
