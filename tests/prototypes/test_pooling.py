from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from graphkit.prototypes.pooling import Pooled, log_sum_exp_pool, max_pool, top_k_pool
from tests.prototypes.compare import assert_same, normal, stacked

MASK = torch.tensor([[1, 0, 1, 1], [0, 1, 0, 0], [1, 1, 1, 1]], dtype=torch.bool)


def pooled(name: str, similarity: Tensor, mask: Tensor = MASK) -> Pooled:
    if name == "top-k":
        return top_k_pool(similarity, mask, 2)
    return max_pool(similarity, mask) if name == "max" else log_sum_exp_pool(similarity, mask, 3.0)


def one(name: str, values: list[Tensor]) -> Tensor:
    if name == "log-sum-exp":
        return (sum((3 * value).exp() for value in values) / len(values)).log() / 3
    best = sorted(values, key=lambda value: -value.item())[: 1 if name == "max" else 2]
    return sum(best) / len(best)


@pytest.mark.parametrize("name", ["max", "top-k", "log-sum-exp"])
@pytest.mark.parametrize("shift", [0.0, -50.0], ids=["any sign", "all negative"])
def test_values_and_gradients(name: str, shift: float) -> None:
    def by_loop(similarity: Tensor) -> Tensor:
        rows = []
        for b in range(3):
            exists = [p for p in range(4) if MASK[b, p]]
            rows.append([one(name, [similarity[b, p, j] for p in exists]) for j in range(5)])
        return stacked(rows)

    similarity = normal(3, 4, 5) + shift
    assert_same(lambda s: pooled(name, s).similarity, by_loop, similarity)
    part = pooled(name, similarity).part
    for b in range(3):
        for j in range(5):
            exists = [p for p in range(4) if MASK[b, p]]
            assert int(part[b, j]) == max(exists, key=lambda p: float(similarity[b, p, j]))


@pytest.mark.parametrize("name", ["max", "top-k", "log-sum-exp"])
def test_order_of_parts_and_padding_change_nothing(name: str) -> None:
    similarity, order = normal(3, 4, 5), torch.tensor([2, 0, 3, 1])
    expected = pooled(name, similarity)
    permuted = pooled(name, similarity[:, order], MASK[:, order])
    torch.testing.assert_close(permuted.similarity, expected.similarity, rtol=0, atol=1e-14)
    assert torch.equal(order[permuted.part], expected.part)
    wide = torch.cat([similarity, torch.full((3, 2, 5), 1e6)], dim=1)
    padded = pooled(name, wide, torch.cat([MASK, torch.zeros(3, 2, dtype=torch.bool)], dim=1))
    torch.testing.assert_close(padded.similarity, expected.similarity, rtol=0, atol=1e-14)
    assert torch.equal(padded.part, expected.part)


@pytest.mark.parametrize("name", ["max", "top-k", "log-sum-exp"])
def test_a_single_part_is_its_own_pool(name: str) -> None:
    similarity = normal(3, 1, 5)
    found = pooled(name, similarity, torch.ones(3, 1, dtype=torch.bool))
    torch.testing.assert_close(found.similarity, similarity[:, 0], rtol=0, atol=1e-14)
    assert found.part.eq(0).all()


def test_of_equal_parts_the_first_is_named() -> None:
    assert max_pool(torch.zeros(1, 4, 2), MASK[1:2]).part.tolist() == [[1, 1]]


def test_a_sharp_smooth_maximum_is_the_maximum() -> None:
    similarity = normal(3, 4, 5)
    smooth = log_sum_exp_pool(similarity, MASK, 1e4).similarity
    assert (smooth - max_pool(similarity, MASK).similarity).abs().max() < math.log(4) / 1e4 + 1e-12
