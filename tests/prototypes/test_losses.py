from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from graphkit.prototypes import class_identity, losses
from graphkit.prototypes.labels import multi_hot, shares_class
from tests.prototypes.compare import IDENTITY, angle_cosine, assert_same, normal

PROTOTYPES, CLASSES = IDENTITY.shape
ONE = torch.tensor([0, 1, 2, 2])
SEVERAL = torch.tensor([[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]], dtype=torch.bool)
LABELS = {"one class": ONE, "several classes": SEVERAL}
ZERO = torch.zeros((), dtype=torch.float64)


def classes_of(labels: Tensor, sample: int) -> set[int]:
    if labels.dim() == 1:
        return {int(labels[sample])}
    return {c for c in range(CLASSES) if labels[sample, c]}


def own(j: int) -> set[int]:
    return {c for c in range(CLASSES) if IDENTITY[j, c]}


def largest(values: list[Tensor]) -> Tensor:
    return max(values, key=lambda value: value.item())


def mean(values: list[Tensor]) -> Tensor:
    return sum(values) / len(values) if values else ZERO


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS.keys())
def test_cluster_and_separation(labels: Tensor) -> None:
    def by_loop(similarity: Tensor, same: bool) -> Tensor:
        best = []
        for i, row in enumerate(similarity):
            chosen = [row[j] for j in range(PROTOTYPES) if bool(own(j) & classes_of(labels, i)) == same]
            best += [largest(chosen)] if chosen else []
        return mean(best)

    similarity = normal(4, PROTOTYPES) - 10  # all negative: a maximum of masked products would be zero
    assert_same(lambda s: losses.cluster(s, labels, IDENTITY), lambda s: -by_loop(s, True), similarity)
    assert_same(lambda s: losses.separation(s, labels, IDENTITY), lambda s: by_loop(s, False), similarity)


def test_a_term_without_a_sample_is_zero_and_a_nan_is_told() -> None:
    similarity = normal(2, 3).requires_grad_()
    alone = class_identity([3])
    value = losses.separation(similarity, torch.zeros(2, dtype=torch.long), alone)
    assert value.item() == 0 and torch.autograd.grad(value, similarity)[0].eq(0).all()
    nothing = torch.full((2,), -1)
    assert losses.cluster(similarity, nothing, alone).item() == 0
    assert losses.cluster(similarity * math.nan, torch.zeros(2, dtype=torch.long), alone).isnan()


def test_terms_on_distances() -> None:
    distance = normal(4, 5).square()
    assert_same(losses.nearest_sample, lambda d: mean([-largest([-v for v in column]) for column in d.t()]), distance)
    assert_same(losses.nearest_prototype, lambda d: mean([-largest([-v for v in row]) for row in d]), distance)


def test_reconstruction() -> None:
    def by_loop(a: Tensor, b: Tensor) -> Tensor:
        return mean(
            [sum((x - y) ** 2 for x, y in zip(p.flatten(), q.flatten(), strict=True)) for p, q in zip(a, b, strict=True)]
        )

    assert_same(losses.reconstruction, by_loop, normal(3, 2, 4), normal(3, 2, 4, seed=1))


def test_orthogonality_knows_classes_by_the_table() -> None:
    def by_loop(weight: Tensor) -> Tensor:
        total = ZERO
        for c in range(CLASSES):
            members = [j for j in range(PROTOTYPES) if IDENTITY[j, c]]
            for a, b in itertools.product(members, members):
                total = total + (angle_cosine(weight[a], weight[b]) - int(a == b)).abs()
        return total

    weight = normal(PROTOTYPES, 4)
    assert_same(lambda w: losses.orthogonality(w, IDENTITY), by_loop, weight)
    order = torch.tensor([5, 0, 3, 1, 4, 2])
    torch.testing.assert_close(
        losses.orthogonality(weight[order], IDENTITY[order]), losses.orthogonality(weight, IDENTITY), rtol=1e-12, atol=0
    )


def test_decorrelation() -> None:
    def by_loop(weight: Tensor) -> Tensor:
        pairs = itertools.product(range(PROTOTYPES), range(PROTOTYPES))
        return sum((angle_cosine(weight[a], weight[b]) - int(a == b)) ** 2 for a, b in pairs) / PROTOTYPES**2

    assert_same(losses.decorrelation, by_loop, normal(PROTOTYPES, 4))


