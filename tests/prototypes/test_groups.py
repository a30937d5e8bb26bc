from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from graphkit.prototypes import GroupedHead, contributions
from tests.prototypes.compare import IDENTITY, assert_same, normal


def made() -> GroupedHead:
    torch.manual_seed(0)
    head = GroupedHead(IDENTITY, groups=2).double()
    with torch.no_grad():
        head.power.copy_(normal(3, 2, 6))
        head.weight.copy_(normal(3, 2, seed=1))
    return head


def test_a_logit_is_a_sum_of_products() -> None:
    head = made()

    def loop(similarity: Tensor, power: Tensor, weight: Tensor) -> Tensor:
        rows = []
        for s in similarity:
            row = []
            for c in range(3):
                own = [j for j in range(6) if IDENTITY[j, c]]
                logit = s.new_zeros(())
                for k in range(2):
                    total = sum(power[c, k, j].exp() for j in own)
                    value = s.new_ones(())
                    for j in own:
                        value = value * s[j] ** (power[c, k, j].exp() / total)
                    logit = logit + weight[c, k] * value
                row.append(logit)
            rows.append(torch.stack(row))
        return torch.stack(rows)

    def ours(similarity: Tensor, power: Tensor, weight: Tensor) -> Tensor:
        return torch.func.functional_call(head, {"power": power, "weight": weight}, (similarity,))

    assert_same(ours, loop, normal(4, 6).exp(), head.power, head.weight)


def test_contributions_add_up_and_none_is_of_another_class() -> None:
    head, similarity = made(), normal(4, 6, seed=3).exp()
    classes = torch.tensor([0, 1, 2, 0])
    parts, bias = contributions(head, similarity, classes)
    torch.testing.assert_close(parts.sum(dim=1) + bias, head(similarity)[torch.arange(4), classes].detach())
    assert parts[~IDENTITY.t()[classes]].eq(0).all()


def test_entropy_is_that_of_equal_powers_at_most() -> None:
    head = GroupedHead(IDENTITY, groups=1)
    torch.nn.init.zeros_(head.power)
    counts = IDENTITY.sum(dim=0).tolist()
    entropy = head.entropy()
    assert entropy.item() == pytest.approx(sum(math.log(count) for count in counts) / 3, abs=1e-6)
    entropy.backward()
    assert head.power.grad.isfinite().all(), "powers of other classes are 0"


def test_what_cannot_be_grouped_is_refused(unchecked_shapes: None) -> None:
    with pytest.raises(ValueError, match="groups must be at least 1"):
        GroupedHead(IDENTITY, groups=0)
    with pytest.raises(ValueError, match=r"without: \[1\]"):
        GroupedHead(torch.tensor([[True, False]]))
    with pytest.raises(ValueError, match="must be positive"):
        made()(-torch.ones(1, 6, dtype=torch.float64))
