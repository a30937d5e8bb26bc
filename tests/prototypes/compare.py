"""What the tests of prototypes share: values and gradients beside those of a loop, and small inputs."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

IDENTITY = torch.tensor([[1, 0, 0], [1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 1]], dtype=torch.bool)
"""Six prototypes of three classes: uneven counts, classes in no order, the last prototype of two classes."""


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def assert_same(ours: Callable[..., Tensor], oracle: Callable[..., Tensor], *inputs: Tensor) -> None:
    """Equal values, and equal gradients with respect to every input of a random weighted sum, in float64."""
    found = []
    for function in (ours, oracle):
        leaves = [tensor.detach().clone().requires_grad_() for tensor in inputs]
        value = function(*leaves)
        gradients = torch.autograd.grad((value * normal(*value.shape, seed=9)).sum(), leaves, allow_unused=True)
        found.append(
            (value.detach(), *(torch.zeros_like(x) if g is None else g for g, x in zip(gradients, leaves, strict=True)))
        )
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)


def stacked(rows: list[list[Tensor]]) -> Tensor:
    return torch.stack([torch.stack(row) for row in rows])


def length(v: Tensor) -> Tensor:
    return sum(x * x for x in v) ** 0.5


def angle_cosine(a: Tensor, b: Tensor) -> Tensor:
    return sum(x * y for x, y in zip(a, b, strict=True)) / (length(a) * length(b))


def squared(a: Tensor, b: Tensor) -> Tensor:
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))
