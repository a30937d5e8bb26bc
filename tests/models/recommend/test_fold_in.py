"""Scores of new users from their items alone: every model of the catalog has a rule for them, or says what to do."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from graphkit.conf.catalog import MODELS
from graphkit.models.recommend.base import Recommender
from graphkit.models.recommend.lightgcl import LightGCL
from graphkit.models.recommend.lightgcn import LightGCN
from graphkit.models.recommend.ultragcn import UltraGCN
from graphkit.tasks.build import model_maker
from tests.models.recommend.pairwise import NUM_ITEMS, NUM_USERS, dense_a_hat, some_interactions

BAGS = [[1, 4, 5], [0], [], [8, 2]]  # nobody has taken item 8


def fitted(name: str) -> tuple[Recommender, Tensor]:
    """The named model with its default settings, in double precision, and the dense interactions."""
    settings = MODELS["recommend"][name].settings()
    model = model_maker("recommend", settings)(num_users=NUM_USERS, num_items=NUM_ITEMS).double()
    interactions, dense = some_interactions()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64) / 2)
    model.fit(interactions)
    model.prepare()
    return model, dense


def bags(lists: list[list[int]]) -> list[Tensor]:
    return [torch.tensor(items, dtype=torch.int64) for items in lists]


@pytest.mark.parametrize("name", sorted(set(MODELS["recommend"]) - {"bpr-mf"}))
def test_every_model_scores_new_users(name: str) -> None:
    if name == "ials":
        pytest.importorskip("implicit", reason="model=ials needs the extra `als`")
    model, _ = fitted(name)
    scores = model.fold_in(bags(BAGS))
    assert scores.shape == (len(BAGS), NUM_ITEMS) and not scores.requires_grad and bool(scores.isfinite().all())
    if name != "mostpop":
        assert bool((scores[2] == 0).all()) and not torch.allclose(scores[0], scores[1])
    for row, items in enumerate(BAGS):
        torch.testing.assert_close(model.fold_in(bags([items[::-1]])), scores[row : row + 1], rtol=1e-6, atol=1e-7)


def test_bpr_mf_says_what_to_take_instead() -> None:
    model, _ = fitted("bpr-mf")
    with pytest.raises(NotImplementedError, match=r"bpr-mf .*train again .* or take .*model=lightgcn"):
        model.fold_in(bags(BAGS))


@pytest.mark.parametrize(("kind", "settings"), [(LightGCN, {}), (LightGCN, {"layer_weights": "learned"}), (LightGCL, {})])
def test_propagated_models_equal_a_known_user_without_an_embedding_of_its_own(kind: type, settings: dict) -> None:
    model = kind(NUM_USERS, NUM_ITEMS, hidden_channels=4, **settings).double()
    torch.nn.init.normal_(model.embedding)
    if kind is LightGCN and model.propagation.alpha is not None:
        torch.nn.init.normal_(model.propagation.alpha)
    interactions, dense = some_interactions()
    model.fit(interactions)
    users = torch.tensor([0, 2, 5, 6])
    with torch.no_grad():
        model.embedding[users] = 0.0
    model.prepare()
    folded = model.fold_in([dense[user].nonzero().flatten().flip(0) for user in users])
    torch.testing.assert_close(folded, model.scores(users))


def test_lightgcl_equals_dense_oracle() -> None:
    """Items send the sum of their rounds but the last, divided by the roots of both numbers of interactions."""
    model, dense = fitted("lightgcl")
    a_hat, degree = dense_a_hat(dense), dense.sum(0)
    rounds = [model.embedding.detach()]
    for _ in range(model.num_layers):
        rounds.append(a_hat @ rounds[-1])
    of_items = sum(rounds)[NUM_USERS:]
    folded = model.fold_in(bags(BAGS))
    for row, items in enumerate(BAGS):
        user = torch.zeros(of_items.size(1), dtype=torch.float64)
        for i in items:
            if degree[i] > 0:
                user = user + sum(rounds[:-1])[NUM_USERS + i] / (len(items) * degree[i]) ** 0.5
        torch.testing.assert_close(folded[row], of_items @ user)


def test_ultragcn_is_where_infinitely_many_rounds_lead() -> None:
    """A node that keeps averaging itself and its fixed neighbors, normalized with self-loops, converges to the rule's sum."""
    model = UltraGCN(NUM_USERS, NUM_ITEMS, hidden_channels=4).double()
    torch.nn.init.normal_(model.embedding)
    interactions, dense = some_interactions()
    model.fit(interactions)
    model.prepare()
    of_items = model.embedding[NUM_USERS:].detach()
    for items, folded in zip(BAGS, model.embed_users(bags(BAGS)), strict=True):
        user = torch.zeros(4, dtype=torch.float64)
        for _ in range(200):
            sent = [of_items[i] / ((len(items) + 1) * (float(dense[:, i].sum()) + 1)) ** 0.5 for i in items]
            user = user / (len(items) + 1) + sum(sent)
        torch.testing.assert_close(folded, user)