def test_closeness_and_discrimination() -> None:
    def by_loop(weight: Tensor, sign: int) -> Tensor:
        extremes = []
        for c, other in itertools.permutations(range(CLASSES), 2):
            pairs = itertools.product(range(PROTOTYPES), range(PROTOTYPES))
            values = [sign * angle_cosine(weight[a], weight[b]) for a, b in pairs if a != b and c in own(a) and other in own(b)]
            extremes += [largest(values)] if values else []
        return mean(extremes)

    weight = normal(PROTOTYPES, 4)
    assert_same(lambda w: losses.closeness(w, IDENTITY), lambda w: by_loop(w, -1), weight)
    assert_same(lambda w: losses.discrimination(w, IDENTITY), lambda w: by_loop(w, 1), weight)


def test_descent_does_what_the_terms_promise() -> None:
    weight = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64, requires_grad=True)
    identity = class_identity([1, 1])
    nearer = weight - 0.1 * torch.autograd.grad(losses.closeness(weight, identity), weight)[0]
    apart = weight - 0.1 * torch.autograd.grad(losses.discrimination(weight, identity), weight)[0]
    assert angle_cosine(*nearer) > 0 > angle_cosine(*apart)


def test_class_terms_of_a_single_class_or_prototype_are_zero() -> None:
    weight = normal(2, 3).requires_grad_()
    for term in (losses.closeness, losses.discrimination):
        assert term(weight, class_identity([2])).item() == 0
        shared = term(weight[:1], torch.ones(1, 2, dtype=torch.bool))  # a prototype of both classes is not compared with itself
        assert shared.item() == 0 and torch.autograd.grad(shared, weight)[0].eq(0).all()
    assert losses.diversity(weight, class_identity([1, 1])).item() == 0


def test_diversity() -> None:
    def by_loop(weight: Tensor) -> Tensor:
        pairs = itertools.permutations(range(PROTOTYPES), 2)
        return sum((angle_cosine(weight[a], weight[b]) - 0.1).clamp(min=0) for a, b in pairs if own(a) & own(b))

    weight = normal(PROTOTYPES, 2)
    assert losses.diversity(weight, IDENTITY, 0.1) > 0
    assert_same(lambda w: losses.diversity(w, IDENTITY, 0.1), by_loop, weight)


def test_activation_diversity() -> None:
    mask = torch.tensor([[1, 1, 0, 1], [1, 0, 0, 0], [1, 1, 1, 1]], dtype=torch.bool)

    def by_loop(similarity: Tensor) -> Tensor:
        values = []
        for i, sample in enumerate(similarity):
            exists = [p for p in range(4) if mask[i, p]]
            shares = []
            for j in range(PROTOTYPES):
                total = sum(sample[p, j].exp() for p in exists)
                shares.append([sample[p, j].exp() / total for p in exists])
            for a, b in itertools.permutations(range(PROTOTYPES), 2):
                if own(a) & own(b):
                    divergence = sum((x - y) * (x.log() - y.log()) for x, y in zip(shares[a], shares[b], strict=True))
                    values.append((-divergence).exp())
        return mean(values)

    similarity = normal(3, 4, PROTOTYPES)
    assert_same(lambda s: losses.activation_diversity(s, mask, IDENTITY), by_loop, similarity)
    alike = torch.ones(3, 4, PROTOTYPES, dtype=torch.float64)
    assert losses.activation_diversity(alike, mask, IDENTITY).item() == pytest.approx(1)
    assert losses.activation_diversity(alike, mask, torch.eye(PROTOTYPES, dtype=torch.bool)).item() == 0


def jaccard_by_loop(labels: Tensor) -> list[list[float]]:
    table = []
    for a in range(CLASSES):
        has_a = {i for i in range(len(labels)) if labels[i, a]}
        row = []
        for b in range(CLASSES):
            has_b = {i for i in range(len(labels)) if labels[i, b]}
            row.append(len(has_a & has_b) / len(has_a | has_b) if has_a | has_b else 0.0)
        table.append(row)
    return table


