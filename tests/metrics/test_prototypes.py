"""Every metric of prototypes against a plain loop."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from graphkit.metrics import prototypes as metrics


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def coins(*shape: int, seed: int = 0, chance: float = 0.5) -> Tensor:
    return torch.rand(*shape, generator=random(seed)) < chance


def test_accuracy_before_and_after() -> None:
    before, after, labels = torch.eye(4), torch.eye(4)[[0, 1, 3, 3]], torch.arange(4)
    assert metrics.projection_cost(before, after, labels) == (1.0, 0.75)


def test_distinct_prototypes_count_parts_not_samples() -> None:
    source = torch.tensor([[3, 1], [3, 2], [3, 1], [4, 1]])
    assert metrics.distinct_prototypes(source) == len({tuple(row) for row in source.tolist()}) == 3


def test_purity() -> None:
    nearest, identity = coins(5, 4, 3, seed=1), torch.eye(3, dtype=torch.bool)[[0, 0, 1, 2, 2]]
    identity[1, 2] = True  # a prototype of two classes
    found = []
    for j in range(5):
        for rank in range(4):
            found.append(any(bool(nearest[j, rank, c]) and bool(identity[j, c]) for c in range(3)))
    assert metrics.purity(nearest, identity) == pytest.approx(sum(found) / len(found))


def test_active_prototypes_and_sparsity() -> None:
    contributions = torch.randn(20, 7, generator=random()) ** 3
    counts = []
    for row in contributions.tolist():
        size = sum(abs(value) for value in row)
        counts.append(sum(abs(value) > 0.05 * size for value in row))
    assert metrics.active_prototypes(contributions) == pytest.approx(sum(counts) / 20)
    assert metrics.sparsity(contributions) == pytest.approx(1 - sum(counts) / 20 / 7)
    assert metrics.active_prototypes(torch.tensor([[0.0, -1.0, 0.0]])) == 1  # what speaks against a class counts


def consistency_by_loops(winning: Tensor, visible: Tensor, own: Tensor, threshold: float) -> float:
    samples, prototypes, labels = winning.shape
    values = []
    for j in range(prototypes):
        averages = []
        for label in range(labels):
            seen = [i for i in range(samples) if own[i, j] and visible[i, label]]
            if seen:
                averages.append(sum(bool(winning[i, j, label]) for i in seen) / len(seen))
        if averages:
            values.append(max(averages) >= threshold)
    return sum(values) / len(values)


@pytest.mark.parametrize("threshold", [0.5, 0.6, 0.7])
def test_consistency(threshold: float) -> None:
    winning, visible, own = coins(30, 8, 3, seed=1, chance=0.35), coins(30, 3, seed=2), coins(30, 8, seed=3, chance=0.5)
    own[:, 5] = False  # no sample of its class
    expected = consistency_by_loops(winning, visible, own, threshold)
    assert 0 < expected < 1
    assert metrics.consistency(winning, visible, own, threshold) == pytest.approx(expected)


def test_four_of_five_reach_the_threshold() -> None:
    winning = torch.tensor([True, True, True, True, False]).view(5, 1, 1)
    everywhere = torch.ones(5, 1, dtype=torch.bool)
    assert metrics.consistency(winning, everywhere, everywhere, 0.8) == 1
    assert metrics.consistency(winning, everywhere, everywhere, 0.81) == 0
    assert math.isnan(metrics.consistency(winning, everywhere, ~everywhere, 0.8))


def test_stability() -> None:
    winning, own = coins(30, 6, 3, seed=1), coins(30, 6, seed=2)
    perturbed = winning ^ coins(30, 6, 3, seed=3, chance=0.1)
    own[:, 0] = False
    shares = []
    for j in range(6):
        samples = [i for i in range(30) if own[i, j]]
        same = [winning[i, j].tolist() == perturbed[i, j].tolist() for i in samples]
        shares += [sum(same) / len(same)] if samples else []
    assert metrics.stability(winning, perturbed, own) == pytest.approx(sum(shares) / len(shares))
    assert math.isnan(metrics.stability(winning, perturbed, torch.zeros_like(own)))


def test_winning_labels_are_those_of_the_winning_part() -> None:
    annotation, part = coins(4, 5, 3), torch.randint(5, (4, 2), generator=random())
    found = metrics.winning_labels(part, annotation)
    for i, j in itertools.product(range(4), range(2)):
        assert found[i, j].tolist() == annotation[i, int(part[i, j])].tolist()


def test_agreement_of_runs() -> None:
    scores = torch.randn(4, 12, generator=random())
    tops = [set(sorted(range(12), key=lambda e: -row[e])[:5]) for row in scores.tolist()]
    pairs = [len(a & b) / len(a | b) for a, b in itertools.combinations(tops, 2)]
    assert metrics.agreement(scores, 5) == pytest.approx(sum(pairs) / len(pairs))
    assert metrics.agreement(torch.zeros(3, 9), 4) == 1  # equal scores: the first ones, in every run


@pytest.mark.parametrize(("shape", "k"), [((1, 4), 2), ((3, 4), 0), ((3, 4), 5)])
def test_agreement_refuses_what_it_cannot_tell(shape: tuple[int, int], k: int) -> None:
    with pytest.raises(ValueError, match="agreement needs two runs and k from 1 to 4"):
        metrics.agreement(torch.zeros(shape), k)


def test_a_box_hits_where_it_covers_half_of_the_true_one() -> None:
    generator = torch.Generator().manual_seed(0)
    corner = torch.randint(6, (2, 40, 2), generator=generator)
    boxes, truth = torch.cat([corner, corner + torch.randint(1, 7, (2, 40, 2), generator=generator)], dim=2)
    for least in (0.25, 0.5, 1.0):
        hits = 0
        for one, other in zip(boxes.tolist(), truth.tolist(), strict=True):
            cells = [(x, y) for x in range(other[0], other[2]) for y in range(other[1], other[3])]
            covered = sum(one[0] <= x < one[2] and one[1] <= y < one[3] for x, y in cells)
            hits += covered >= least * len(cells)
        assert metrics.box_hits(boxes, truth, least) == hits / 40


def test_points_are_in_boxes_as_a_loop_says() -> None:
    generator = torch.Generator().manual_seed(0)
    corner = torch.randint(8, (5, 2), generator=generator)
    boxes = torch.cat([corner, corner + torch.randint(1, 6, (5, 2), generator=generator)], dim=1)
    points = torch.randint(10, (3, 2, 2), generator=generator).float()
    points[1, 0] = torch.nan
    found = metrics.labels_in_boxes(boxes, points)
    for i in range(3):
        for p, (left, top, right, bottom) in enumerate(boxes.tolist()):
            for label in range(2):
                x, y = points[i, label].tolist()
                assert bool(found[i, p, label]) == (left <= x < right and top <= y < bottom)


def test_noise_comes_back_and_has_a_limit() -> None:
    x = torch.rand(50, 50)
    one, same = (metrics.perturbed(x, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(one, same) and 0.2499 < float((one - x).abs().max()) <= 0.2501
    assert 0.1 < float((one - x).std()) < 0.2
