from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from graphkit.prototypes.similarity import ANGULAR, SIMILARITIES, log_of_distance, rbf, squared_distance
from tests.prototypes.compare import angle_cosine, assert_same, length, normal, squared, stacked

LARGEST = {"cosine": 1.0, "relu-cosine": 1.0, "negative-l2": 0.0, "log-l2": math.log(1e4), "rbf": 1.0}
Pair = Callable[[Tensor, Tensor], Tensor]
ORACLES: dict[str, Pair] = {
    "cosine": angle_cosine,
    "relu-cosine": lambda z, p: angle_cosine(z, p).clamp(min=0),
    "projection": lambda z, p: angle_cosine(z, p) * length(z),
    "negative-l2": lambda z, p: -squared(z, p),
    "log-l2": lambda z, p: ((squared(z, p) + 1) / (squared(z, p) + 1e-4)).log(),
    "rbf": lambda z, p: (-(squared(z, p) ** 0.5)).exp(),
}


@pytest.mark.parametrize("name", SIMILARITIES)
def test_values_and_gradients(name: str) -> None:
    def by_loop(z: Tensor, weight: Tensor) -> Tensor:
        return torch.stack([stacked([[ORACLES[name](part, p) for p in weight] for part in sample]) for sample in z])

    assert_same(SIMILARITIES[name], by_loop, normal(2, 3, 4), normal(5, 4, seed=1))


def test_rbf_with_a_scale_per_prototype() -> None:
    def by_loop(z: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
        return stacked([[(-(squared(part, p) ** 0.5) / s).exp() for p, s in zip(weight, scale, strict=True)] for part in z])

    assert_same(rbf, by_loop, normal(3, 4), normal(5, 4, seed=1), normal(5, seed=2).exp())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", sorted(set(SIMILARITIES) - {"projection"}))
def test_a_part_is_most_similar_to_itself(name: str, dtype: torch.dtype) -> None:
    z = (100 * normal(6, 16)).to(dtype)  # long vectors, whose expanded distances would lose digits
    itself = SIMILARITIES[name](z, z).diagonal()
    torch.testing.assert_close(itself, torch.full_like(itself, LARGEST[name]), rtol=0, atol=1e-6)
    assert (SIMILARITIES[name](z, z) <= LARGEST[name] + 1e-6).all()


def test_the_log_of_a_distance_falls_from_its_largest_value() -> None:
    distance = torch.tensor([0.0, 1e-8, 1e-4, 1.0, 1e4, 1e8], dtype=torch.float64)
    values = log_of_distance(distance)
    assert values[0].item() == pytest.approx(math.log(1e4))
    assert (values.diff() < 0).all() and (values > 0).all()


def test_equal_vectors_have_no_distance_and_no_gradient() -> None:
    z = normal(1, 4).requires_grad_()
    for name in ("negative-l2", "log-l2", "rbf"):
        (gradient,) = torch.autograd.grad(SIMILARITIES[name](z, z.detach()).sum(), z)
        assert gradient.eq(0).all()
    assert squared_distance(z, z.detach()).item() == 0


def test_a_zero_part_has_no_direction() -> None:
    for name in ANGULAR:
        assert SIMILARITIES[name](torch.zeros(1, 3), torch.ones(2, 3)).eq(0).all()
