"""A score attributed to its inputs by a stated rule, for models that give no reasons of their own."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

STEPS = 24
"""Points on the path; the sum then misses the score by a few percent at most on the networks of this package."""


def integrated_gradients(scores: Callable[[Tensor], Tensor], x: Tensor, steps: int = STEPS) -> Tensor:
    r"""What every entry of x contributes to every score.

    .. math:: c_k = x \odot \frac{1}{S} \sum_{s=1}^{S} \nabla f_k\left(\frac{s - 1/2}{S} x\right)

    It is gradient times input, with the gradient averaged over the path from zero to x, so that the contributions of f_k add up
    to f_k(x) - f_k(0) as S grows. Of a piecewise linear f_k whose pieces the path does not leave it is exact for any S.

    Args:
        scores: From features of the shape of x to K scores; called once per step.
        x: Features, floating point.
        steps: S, at least 1.

    Returns:
        Contributions [K, *x.shape].

    Source: Sundararajan, Taly and Yan, Axiomatic Attribution for Deep Networks, ICML 2017, by the midpoint rule.
    """
    total: list[Tensor] = []
    for step in range(steps):
        point = (x * ((step + 0.5) / steps)).requires_grad_()
        with torch.enable_grad():
            outputs = scores(point)
            outputs = outputs + 0.0 * point.sum()  # a model that reads no feature has a gradient, too
            found = [torch.autograd.grad(output, point, retain_graph=True)[0] for output in outputs.unbind()]
        total = [a + b for a, b in zip(total, found, strict=True)] if total else found
    return torch.stack(total) * (x / steps)
