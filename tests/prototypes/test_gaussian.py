from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from graphkit.prototypes import PartBatch, PrototypeBank, gaussian
from tests.prototypes.compare import IDENTITY, assert_same, normal, squared, stacked


def test_expected_distance_is_exact() -> None:
    def by_loop(z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
        return stacked(
            [[squared(part, m) + sum(v.exp() for v in lv) for m, lv in zip(mean, log_variance, strict=True)] for part in z]
        )

    assert_same(gaussian.expected_squared_distance, by_loop, normal(3, 4), normal(5, 4, seed=1), normal(5, 4, seed=2))


def test_expected_distance_is_the_mean_over_samples() -> None:
    z, mean, log_variance = normal(3, 4), normal(5, 4, seed=1), normal(5, 4, seed=2) - 1
    drawn = gaussian.draw(mean, log_variance, 40_000, torch.Generator().manual_seed(0))
    sampled = (z[None, :, None] - drawn[:, None]).square().sum(dim=3)
    error = sampled.std(dim=0) / math.sqrt(40_000)
    assert ((sampled.mean(dim=0) - gaussian.expected_squared_distance(z, mean, log_variance)).abs() < 5 * error).all()


def test_samples_come_from_their_generator_and_carry_gradients() -> None:
    def by_loop(mean: Tensor, log_variance: Tensor) -> Tensor:
        noise = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
        return torch.stack([mean + log_variance.exp().sqrt() * one for one in noise])

    state = torch.get_rng_state()
    assert_same(
        lambda m, v: gaussian.draw(m, v, 2, torch.Generator().manual_seed(3)), by_loop, normal(5, 4), normal(5, 4, seed=1)
    )
    assert torch.equal(torch.get_rng_state(), state)


def test_divergence_from_the_prior() -> None:
    def by_library(mean: Tensor, log_variance: Tensor) -> Tensor:
        given = torch.distributions.Normal(mean, log_variance.exp().sqrt())
        return torch.distributions.kl_divergence(given, torch.distributions.Normal(0.0, 1.0)).sum()

    assert_same(gaussian.kl_to_standard_normal, by_library, normal(5, 4), normal(5, 4, seed=1))
    assert gaussian.kl_to_standard_normal(torch.zeros(2, 3), torch.zeros(2, 3)).item() == 0


def entropy(row: list[float]) -> float:
    return -sum(p * math.log(p) for p in row if p > 0)


def test_uncertainty_splits_exactly() -> None:
    probabilities = normal(7, 4, 3).softmax(dim=2)
    probabilities[:, 0] = torch.tensor([1.0, 0.0, 0.0])  # certain, whatever the prototypes
    found = gaussian.split_uncertainty(probabilities)
    for i in range(4):
        rows = probabilities[:, i].tolist()
        mean = [sum(column) / 7 for column in zip(*rows, strict=True)]
        total, aleatoric = entropy(mean), sum(map(entropy, rows)) / 7
        assert [part[i].item() for part in found] == pytest.approx([total, aleatoric, total - aleatoric], abs=1e-12)
    assert found.total[0].item() == found.epistemic[0].item() == 0


@pytest.mark.parametrize("similarity", ["negative-l2", "log-l2"])
def test_bank_compares_by_the_expected_distance(similarity: str) -> None:
    bank = PrototypeBank(IDENTITY, 4, similarity=similarity, is_gaussian=True).double()
    torch.nn.init.normal_(bank.log_variance)
    z = normal(3, 4)
    distance = gaussian.expected_squared_distance(z, bank.weight, bank.log_variance)
    expected = -distance if similarity == "negative-l2" else ((distance + 1) / (distance + 1e-4)).log()
    torch.testing.assert_close(bank.compare(z), expected)


@pytest.mark.parametrize("similarity", ["negative-l2", "log-l2"])
def test_bank_samples_sets_of_prototypes(similarity: str) -> None:
    bank = PrototypeBank(IDENTITY, 4, similarity=similarity, is_gaussian=True).double()
    torch.nn.init.normal_(bank.log_variance)
    parts = PartBatch.of_ragged(normal(6, 4), torch.tensor([0, 4, 6]), torch.arange(2), torch.arange(6))
    found = bank.sampled(parts, 3, torch.Generator().manual_seed(5))
    drawn = gaussian.draw(bank.weight, bank.log_variance, 3, torch.Generator().manual_seed(5))
    point = PrototypeBank(IDENTITY, 4, similarity=similarity).double()
    for s in range(3):
        with torch.no_grad():
            point.weight.copy_(drawn[s])
        torch.testing.assert_close(found[s], point(parts).similarity, rtol=0, atol=1e-12)


def test_point_prototypes_cannot_be_sampled() -> None:
    bank = PrototypeBank(IDENTITY, 4)
    with pytest.raises(ValueError, match="nothing to sample: build the bank with is_gaussian=True"):
        bank.sampled(PartBatch.of_nodes(torch.randn(2, 4)), 3, torch.Generator())
    with pytest.raises(ValueError, match="Gaussian prototypes need one of negative-l2, log-l2, got 'cosine'"):
        PrototypeBank(IDENTITY, 4, is_gaussian=True)