def test_co_occurrence() -> None:
    labels = torch.rand(20, CLASSES, generator=torch.Generator().manual_seed(0)) < 0.4
    torch.testing.assert_close(losses.co_occurrence(labels), torch.tensor(jaccard_by_loop(labels)))
    labels[:, 1] = False
    assert losses.co_occurrence(labels)[1].tolist() == [0.0] * CLASSES


def test_co_occurrence_contrast() -> None:
    jaccard = torch.tensor([[1.0, 0.6, 0.1], [0.6, 1.0, 0.0], [0.1, 0.0, 1.0]])

    def by_loop(weight: Tensor) -> Tensor:
        pull, push = {}, {}
        for a, b in itertools.permutations(range(PROTOTYPES), 2):
            pairs = [jaccard[c, d].item() for c in own(a) for d in own(b)]
            pull[a, b] = sum(pairs) / len(pairs)
            push[a, b] = 1 - pull[a, b]
        total = ZERO
        for a, b in pull:
            balance = push[a, b] / sum(push.values()) - pull[a, b] / sum(pull.values())
            total = total + angle_cosine(weight[a], weight[b]) * balance
        return total / math.sqrt(PROTOTYPES)

    assert_same(lambda w: losses.co_occurrence_contrast(w, IDENTITY, jaccard.double()), by_loop, normal(PROTOTYPES, 4))
    assert losses.co_occurrence_contrast(normal(1, 4), IDENTITY[:1], jaccard.double()).item() == 0


def test_off_class_l1() -> None:
    def by_loop(weight: Tensor) -> Tensor:
        return sum(weight[c, j].abs() for c in range(CLASSES) for j in range(PROTOTYPES) if c not in own(j))

    assert_same(lambda w: losses.off_class_l1(w, IDENTITY), by_loop, normal(CLASSES, PROTOTYPES))


def test_margins() -> None:
    def by_loop(scores: Tensor) -> Tensor:
        values = []
        for row, label in zip(scores, ONE.tolist(), strict=True):
            wrong = largest([row[c] for c in range(CLASSES) if c != label])
            values.append((wrong - row[label] + 0.3).clamp(min=0))
        return mean(values)

    assert_same(lambda s: losses.margin(s, ONE, 0.3), by_loop, normal(4, CLASSES))
    assert losses.margin(normal(3, 1), torch.zeros(3, dtype=torch.long), 0.3).item() == 0
    assert_same(lambda m: losses.robust_margin(m, 0.5), lambda m: mean([(0.5 - v).clamp(min=0) for v in m]), normal(6))


def test_labels_become_tables() -> None:
    assert multi_hot(torch.tensor([2, -1, 0]), 3).tolist() == [[False, False, True], [False] * 3, [True, False, False]]
    assert torch.equal(multi_hot(SEVERAL, CLASSES), SEVERAL)
    found = shares_class(SEVERAL, IDENTITY)
    expected = [[bool(own(j) & classes_of(SEVERAL, i)) for j in range(PROTOTYPES)] for i in range(4)]
    assert found.tolist() == expected
    assert class_identity([2, 0, 1]).tolist() == [[True, False, False], [True, False, False], [False, False, True]]


def test_alignment_compares_winners_with_all_parts_of_their_sample() -> None:
    shallow, deep = normal(2, 5, 3, seed=4), normal(2, 5, 4, seed=5)
    part = torch.tensor([[0, 4, 2], [1, 1, 3]])
    own = torch.tensor([[1, 0, 1], [0, 1, 0]], dtype=torch.bool)

    def loop(deep: Tensor) -> Tensor:
        terms = []
        for i in range(2):
            for j in range(3):
                if own[i, j]:
                    p = int(part[i, j])
                    for q in range(5):
                        gap = angle_cosine(deep[i, p], deep[i, q]) - angle_cosine(shallow[i, p], shallow[i, q])
                        terms.append((gap.abs() - 0.1).clamp(min=0))
        return torch.stack(terms).mean()

    assert_same(lambda deep: losses.alignment(shallow, deep, part, own), loop, deep)
    assert losses.alignment(shallow, deep, part, torch.zeros_like(own)).item() == 0.0
