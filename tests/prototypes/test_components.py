from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from graphkit.prototypes import ComponentsHead, PartBatch, PrototypeBank, class_identity
from tests.prototypes.compare import IDENTITY, assert_same, normal, stacked

CLASSES, COMPONENTS, CONCEPTS = 3, 6, 2


def reasoning(weight: Tensor) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
    """R+ and R- by concept and component."""
    rows = [[value.exp() / sum(other.exp() for other in row) for value in row] for row in weight]
    return [row[:COMPONENTS] for row in rows], [row[COMPONENTS:] for row in rows]


def by_concept(similarity: Tensor, weight: Tensor) -> list[list[Tensor]]:
    positive, negative = reasoning(weight)
    return [
        [sum(d[k] * positive[q][k] + (1 - d[k]) * negative[q][k] for k in range(COMPONENTS)) for q in range(CLASSES * CONCEPTS)]
        for d in similarity
    ]


def called(similarity: Tensor, weight: Tensor) -> Tensor:
    head = ComponentsHead(IDENTITY, concepts=CONCEPTS).double()
    return torch.func.functional_call(head, {"weight": weight}, (similarity,))


def detections(count: int, seed: int = 0) -> Tensor:
    return torch.rand(count, COMPONENTS, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def weights(seed: int = 1) -> Tensor:
    return normal(CLASSES * CONCEPTS, 2 * COMPONENTS, seed=seed)


def test_values_and_gradients() -> None:
    def oracle(similarity: Tensor, weight: Tensor) -> Tensor:
        p = by_concept(similarity, weight)
        return stacked([[torch.maximum(row[2 * c], row[2 * c + 1]) for c in range(CLASSES)] for row in p])

    assert_same(called, oracle, detections(4), weights())
    p = called(detections(50), weights())
    assert (p >= 0).all() and (p <= 1).all()


def difference(
    t: float, d: list[float], right: tuple[list[float], list[float]], wrong: tuple[list[float], list[float]]
) -> float:
    """The least p_right - p_wrong when every detection may change by a factor within [1 / t, t], term by term."""
    total = 0.0
    for k, value in enumerate(d):
        total += value / t * right[0][k] - value * t * right[1][k] + right[1][k]
        total -= value * t * wrong[0][k] - value / t * wrong[1][k] + wrong[1][k]
    return total


def margin_by_bisection(d: Tensor, weight: Tensor, label: int) -> float:
    positive, negative = ([[v.item() for v in row] for row in part] for part in reasoning(weight))
    concepts = [(positive[q], negative[q]) for q in range(CLASSES * CONCEPTS)]
    of_right = []
    for right in concepts[label * CONCEPTS : (label + 1) * CONCEPTS]:
        roots = []
        for q, wrong in enumerate(concepts):
            if q // CONCEPTS != label:
                low, high = -40.0, 40.0  # log t; the difference falls with t
                for _ in range(200):
                    middle = (low + high) / 2
                    above = difference(math.exp(middle), d.tolist(), right, wrong) > 0
                    low, high = (middle, high) if above else (low, middle)
                roots.append(low)
        of_right.append(min(roots))
    return max(of_right)


@pytest.mark.parametrize("seed", range(3))
def test_margin_is_the_root_that_bisection_finds(seed: int) -> None:
    head = ComponentsHead(IDENTITY, concepts=CONCEPTS).double()
    d, labels = detections(8, seed), torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
    with torch.no_grad():
        head.weight.copy_(2 * weights(seed + 5))
        found = head.margin(d, labels, scale=0.7)
    expected = [
        0.7 * margin_by_bisection(row, head.weight.detach(), label) for row, label in zip(d, labels.tolist(), strict=True)
    ]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=1e-8, atol=1e-10)


def test_margin_is_positive_where_the_right_class_wins() -> None:
    head = ComponentsHead(IDENTITY, concepts=CONCEPTS).double()
    with torch.no_grad():
        head.weight.copy_(3 * weights())
    d = detections(300)
    right = head(d).argmax(dim=1)
    for label in range(CLASSES):
        labels = torch.full((300,), label)
        assert torch.equal(head.margin(d, labels) > 0, right == label)


def test_nothing_within_the_margin_changes_the_class() -> None:
    torch.manual_seed(0)
    bank = PrototypeBank(IDENTITY, 4, similarity="rbf").double()
    head = ComponentsHead(IDENTITY).double()
    with torch.no_grad():
        bank.log_scale.copy_(torch.linspace(-0.5, 0.5, COMPONENTS))
        z = torch.randn(20, 4, dtype=torch.float64)
        similarity = bank(PartBatch.of_nodes(z)).similarity
        labels = head(similarity).argmax(dim=1)
        margin = head.margin(similarity, labels, scale=bank.log_scale.exp().min().item())
        assert (margin > 0).all()
        for _ in range(200):
            step = torch.nn.functional.normalize(torch.randn_like(z), dim=1) * margin[:, None] * 0.999
            assert torch.equal(head(bank(PartBatch.of_nodes(z + step)).similarity).argmax(dim=1), labels)


def test_gradient_of_the_margin() -> None:
    head = ComponentsHead(IDENTITY, concepts=CONCEPTS).double()
    labels = torch.tensor([0, 1, 2])

    def margin(d: Tensor, weight: Tensor) -> Tensor:
        head.weight = torch.nn.Parameter(head.weight)
        return torch.func.functional_call(_Margin(head), {"head.weight": weight}, (d, labels))

    inputs = [detections(3).requires_grad_(), weights().requires_grad_()]
    assert torch.autograd.gradcheck(margin, inputs)


class _Margin(torch.nn.Module):
    def __init__(self, head: ComponentsHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, d: Tensor, labels: Tensor) -> Tensor:
        return self.head.margin(d, labels)


def test_margin_of_undetected_components_is_finite_and_has_a_gradient() -> None:
    head = ComponentsHead(IDENTITY)
    for d in (torch.zeros(2, COMPONENTS), torch.full((2, COMPONENTS), 1e-30)):
        margin = head.margin(d, torch.tensor([0, 1]))
        assert margin.isfinite().all()
        assert torch.autograd.grad(margin.sum(), head.weight)[0].isfinite().all()


def test_a_single_class_has_no_other_to_win() -> None:
    head = ComponentsHead(class_identity([2]))
    assert head.margin(torch.rand(3, 2), torch.zeros(3, dtype=torch.long)).eq(math.inf).all()


def test_own_components_lead_at_the_start() -> None:
    torch.manual_seed(0)
    identity = class_identity([2, 1, 3])
    detected = identity.t().float()  # sample c shows all components of class c
    assert ComponentsHead(identity, concepts=2)(detected).argmax(dim=1).tolist() == [0, 1, 2]


def test_detections_outside_of_their_range_are_refused() -> None:
    head = ComponentsHead(IDENTITY)
    for bad in (-0.1, 1.1):
        with pytest.raises(ValueError, match=r"detections must lie in \[0, 1\]: use the similarity rbf or relu-cosine"):
            head(torch.full((1, COMPONENTS), bad))
    with pytest.raises(ValueError, match="concepts must be at least 1, got 0"):
        ComponentsHead(IDENTITY, concepts=0)
