"""Gradients of gradients: what a backward pass returns where it is itself recorded (`create_graph=True`).

Compiled gradients are numbers to autograd: a penalty on them would get a gradient that lacks all that depends on the inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


def recorded_gradients(plain: Callable[..., Any], inputs: Sequence[Any], grads: Sequence[Tensor | None]) -> list[Tensor | None]:
    """The gradients of an operation as functions that autograd can differentiate again.

    Args:
        plain: The same operation in operations that are differentiable any number of times; gives a tensor or a tuple.
        inputs: What it is called with: tensors as saved for the backward pass, and others.
        grads: Gradients of its outputs, None where there is none.

    Returns:
        A gradient of each input; None for those that need none.
    """
    with torch.enable_grad():
        # Views cut the tie between inputs that depend on each other: each gradient is that of its own place alone.
        given = [one.view_as(one) if isinstance(one, Tensor) and one.requires_grad else one for one in inputs]
        made = plain(*given)
        outputs = made if isinstance(made, tuple) else (made,)
        reached = [
            (out, grad)
            for out, grad in zip(outputs, grads, strict=True)
            if grad is not None and out is not None and out.requires_grad
        ]
        wanted = [one for one in given if isinstance(one, Tensor) and one.requires_grad]
        outs, flows = [out for out, _ in reached], [grad for _, grad in reached]
        found = iter(torch.autograd.grad(outs, wanted, flows, create_graph=True, allow_unused=True))
    return [next(found) if isinstance(one, Tensor) and one.requires_grad else None for one in given]
