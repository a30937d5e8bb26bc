from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from graphkit.models.recommend import lightgcl
from graphkit.models.recommend.lightgcl import LightGCL
from tests.models.recommend.pairwise import (
    NUM_ITEMS,
    NUM_USERS,
    assert_same,
    dense_a_hat,
    loop_loss,
    some_interactions,
    some_triples,
)


def fitted(weighted: bool = False, scale: float = 1.0, **settings) -> tuple[LightGCL, Tensor]:
    interactions, dense = some_interactions(weighted)
    model = LightGCL(NUM_USERS, NUM_ITEMS, hidden_channels=4, **settings).double()
    torch.nn.init.normal_(model.embedding, std=scale)
    model.fit(interactions)
    return model, dense_a_hat(dense)


def rounds(model: LightGCL, a_hat: Tensor) -> list[Tensor]:
    results = [model.embedding]
    for _ in range(model.num_layers):
        results.append(a_hat @ results[-1])
    return results


def dense_low_rank_view(model: LightGCL, a_hat: Tensor) -> Tensor:
    """The embedding and, round by round, what the truncated matrix makes of the round before."""
    left, singular, right = torch.linalg.svd(a_hat[:NUM_USERS, NUM_USERS:])
    rank = min(model.rank, NUM_USERS)
    truncated = torch.zeros_like(a_hat)
    truncated[:NUM_USERS, NUM_USERS:] = left[:, :rank] @ torch.diag(singular[:rank]) @ right[:rank]
    truncated = truncated + truncated.t()
    return model.embedding + sum(truncated @ before for before in rounds(model, a_hat)[:-1])


def loop_contrast(low: Tensor, final: Tensor, nodes: list[int], everyone: range, temperature: float, limit: float) -> Tensor:
    against, agreement = [], []
    for n in nodes:
        against.append(torch.log(sum(torch.exp((low[n] * final[m]).sum() / temperature) for m in everyone)))
        agreement.append(((low[n] * final[n]).sum() / temperature).clamp(-limit, limit))
    return sum(against) / len(nodes) - sum(agreement) / len(nodes)


def oracle(model: LightGCL, a_hat: Tensor, triples: tuple[Tensor, ...], limit: float = 5.0) -> Tensor:
    final, low = sum(rounds(model, a_hat)), dense_low_rank_view(model, a_hat)
    users, items = triples[0].tolist(), torch.cat([triples[1], triples[2].flatten()]).add(NUM_USERS).tolist()
    contrast = loop_contrast(low, final, users, range(NUM_USERS), model.temperature, limit)
    contrast = contrast + loop_contrast(low, final, items, range(NUM_USERS, NUM_USERS + NUM_ITEMS), model.temperature, limit)
    penalty = model.decay * (model.embedding**2).sum()
    return loop_loss(final, final, triples, 0.0) + model.contrast_weight * contrast + penalty


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("num_negatives", [1, 3])
@pytest.mark.parametrize(("num_layers", "rank"), [(1, 2), (2, 5), (3, 20)])
def test_loss_equals_loop_oracle(num_layers: int, rank: int, num_negatives: int, weighted: bool) -> None:
    model, a_hat = fitted(weighted, num_layers=num_layers, rank=rank, contrast_weight=0.7, decay=0.01, temperature=0.8)
    triples = some_triples(num_negatives)
    actual, expected = model.loss(*triples), oracle(model, a_hat, triples)
    # The approximation is found by iteration, to a relative residual of 1e-4 in its squared singular values.
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-6)
    gradients = (torch.autograd.grad(loss, model.embedding)[0] for loss in (actual, expected))
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("limit", [0.1, math.inf])
def test_limit_of_the_agreement(limit: float) -> None:
    model, a_hat = fitted(positive_limit=limit, rank=20)
    triples = some_triples(1)
    torch.testing.assert_close(model.loss(*triples), oracle(model, a_hat, triples, limit), rtol=1e-6, atol=1e-8)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = fitted()
    triples = some_triples(3)
    whole = model.loss(*triples)
    monkeypatch.setattr(lightgcl, "BLOCK", 2)
    assert_same(model.loss(*triples), whole, [model.embedding])


def test_large_logits_do_not_overflow() -> None:
    model, _ = fitted(scale=60.0)
    model.float().fit(some_interactions()[0])
    loss = model.loss(*some_triples(1))
    loss.backward()
    assert bool(loss.isfinite()) and bool(model.embedding.grad.isfinite().all())


def test_scores_equal_dense_oracle() -> None:
    model, a_hat = fitted(num_layers=3)
    model.prepare()
    final, users = sum(rounds(model, a_hat)).detach(), torch.tensor([6, 2])
    torch.testing.assert_close(model.scores(users), final[users] @ final[NUM_USERS:].t())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_layers": 0}, "num_layers must be at least 1, got 0"),
        ({"rank": 0}, "rank must be at least 1, got 0"),
        ({"temperature": 0.0}, "temperature must be positive, got 0.0"),
        ({"positive_limit": -1.0}, "positive_limit must be positive, got -1.0"),
    ],
)
def test_wrong_settings_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LightGCL(3, 4, **settings)


def test_fit_comes_first() -> None:
    with pytest.raises(RuntimeError, match="call fit\\(\\)"):
        LightGCL(NUM_USERS, NUM_ITEMS).loss(*some_triples(1))
