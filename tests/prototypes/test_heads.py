from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from graphkit.prototypes import ComponentsHead, DistanceHead, LinearHead, OwnClassHead, contributions
from tests.prototypes.compare import IDENTITY, assert_same, normal, stacked

CLASSES, PROTOTYPES = 3, 6
OWN = [[j for j in range(PROTOTYPES) if IDENTITY[j, c]] for c in range(CLASSES)]


def linear(similarity: Tensor, weight: Tensor) -> Tensor:
    return stacked([[sum(s * w for s, w in zip(row, own, strict=True)) for own in weight] for row in similarity])


def own_class(similarity: Tensor, weight: Tensor) -> Tensor:
    rows = []
    for s in similarity:
        row = []
        for c, own in enumerate(OWN):
            total = sum(weight[c, j].exp() for j in own)
            row.append(sum(s[j] * len(own) * weight[c, j].exp() / total for j in own))
        rows.append(row)
    return stacked(rows)


def distances(similarity: Tensor, weight: Tensor) -> Tensor:
    return linear(-similarity, weight)


HEADS = {
    "linear": (lambda: LinearHead(IDENTITY), linear),
    "own class": (lambda: OwnClassHead(IDENTITY), own_class),
    "distances": (lambda: DistanceHead(PROTOTYPES, CLASSES), distances),
}


@pytest.mark.parametrize("name", HEADS)
def test_values_and_gradients(name: str) -> None:
    make, oracle = HEADS[name]

    def ours(similarity: Tensor, weight: Tensor) -> Tensor:
        return torch.func.functional_call(make().double(), {"weight": weight}, (similarity,))

    assert_same(ours, oracle, normal(4, PROTOTYPES), normal(CLASSES, PROTOTYPES, seed=1))


def head_and_input(name: str) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    if name == "components":
        return ComponentsHead(IDENTITY, concepts=3), torch.rand(20, PROTOTYPES)
    head = HEADS[name][0]()
    nn.init.normal_(head.weight)
    return head, 2 * torch.rand(20, PROTOTYPES) - 1


@pytest.mark.parametrize("name", [*HEADS, "components"])
@pytest.mark.parametrize("label", range(CLASSES))
def test_contributions_and_bias_add_up_to_the_logit(name: str, label: int) -> None:
    head, similarity = head_and_input(name)
    classes = torch.full((20,), label)
    parts, bias = contributions(head, similarity, classes)
    assert parts.dtype == torch.float64
    assert (parts.sum(dim=1) + bias - head(similarity)[:, label]).abs().max() < 1e-6
    weight, _ = head.weights(similarity, classes)
    torch.testing.assert_close(parts, similarity.double() * weight.double(), rtol=0, atol=1e-12)
    parts, bias = contributions(head.double(), similarity.double(), classes)
    assert (parts.sum(dim=1) + bias - head(similarity.double())[:, label]).abs().max() < 1e-14


def test_linear_head_starts_at_its_classes() -> None:
    assert LinearHead(IDENTITY).weight.t().tolist() == [[1.0 if own else -0.5 for own in row] for row in IDENTITY.tolist()]
    assert LinearHead(IDENTITY, own=2.0, other=0.0).weight.t().tolist() == (2.0 * IDENTITY).tolist()


def test_own_class_head_starts_as_a_sum_and_hears_no_other_class() -> None:
    head, similarity = OwnClassHead(IDENTITY), normal(4, PROTOTYPES).float()
    expected = torch.stack([similarity[:, own].sum(dim=1) for own in OWN], dim=1)
    torch.testing.assert_close(head(similarity), expected)
    nn.init.normal_(head.weight)
    assert head.matrix().t()[~IDENTITY].eq(0).all()
    assert torch.isfinite(torch.autograd.grad(head(similarity).sum(), head.weight)[0]).all()


def test_own_class_head_refuses_a_class_without_prototypes() -> None:
    with pytest.raises(ValueError, match=r"every class needs a prototype of its own, classes \[1\] have none"):
        OwnClassHead(IDENTITY[[0, 4]])


def test_distance_head_draws_within_its_bound() -> None:
    weight = DistanceHead(400, 5).weight
    assert 0.9 / 20 < weight.abs().max().item() <= 1 / math.sqrt(400)
    with pytest.raises(ValueError, match="there must be prototypes and classes, got 0 and 5"):
        DistanceHead(0, 5)


def test_a_single_class_and_a_single_prototype() -> None:
    one = torch.ones(1, 1, dtype=torch.bool)
    similarity = torch.tensor([[0.25]])
    assert LinearHead(one)(similarity).tolist() == OwnClassHead(one)(similarity).tolist() == [[0.25]]
    assert ComponentsHead(one)(similarity).shape == (1, 1)
