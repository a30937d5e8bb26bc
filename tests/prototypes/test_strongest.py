"""The maximum over parts by its winners, beside the maximum of the whole table."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from graphkit.prototypes import PartBatch, PrototypeBank, strongest
from graphkit.prototypes.pooling import max_pool
from graphkit.prototypes.similarity import SIMILARITIES, UNIT, paired
from tests.prototypes.compare import IDENTITY, assert_same, normal

CASES = [*((name, False) for name in sorted(SIMILARITIES)), ("log-l2", True), ("negative-l2", True)]
MASK = torch.tensor([[1, 1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1, 1], [0, 0, 1, 0, 0, 0, 0]], dtype=torch.bool)
REF = torch.zeros(3, 7, 2, dtype=torch.long)


@pytest.mark.parametrize(("similarity", "is_gaussian"), CASES)
def test_values_and_gradients_are_those_of_the_whole_table(
    similarity: str, is_gaussian: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strongest, "BLOCK", 50)  # a sample at a time
    bank = PrototypeBank(IDENTITY, 4, similarity=similarity, is_gaussian=is_gaussian).double()

    def ours(z: Tensor, weight: Tensor) -> Tensor:
        bank.weight.data.copy_(weight.detach())
        found = torch.func.functional_call(bank, {"weight": weight}, (PartBatch(z, MASK, REF),))
        with torch.no_grad():
            assert torch.equal(found.part, max_pool(bank.compare(z), MASK).part)
        return found.similarity

    def table(z: Tensor, weight: Tensor) -> Tensor:
        rows = []
        for i in range(3):
            held = [j for j in range(7) if bool(MASK[i, j])]
            scores = [_loop(bank, z[i, j], weight) for j in held]
            rows.append(torch.stack(scores).max(dim=0).values)
        return torch.stack(rows)

    assert_same(ours, table, normal(3, 7, 4), normal(6, 4, seed=1))


def _loop(bank: PrototypeBank, z: Tensor, weight: Tensor) -> Tensor:
    """The similarities of a part to all prototypes, each by itself."""
    values = []
    for j, prototype in enumerate(weight):
        squared = ((z - prototype) ** 2).sum()
        if bank.log_variance is not None:
            squared = squared + bank.log_variance[j].detach().exp().sum()
        direction = (z * prototype).sum() / prototype.norm()
        values.append(
            {
                "cosine": direction / z.norm(),
                "relu-cosine": (direction / z.norm()).clamp(min=0),
                "projection": direction,
                "negative-l2": -squared,
                "log-l2": torch.log((squared + 1) / (squared + 1e-4)),
                "rbf": torch.exp(-(squared**0.5)),
            }[bank.similarity]
        )
    return torch.stack(values)


@pytest.mark.parametrize("name", sorted(SIMILARITIES))
def test_pairs_are_the_diagonal(name: str) -> None:
    z, weight = normal(5, 6, 4), normal(6, 4, seed=2)
    unit = torch.nn.functional.normalize(z, dim=-1) if name in UNIT else z
    torch.testing.assert_close(paired(name, unit, weight), SIMILARITIES[name](z, weight).diagonal(dim1=1, dim2=2))


def test_few_wide_parts_and_many_narrow_ones_give_the_same() -> None:
    z, mask = normal(5, 3, 8), torch.ones(5, 3, dtype=torch.bool)
    bank = PrototypeBank(IDENTITY, 8).double()
    few = PartBatch(z, mask, torch.zeros(5, 3, 2, dtype=torch.long))
    many = PartBatch(z.repeat(1, 3, 1), mask.repeat(1, 3), few.ref.repeat(1, 3, 1))
    torch.testing.assert_close(bank(few).similarity, bank(many).similarity)
    with torch.no_grad():
        assert torch.equal(bank(few).part, bank(many).part)
