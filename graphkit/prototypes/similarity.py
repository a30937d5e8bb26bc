"""How similar a part is to a prototype. Every function takes parts [..., D] and prototypes [M, D] and gives [..., M].

`paired` gives the same numbers for one part per prototype, parts [..., M, D], without comparing each with each.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

LOG_EPSILON = 1e-4
"""The epsilon of `log_l2`; its largest value is log(1 / epsilon), about 9.2."""


def cosine(z: Float[Tensor, "*batch D"], weight: Float[Tensor, "M D"]) -> Float[Tensor, "*batch M"]:
    """The similarity s = <z, p> / (|z| |p|), in [-1, 1]; 0 where either is zero.

    Source: the default of ProtoPNext (WACV 2026), which found it more accurate, stable and sparse than `log_l2`.
    """
    return functional.normalize(z, dim=-1) @ functional.normalize(weight, dim=-1).t()


def relu_cosine(z: Float[Tensor, "*batch D"], weight: Float[Tensor, "M D"]) -> Float[Tensor, "*batch M"]:
    """The similarity s = max(cosine, 0), in [0, 1]. Source: ST-ProtoPNet on uncropped images."""
    return cosine(z, weight).relu()


def projection(z: Float[Tensor, "*batch D"], weight: Float[Tensor, "M D"]) -> Float[Tensor, "*batch M"]:
    """The similarity s = <z, p> / |p|, the length of z along the prototype; unbounded.

    A longer part can be more similar to a prototype than the prototype's own source.

    Source: TesNet, ICCV 2021; ST-ProtoPNet on cropped images.
    """
    return z @ functional.normalize(weight, dim=-1).t()


def squared_distance(z: Float[Tensor, "*batch D"], weight: Float[Tensor, "M D"]) -> Float[Tensor, "*batch M"]:
    """The distance d = |z - p|^2, at least 0, and exactly 0 where both are equal."""
    return _distance(z, weight).square()


def negative_l2(z: Float[Tensor, "*batch D"], weight: Float[Tensor, "M D"]) -> Float[Tensor, "*batch M"]:
    """The similarity s = -|z - p|^2, at most 0: what a head on distances takes. Source: Li et al., AAAI 2018."""
    return -squared_distance(z, weight)


def log_l2(z: Float[Tensor, "*batch D"], weight: Float[Tensor, "M D"]) -> Float[Tensor, "*batch M"]:
    """The similarity s = log((d + 1) / (d + 1e-4)) with d = |z - p|^2, in (0, 9.21]. Source: ProtoPNet, ProtGNN."""
    return log_of_distance(squared_distance(z, weight))


def log_of_distance(distance: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """log((d + 1) / (d + 1e-4)) of squared distances: decreasing, log(1e4) at 0."""
    return torch.log1p(distance) - torch.log(distance + LOG_EPSILON)


def rbf(
    z: Float[Tensor, "*batch D"], weight: Float[Tensor, "M D"], scale: Float[Tensor, " M"] | float = 1.0
) -> Float[Tensor, "*batch M"]:
    """The similarity s = exp(-|z - p| / scale), in (0, 1].

    The distance is not squared: the margin of `ComponentsHead` needs a metric.

    Source: stable Classification-by-Components, AAAI 2025.
    """
    return torch.exp(-_distance(z, weight) / scale)


def _distance(z: Tensor, weight: Tensor) -> Tensor:
    # The expansion |z|^2 + |p|^2 - 2 <z, p> loses digits where z is near p, which is where log_l2 is steepest.
    flat = z.reshape(-1, z.size(-1))
    distance: Tensor = torch.cdist(flat, weight, compute_mode="donot_use_mm_for_euclid_dist")
    return distance.view(*z.shape[:-1], weight.size(0))


Similarity = Callable[[Tensor, Tensor], Tensor]

SIMILARITIES: dict[str, Similarity] = {
    "cosine": cosine,
    "relu-cosine": relu_cosine,
    "projection": projection,
    "negative-l2": negative_l2,
    "log-l2": log_l2,
    "rbf": rbf,
}
"""By name; `rbf` has a learned scale per prototype in the bank."""


def paired(
    name: str, z: Float[Tensor, "*batch M D"], weight: Float[Tensor, "M D"], scale: Float[Tensor, " M"] | float = 1.0
) -> Float[Tensor, "*batch M"]:
    """The similarity of prototype j to part j alone, by a name of `SIMILARITIES`; `scale` is that of `rbf`.

    Cosines take parts of length 1 or 0, so that each is normalized once, however many prototypes it is the best of.
    """
    if name in ANGULAR:
        value = torch.einsum("...md,md->...m", z, functional.normalize(weight, dim=-1))
        return value.relu() if name == "relu-cosine" else value
    distance = torch.linalg.vector_norm(z - weight, dim=-1)
    if name == "rbf":
        return torch.exp(-distance / scale)
    return -distance.square() if name == "negative-l2" else log_of_distance(distance.square())


UNIT = frozenset({"cosine", "relu-cosine"})
"""Those that see only the direction of a part."""

ANGULAR = frozenset({"cosine", "relu-cosine", "projection"})
"""Those that see only the direction of a prototype: its source is the part of nearest direction."""
