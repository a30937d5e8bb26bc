"""Fidelity against plain loops, and the seven defects of published code, on a model that listens to known edges."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from graphkit.metrics import fidelity as metrics

# Both directions of 0-1, 1-2 and 2-3, the one-way edge 3 -> 0 in between, the self-loop of 2, and 0-1 listed once more.
EDGES = torch.tensor([[0, 1, 3, 1, 2, 2, 2, 3, 0], [1, 0, 0, 2, 1, 2, 3, 2, 1]])
UNDIRECTED, ONE_WAY, LOOP = (0, 1, 8), 2, 5


def groups() -> Tensor:
    return metrics.edge_groups(EDGES, 4)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def listens_to(weights: dict[int, float], bias: float = 0.0) -> Callable[[Tensor], Tensor]:
    """Class 1 by a logistic function of the edges that are there."""
    weight = torch.zeros(EDGES.size(1), dtype=torch.float64)
    for edge, value in weights.items():
        weight[edge] = value

    def predict(kept: Tensor) -> Tensor:
        chance = torch.sigmoid(kept.double() @ weight + bias)
        return torch.stack([1 - chance, chance], dim=1)

    return predict


def mask(*edges: int) -> Tensor:
    return torch.zeros(EDGES.size(1), dtype=torch.bool).index_fill(0, torch.tensor(edges, dtype=torch.int64), True)


def test_both_directions_and_repetitions_are_one_group() -> None:
    expected: dict[frozenset[int], list[int]] = {}
    for edge, (source, target) in enumerate(EDGES.t().tolist()):
        expected.setdefault(frozenset((source, target)), []).append(edge)
    found = [[edge for edge in range(EDGES.size(1)) if groups()[edge] == group] for group in groups().unique().tolist()]
    assert sorted(found) == sorted(expected.values())
    assert [*UNDIRECTED] in found and [ONE_WAY] in found and [LOOP] in found


@pytest.mark.parametrize("measure", ["probability", "accuracy"])
@pytest.mark.parametrize("label", [None, 0, 1])
def test_without_chance_it_is_the_plain_difference(measure: metrics.Measure, label: int | None) -> None:
    predict = listens_to({0: 1.0, 2: 1.5, 5: -0.5}, bias=-1.0)
    explanations = torch.stack([mask(*UNDIRECTED), mask(ONE_WAY), mask(ONE_WAY, LOOP), mask()])
    found = metrics.fidelity(predict, explanations, groups(), label=label, measure=measure)
    whole = predict(torch.ones(1, 9, dtype=torch.bool))[0]
    target = int(whole.argmax()) if label is None else label

    def value(kept: Tensor) -> float:
        chance = predict(kept.unsqueeze(0))[0]
        return float(chance[target]) if measure == "probability" else float(int(chance.argmax()) == target)

    everything = value(torch.ones(9, dtype=torch.bool))
    for x, explanation in enumerate(explanations):
        assert float(found.plus[x]) == pytest.approx(everything - value(~explanation))
        assert float(found.minus[x]) == pytest.approx(everything - value(explanation))
        assert float(found.delta[x]) == pytest.approx(value(explanation) - value(~explanation))
    assert (found.target, found.explains) == (target, "prediction" if label is None else "label")


def test_robust_fidelity_is_the_mean_over_all_subsets() -> None:
    """The expectation by summing over every subset of groups, each with its probability."""
    predict = listens_to({0: 2.0, 8: 0.5, 2: 1.5, 5: -0.5, 6: 1.0}, bias=-1.0)
    explanation = mask(*UNDIRECTED, ONE_WAY)
    found = metrics.fidelity(
        predict, explanation, groups(), removed=0.3, kept=0.6, samples=40_000, label=1, generator=generator()
    )
    whole = float(predict(torch.ones(1, 9, dtype=torch.bool))[0, 1])
    own = groups()[explanation].unique().tolist()
    rest = groups()[~explanation].unique().tolist()
    expected = {"plus": whole, "minus": whole}
    for name, touched, share in (("plus", own, 0.3), ("minus", rest, 0.6)):
        for drawn in itertools.product([False, True], repeat=len(touched)):
            chance = math.prod(share if one else 1 - share for one in drawn)
            picked = torch.isin(groups(), torch.tensor([g for g, one in zip(touched, drawn, strict=True) if one]))
            kept = ~picked if name == "plus" else explanation | picked
            expected[name] -= chance * float(predict(kept.unsqueeze(0))[0, 1])
    assert float(found.plus) == pytest.approx(expected["plus"], abs=0.003)
    assert float(found.minus) == pytest.approx(expected["minus"], abs=0.003)


# ---------------------------------------------------------------------- the seven defects of the paper's code for PyG


def test_1_the_edge_that_decides_is_kept_by_minus_and_removed_by_plus() -> None:
    found = metrics.fidelity(listens_to({ONE_WAY: 50.0}, bias=-25.0), mask(ONE_WAY), groups(), label=1)
    assert float(found.plus) == pytest.approx(1.0) and float(found.minus) == pytest.approx(0.0, abs=1e-9)
    robust = metrics.fidelity(
        listens_to({ONE_WAY: 50.0}, bias=-25.0),
        mask(ONE_WAY),
        groups(),
        removed=0.1,
        kept=0.9,
        samples=500,
        label=1,
        generator=generator(),
    )
    # A tenth of the explanation is removed, and the explanation itself always stays.
    assert float(robust.plus) == pytest.approx(0.1, abs=0.04) and float(robust.minus.abs()) < 1e-9


def test_2_the_top_edges_are_those_with_the_highest_scores() -> None:
    scores = torch.tensor([0.1, 0.3, 0.9, 0.2, 0.2, 0.8, 0.7, 0.5, 0.2])
    for seed in range(3):
        torch.manual_seed(seed)
        assert torch.equal(metrics.top_edges(scores, groups(), 2), mask(ONE_WAY, LOOP))
    assert torch.equal(metrics.top_edges(scores, groups(), 3), mask(ONE_WAY, LOOP, 6, 7))
    # Equal scores: the first groups, whole ones; what is no candidate is never taken.
    assert torch.equal(metrics.top_edges(torch.zeros(9), groups(), 1), mask(*UNDIRECTED))
    assert int(metrics.top_edges(torch.full((9,), -torch.inf).index_fill(0, torch.tensor([2]), 1.0), groups(), 4).sum()) == 1


def test_3_a_directed_edge_is_removed_by_its_own_id() -> None:
    for edge in (ONE_WAY, LOOP):
        found = metrics.fidelity(listens_to({edge: 50.0}, bias=-25.0), mask(edge), groups(), label=1)
        assert float(found.plus) == pytest.approx(1.0)
    other = metrics.fidelity(listens_to({LOOP: 50.0}, bias=-25.0), mask(ONE_WAY), groups(), label=1)
    assert float(other.plus) == pytest.approx(0.0) and float(other.minus) == pytest.approx(1.0)


def test_4_one_way_edges_and_self_loops_are_drawn_and_directions_go_together() -> None:
    seen: list[Tensor] = []

    def predict(kept: Tensor) -> Tensor:
        seen.append(kept)
        return torch.tensor([[0.5, 0.5]]).expand(len(kept), 2)

    explanation = mask(*UNDIRECTED, ONE_WAY)
    metrics.fidelity(predict, explanation, groups(), removed=0.4, kept=0.4, samples=300, generator=generator())
    plus, minus = seen[1][:300], seen[1][300:]
    for kept in (plus, minus):
        for group in groups().unique().tolist():
            assert bool((kept[:, groups() == group].float().std(dim=1, correction=0) == 0).all())
    share = plus.double().mean(dim=0)
    assert torch.equal(share == 1, ~explanation) and bool(((share - 0.6).abs() < 0.1)[explanation].all())
    share = minus.double().mean(dim=0)
    assert torch.equal(share == 1, explanation) and bool(((share - 0.4).abs() < 0.1)[~explanation].all())


def test_6_draws_come_from_the_given_generator_alone() -> None:
    def asked(seed: int) -> Tensor:
        found = metrics.fidelity(
            listens_to({0: 1.0, 2: 2.0}), mask(ONE_WAY), groups(), removed=0.5, kept=0.5, samples=20, generator=generator(seed)
        )
        return torch.cat([found.plus_samples, found.minus_samples])

    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    first = asked(0)
    np.random.seed(7)
    torch.manual_seed(7)
    assert torch.equal(asked(0), first) and not torch.equal(asked(1), first)
    torch.set_rng_state(before[0])
    np.random.set_state(("MT19937", before[1], 624, 0, 0.0))
    asked(2)
    assert torch.equal(torch.get_rng_state(), before[0]) and (np.random.get_state()[1] == before[1]).all()
    with pytest.raises(ValueError, match="pass a generator"):
        metrics.fidelity(listens_to({}), mask(ONE_WAY), groups(), removed=0.5)


def test_7_logits_and_log_probabilities_are_refused() -> None:
    for wrong in (lambda kept: kept.double() @ torch.randn(9, 2).double(), lambda kept: listens_to({0: 1.0})(kept).log()):
        with pytest.raises(ValueError, match="apply softmax"):
            metrics.fidelity(wrong, mask(ONE_WAY), groups())


# The fifth, indices of a neighborhood used as those of the whole graph, is about adapters: tests/explain/test_masked.py.


def test_random_explanations_are_as_large_and_whole() -> None:
    explanation = mask(*UNDIRECTED, ONE_WAY)
    found = metrics.random_explanations(explanation, groups(), 400, generator=generator())
    for row in found:
        assert groups()[row].unique().numel() == 2
        assert torch.equal(row, torch.isin(groups(), groups()[row]))
    assert bool(((found.double().mean(dim=0) - 2 / 5).abs() < 0.1).all())
    among = mask(2, 5, 6)
    drawn = metrics.random_explanations(explanation, groups(), 50, generator=generator(), among=among)
    allowed = torch.isin(groups(), groups()[among])
    assert bool((drawn.sum(dim=1) > 0).all()) and not bool(drawn[:, ~allowed].any())
    few = metrics.random_explanations(explanation, groups(), 5, generator=generator(), among=mask(LOOP))
    assert torch.equal(few, mask(LOOP).expand(5, -1))


def test_sparsity_counts_groups() -> None:
    assert metrics.explanation_sparsity(mask(*UNDIRECTED, ONE_WAY), groups()) == pytest.approx(1 - 2 / 5)
    assert math.isnan(metrics.explanation_sparsity(mask()[:0], groups()[:0]))


def test_unfaithfulness_measures_from_the_prediction_of_the_whole_graph() -> None:
    before, after = (
        torch.tensor([[0.9, 0.1], [0.5, 0.5], [1.0, 0.0], [0.5, 0.5]]),
        torch.tensor([[0.5, 0.5], [0.5, 0.5], [0.5, 0.5], [1.0, 0.0]]),
    )
    expected = []
    for p, q in zip(before.tolist(), after.tolist(), strict=True):
        divergence = sum(a * math.log(a / b) if b else math.inf for a, b in zip(p, q, strict=True) if a)
        expected.append(1 - math.exp(-divergence))
    assert metrics.unfaithfulness(before, after).tolist() == pytest.approx(expected, abs=1e-6)
    # The two directions differ: a class that is ruled out costs everything, one that was never possible does not.
    assert metrics.unfaithfulness(before[3], after[3]) == 1 and metrics.unfaithfulness(after[3], before[3]) == pytest.approx(
        0.5
    )
    with pytest.raises(ValueError, match="softmax"):
        metrics.unfaithfulness(before.log(), after)


def test_the_interval_covers_the_mean_as_often_as_it_says() -> None:
    random, hits = generator(), 0
    for _ in range(200):
        found = metrics.confidence_interval(torch.rand(40, generator=random), generator=random, level=0.9, draws=400)
        hits += found.low <= 0.5 <= found.high
    assert 0.83 <= hits / 200 <= 0.95
    assert metrics.confidence_interval(torch.tensor([2.0]), generator=random) == (2.0, 2.0, 2.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"explanations": torch.rand(9)}, "bool"),
        ({"explanations": mask(0)}, "both directions"),
        ({"removed": 1.5}, "removed and kept"),
        ({"samples": 0}, "samples"),
        ({"measure": "logit"}, "measure must be"),
        ({"label": 2}, "label must be a class from 0 to 1"),
    ],
)
def test_what_cannot_be_measured_is_refused(change: dict, message: str) -> None:
    arguments = {"explanations": mask(ONE_WAY), "groups": groups(), **change}
    with pytest.raises(ValueError, match=message):
        metrics.fidelity(listens_to({}), **arguments)
