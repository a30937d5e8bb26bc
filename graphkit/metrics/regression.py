"""Metrics of numbers; in the unit of the targets, lower is better."""

from __future__ import annotations

from torch import Tensor


def mae(predicted: Tensor, targets: Tensor) -> float:
    r"""Mean absolute error over the targets that are known.

    .. math:: \frac{1}{|K|} \sum_{(g, t) \in K} |\hat y_{gt} - y_{gt}|

    Args:
        predicted: Numbers [G, T].
        targets: Numbers [G, T], NaN where not known; at least one is known.
    """
    known = ~targets.isnan()
    return (predicted[known].double() - targets[known].double()).abs().mean().item()
