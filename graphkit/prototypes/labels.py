"""Labels of one class or several per sample, and the classes of prototypes, as tables of which belongs to which."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor


def class_identity(counts: Sequence[int]) -> Bool[Tensor, "M C"]:
    """Prototypes of one class each: `counts[c]` of class c, one class after the other.

    Args:
        counts: Prototypes per class; 0 leaves a class without one.

    Returns:
        On the CPU.
    """
    sizes = torch.tensor(counts, device="cpu")  # also where models are outlined on the device `meta`
    return torch.repeat_interleave(torch.eye(len(counts), dtype=torch.bool, device="cpu"), sizes, dim=0)


def multi_hot(labels: Int[Tensor, " B"] | Bool[Tensor, "B C"], num_classes: int) -> Bool[Tensor, "B C"]:
    """Which classes each sample has.

    Args:
        labels: One class per sample, where a negative number means none, or already a table of several.
        num_classes: C.
    """
    if labels.dim() == 2:
        return labels.bool()
    return labels.unsqueeze(1) == torch.arange(num_classes, device=labels.device)


def shares_class(labels: Int[Tensor, " B"] | Bool[Tensor, "B C"], identity: Bool[Tensor, "M C"]) -> Bool[Tensor, "B M"]:
    """Which prototypes have a class that the sample has: its own prototypes."""
    # Matrix products of booleans do not exist; counts of shared classes are exact in float32.
    return multi_hot(labels, identity.size(1)).float() @ identity.float().t() > 0
