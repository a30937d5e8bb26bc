from __future__ import annotations

import pytest
import torch
from torch import Tensor

from graphkit.models.recommend.base import item_bags
from graphkit.models.recommend.lightgcn import LightGCN
from tests.models.recommend.pairwise import (
    NUM_ITEMS,
    NUM_USERS,
    PENALTIES,
    assert_same,
    dense_a_hat,
    loop_loss,
    some_interactions,
    some_triples,
)

ALL_USERS = torch.arange(NUM_USERS)


def fitted(weighted: bool = False, **settings) -> tuple[LightGCN, Tensor]:
    """A model in double precision and its dense A_hat."""
    interactions, dense = some_interactions(weighted)
    model = LightGCN(NUM_USERS, NUM_ITEMS, hidden_channels=5, init_std=0.8, **settings).double()
    model.fit(interactions)
    if model.propagation.alpha is not None:
        torch.nn.init.normal_(model.propagation.alpha)
    return model, dense_a_hat(dense)


def alpha_of(model: LightGCN) -> Tensor:
    layers = model.propagation.num_layers
    given = model.propagation.alpha
    return torch.full((layers + 1,), 1 / (layers + 1), dtype=torch.float64) if given is None else given


def dense_final(model: LightGCN, a_hat: Tensor) -> Tensor:
    power, final = model.embedding, alpha_of(model)[0] * model.embedding
    for coefficient in alpha_of(model)[1:]:
        power = a_hat @ power
        final = final + coefficient * power
    return final


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("num_negatives", [1, 3])
@pytest.mark.parametrize("layers", ["mean", "learned"])
@pytest.mark.parametrize("penalty", PENALTIES)
def test_loss_equals_loop_oracle(penalty: str, layers: str, num_negatives: int, weighted: bool) -> None:
    model, a_hat = fitted(weighted, layer_weights=layers, embedding_penalty=0.3, penalty=penalty)
    triples = some_triples(num_negatives)
    expected = loop_loss(dense_final(model, a_hat), model.embedding, triples, 0.3, penalty)
    assert_same(model.loss(*triples), expected, list(model.parameters()))


def test_no_penalty() -> None:
    model, a_hat = fitted(embedding_penalty=0.0)
    triples = some_triples(1)
    assert_same(model.loss(*triples), loop_loss(dense_final(model, a_hat), model.embedding, triples, 0.0), [model.embedding])


@pytest.mark.parametrize("num_layers", [1, 2, 4])
def test_scores_equal_dense_oracle(num_layers: int) -> None:
    model, a_hat = fitted(num_layers=num_layers)
    model.prepare()
    final = dense_final(model, a_hat)
    users, items = model.embeddings()
    torch.testing.assert_close(torch.cat([users, items]), final.detach())
    some = torch.tensor([4, 0, 6])
    actual = model.scores(some)
    torch.testing.assert_close(actual, (final[some] @ final[NUM_USERS:].t()).detach())
    assert not actual.requires_grad


def test_prepare_again_after_training() -> None:
    model, _ = fitted()
    model.prepare()
    items = [torch.tensor([0, 3])]
    before, folded = model.scores(ALL_USERS), model.fold_in(items)
    with torch.no_grad():
        model.embedding.mul_(2.0)
    torch.testing.assert_close(model.scores(ALL_USERS), before)
    model.prepare()
    torch.testing.assert_close(model.scores(ALL_USERS), 4 * before)
    torch.testing.assert_close(model.fold_in(items), 4 * folded)


