"""Pools without padding against the pools of padded parts, with gradients."""

from __future__ import annotations

import pytest
import torch

from graphkit.errors import DataError
from graphkit.prototypes import PartBatch, PrototypeBank
from graphkit.prototypes.pooling import POOLS
from tests.prototypes.compare import IDENTITY, normal

SIZES = torch.tensor([3, 1, 6, 2, 1])
PTR = torch.cat([SIZES.new_zeros(1), SIZES.cumsum(0)])


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("similarity", ["cosine", "log-l2"])
def test_ragged_parts_pool_as_padded_ones(pool: str, similarity: str) -> None:
    bank = PrototypeBank(IDENTITY, 4, similarity=similarity, pool=pool, top_k=2).double()
    z = normal(int(PTR[-1]), 4)
    if pool != "top-k":  # which of equal parts torch.topk takes is not said
        z[4] = z[7]  # equal parts: the first wins
    z.requires_grad_()
    padded = bank(PartBatch.of_ragged(z, PTR, torch.arange(5), torch.arange(z.size(0))))
    ragged = bank.pool_ragged(bank.compare(z), PTR)
    torch.testing.assert_close(ragged.similarity, padded.similarity, rtol=0, atol=1e-12)
    assert torch.equal(ragged.part, padded.part)
    inputs = [z, *bank.parameters()]
    gradients = [torch.autograd.grad(one.similarity.sin().sum(), inputs) for one in (ragged, padded)]
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-12)


def test_the_order_of_parts_inside_a_sample_does_not_matter() -> None:
    z = normal(int(PTR[-1]), 4)
    order = torch.cat([PTR[i] + torch.randperm(int(SIZES[i]), generator=torch.Generator().manual_seed(i)) for i in range(5)])
    for pool in POOLS:
        bank = PrototypeBank(IDENTITY, 4, pool=pool, top_k=2).double()
        found = [bank.pool_ragged(bank.compare(rows), PTR) for rows in (z, z[order])]
        torch.testing.assert_close(found[0].similarity, found[1].similarity, rtol=0, atol=1e-12)
        places = [PTR[:-1, None] + one.part for one in found]
        assert torch.equal(order[places[1]], places[0])


def test_a_nan_stays_one_and_a_sample_without_parts_is_refused() -> None:
    bank = PrototypeBank(IDENTITY, 4)
    similarity = torch.zeros(3, 6)
    similarity[1] = torch.nan
    assert bank.pool_ragged(similarity, torch.tensor([0, 2, 3])).similarity.isnan().tolist() == [[True] * 6, [False] * 6]
    with pytest.raises(DataError, match="sample 1 of the batch has no part"):
        bank.pool_ragged(similarity, torch.tensor([0, 3, 3]))


def test_comparing_while_learning_clears_the_flag() -> None:
    bank = PrototypeBank(IDENTITY, 4)
    for mode, learns in ((bank.eval, True), (bank.train, False)):
        mode()
        bank.projected.fill_(True)
        with torch.set_grad_enabled(learns):
            bank.compare(torch.randn(2, 4))
        assert bank.projected
    bank.compare(torch.randn(2, 4))
    assert not bank.projected
