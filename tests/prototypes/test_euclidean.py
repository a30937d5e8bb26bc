"""The nearest part of each sample to each prototype, beside distances pair by pair in float64."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from graphkit.prototypes import PartBatch, PrototypeBank, strongest
from graphkit.prototypes.euclidean import nearest_in_samples
from tests.prototypes.compare import IDENTITY, normal

ALL = torch.ones(5, 20, dtype=torch.bool)


def _loop(z: Tensor, mask: Tensor, points: Tensor) -> Tensor:
    """Position of the least |z - p|^2 among the parts that exist, the first of equal ones."""
    rows = []
    for sample, exists in zip(z.double(), mask, strict=True):
        line = []
        for p in points.double():
            distance = {part: float((sample[part] - p).square().sum()) for part in range(len(sample)) if exists[part]}
            line.append(min(distance, key=lambda part: (distance[part], part)))
        rows.append(line)
    return torch.tensor(rows)


def _scaled(z: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    return 1e-3 * z, 1e-3 * points


def _far(z: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Far from the origin, where |z|^2 - 2 <z, p> has lost every digit that tells one part from another."""
    return (z + 1000).float(), (points + 1000).float()


def _projected(z: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Prototypes that are parts."""
    return z, z[torch.arange(6) % 5, torch.arange(6)]


def _repeated(z: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Every part three times: the first wins."""
    return z[:, :7].repeat(1, 3, 1)[:, :20], points


@pytest.mark.parametrize("change", [_scaled, _far, _projected, _repeated])
@pytest.mark.parametrize("masked", [False, True])
def test_nearest_as_in_the_loop(change: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]], masked: bool) -> None:
    z, points = change(normal(5, 20, 4).float(), normal(6, 4, seed=1).float())
    mask = ALL.clone()
    if masked:
        mask[0, :3] = mask[1, 5:] = mask[2, 1::2] = False
    found = nearest_in_samples(z, mask, points)
    # Where all parts may be nearest, all pairs are to be compared.
    assert (found is None) == (change is _far)
    if found is not None:
        assert torch.equal(found, _loop(z, mask, points))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 3e30])
def test_what_is_not_finite_is_left_to_the_table(value: float) -> None:
    z = normal(5, 20, 4).float()
    z[1, 2, 3] = value
    assert nearest_in_samples(z, ALL, normal(6, 4).float()) is None


@pytest.mark.parametrize("offset", [0.0, 1000.0])
@pytest.mark.parametrize("similarity", ["negative-l2", "log-l2", "rbf"])
def test_the_bank_finds_the_same_winners_with_and_without_the_product(
    similarity: str, offset: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    z = normal(5, 20, 4).float() + offset
    bank = PrototypeBank(IDENTITY, 4, similarity=similarity)
    bank.weight.data += offset
    parts = PartBatch(z, ALL, torch.zeros(5, 20, 2, dtype=torch.long))
    by_product = [bank(parts).part, torch.no_grad()(bank)(parts).part]
    monkeypatch.setattr(strongest, "nearest_in_samples", lambda *_: None)
    by_table = torch.no_grad()(bank)(parts)
    assert all(torch.equal(found, by_table.part) for found in by_product)
    torch.testing.assert_close(bank(parts).similarity.detach(), by_table.similarity)


@pytest.mark.parametrize(("similarity", "asked"), [("log-l2", True), ("rbf", True), ("cosine", False), ("projection", False)])
def test_distances_are_looked_for_by_the_product(similarity: str, asked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(strongest, "nearest_in_samples", lambda *given: calls.append(given) or nearest_in_samples(*given))
    parts = PartBatch(normal(5, 20, 4).float(), ALL, torch.zeros(5, 20, 2, dtype=torch.long))
    PrototypeBank(IDENTITY, 4, similarity=similarity)(parts)
    assert bool(calls) == asked