@pytest.mark.parametrize("layers", ["mean", "learned"])
def test_fold_in_equals_dense_oracle(layers: str) -> None:
    """A user added to the graph, whose embedding is zero and who changes neither items' degrees nor their embeddings."""
    model, a_hat = fitted(layer_weights=layers)
    model.prepare()
    _, dense = some_interactions()
    bags = [[1, 4, 5], [0], [], [8], [8, 2]]
    alpha, degree, item_final = alpha_of(model).detach(), dense.sum(0), model.embeddings()[1]
    expected = torch.zeros(len(bags), NUM_ITEMS, dtype=torch.float64)
    for row, items in enumerate(bags):
        user, power = torch.zeros(5, dtype=torch.float64), model.embedding.detach()
        for k in range(1, len(alpha)):
            for i in items:
                if degree[i] > 0:
                    user = user + alpha[k] * power[NUM_USERS + i] / (len(items) * degree[i]) ** 0.5
            power = a_hat @ power
        expected[row] = torch.stack([(user * item).sum() for item in item_final])
    actual = model.fold_in([torch.tensor(items, dtype=torch.long) for items in bags])
    torch.testing.assert_close(actual, expected)
    assert bool((actual[2:4] == 0).all())
    assert model.fold_in([]).shape == (0, NUM_ITEMS)


def test_fold_in_of_a_known_user_is_all_but_its_own_embedding() -> None:
    model, _ = fitted()
    model.prepare()
    _, dense = some_interactions()
    own = 0.25 * model.embedding[:NUM_USERS].detach()
    folded = model.embed_users([row.nonzero().flatten() for row in dense])
    torch.testing.assert_close(folded, model.embeddings()[0] - own)


def test_a_repeated_item_of_a_new_user_counts_once() -> None:
    model, _ = fitted()
    model.prepare()
    torch.testing.assert_close(*(model.fold_in([torch.tensor(items)]) for items in ([1, 4], [4, 1, 4, 4])))


@pytest.mark.parametrize("item", [-1, NUM_ITEMS])
def test_unknown_items_are_refused(item: int) -> None:
    with pytest.raises(ValueError, match=r"items must be ids in \[0, 9\)"):
        item_bags([torch.tensor([0, item])], NUM_ITEMS, torch.device("cpu"))


def test_initialization() -> None:
    torch.manual_seed(0)
    normal = LightGCN(300, 200, init_std=0.2).embedding.detach()
    assert abs(float(normal.std()) - 0.2) < 0.004
    assert abs(float(LightGCN(300, 200).embedding.detach().std()) - 0.1) < 0.002
    xavier = LightGCN(3000, 200, init="xavier").embedding.detach().abs()
    for part, rows in ((xavier[:3000], 3000), (xavier[3000:], 200)):
        bound = (6 / (rows + 64)) ** 0.5
        assert 0.95 * bound < float(part.max()) <= bound


def test_float32_training_step_follows_the_double_one() -> None:
    torch.manual_seed(1)
    model, _ = fitted()
    single = LightGCN(NUM_USERS, NUM_ITEMS, hidden_channels=5)
    single.fit(some_interactions()[0])
    single.load_state_dict(model.state_dict())
    triples = some_triples(2)
    for one in (model, single):
        one.loss(*triples).backward()
    torch.testing.assert_close(single.embedding.grad.double(), model.embedding.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_layers": 0}, "num_layers must be at least 1, got 0"),
        ({"penalty": "l2"}, "penalty must be one of half-squared, unique-squared, norm, got 'l2'"),
        ({"init": "zeros"}, "init must be one of normal, xavier, got 'zeros'"),
        ({"layer_weights": "sum"}, "weights must be 'mean', 'learned' or 4 numbers, got 'sum'"),
    ],
)
def test_wrong_settings_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LightGCN(3, 4, **settings)


def test_order_of_calls() -> None:
    model = LightGCN(NUM_USERS, NUM_ITEMS)
    with pytest.raises(RuntimeError, match="call fit\\(\\)"):
        model.loss(*some_triples(1))
    with pytest.raises(ValueError, match="users x items 7 x 9, got 9 x 7"):
        model.fit(some_interactions()[0].t())
    model.fit(some_interactions()[0])
    with pytest.raises(RuntimeError, match="call prepare\\(\\)"):
        model.scores(ALL_USERS)
    with pytest.raises(ValueError, match="num_users must be at least 1, got 0"):
        LightGCN(0, 2)
