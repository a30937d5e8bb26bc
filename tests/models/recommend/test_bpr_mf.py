from __future__ import annotations

import pytest
import torch

from graphkit.models.recommend.bpr_mf import BPRMF
from tests.models.recommend.pairwise import (
    NUM_ITEMS,
    NUM_USERS,
    PENALTIES,
    assert_same,
    loop_loss,
    some_interactions,
    some_triples,
)


@pytest.mark.parametrize("num_negatives", [1, 3])
@pytest.mark.parametrize("penalty", PENALTIES)
def test_loss_equals_loop_oracle(penalty: str, num_negatives: int) -> None:
    model = BPRMF(NUM_USERS, NUM_ITEMS, hidden_channels=4, init_std=0.7, embedding_penalty=0.2, penalty=penalty).double()
    triples = some_triples(num_negatives)
    expected = loop_loss(model.embedding, model.embedding, triples, 0.2, penalty)
    assert_same(model.loss(*triples), expected, [model.embedding])


def test_scores_are_inner_products() -> None:
    model = BPRMF(NUM_USERS, NUM_ITEMS, hidden_channels=4).double()
    model.fit(some_interactions()[0])
    model.prepare()
    table, users = model.embedding.detach(), torch.tensor([5, 1])
    expected = [[float((table[u] * table[NUM_USERS + i]).sum()) for i in range(NUM_ITEMS)] for u in users.tolist()]
    torch.testing.assert_close(model.scores(users), torch.tensor(expected, dtype=torch.float64))


def test_learns_which_items_a_user_has() -> None:
    torch.manual_seed(0)
    model = BPRMF(NUM_USERS, NUM_ITEMS, hidden_channels=8, embedding_penalty=0.0)
    interactions, dense = some_interactions()
    users, items = dense.nonzero().t()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(60):
        negatives = torch.multinomial((dense[users] == 0).double(), 4)
        optimizer.zero_grad()
        model.loss(users, items, negatives).backward()
        optimizer.step()
    model.fit(interactions)
    model.prepare()
    scores = model.scores(torch.arange(NUM_USERS - 1))
    had = dense[: NUM_USERS - 1] > 0
    assert bool((scores.masked_fill(~had, torch.inf).amin(1) > scores.masked_fill(had, -torch.inf).amax(1)).all())
