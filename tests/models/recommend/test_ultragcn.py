from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from graphkit.models.recommend.ultragcn import UltraGCN
from tests.models.recommend.pairwise import NUM_ITEMS, NUM_USERS, assert_same, some_interactions, some_triples

SETTINGS = {
    "w1": 0.1, "w2": 0.7, "w3": 0.2, "w4": 0.9, "negative_weight": 3.0, "item_weight": 0.4, "num_neighbors": 3, "decay": 0.05,
}  # fmt: skip


def fitted(hidden_channels: int = 4, **settings) -> tuple[UltraGCN, Tensor]:
    interactions, dense = some_interactions()
    model = UltraGCN(NUM_USERS, NUM_ITEMS, hidden_channels=hidden_channels, init_std=0.8, **{**SETTINGS, **settings}).double()
    model.fit(interactions)
    return model, dense


def neighbor_weights(dense: Tensor, item_graph: str) -> list[list[float]]:
    """o_ik for all pairs of items; 0 where there is none."""
    rows = dense.tolist()
    g = [[sum(row[i] * row[k] for row in rows) for k in range(NUM_ITEMS)] for i in range(NUM_ITEMS)]
    total = [sum(row) for row in g]
    out = [[0.0] * NUM_ITEMS for _ in range(NUM_ITEMS)]
    for i in range(NUM_ITEMS):
        for k in range(NUM_ITEMS):
            if g[i][k] and item_graph == "code":
                out[i][k] = g[i][k] * (math.sqrt(total[i] + 1) / total[i]) / math.sqrt(total[k] + 1)
            elif g[i][k] and i != k:
                out[i][k] = g[i][k] / (total[i] - g[i][i]) * math.sqrt(total[i] / total[k])
    return out


def loop_loss(model: UltraGCN, dense: Tensor, triples: tuple[Tensor, ...], settings: dict, item_graph: str) -> Tensor:
    weights = neighbor_weights(dense, item_graph)
    user_degree, item_degree = dense.sum(1).tolist(), dense.sum(0).tolist()
    table = model.embedding
    loss = settings["decay"] * sum(value**2 for value in table.flatten()) / 2

    def cost(u: int, i: int, sign: float) -> Tensor:
        return torch.log(1 + torch.exp(-sign * (table[u] * table[NUM_USERS + i]).sum()))

    def beta(u: int, i: int) -> float:
        return math.sqrt((user_degree[u] + 1) / (item_degree[i] + 1)) / user_degree[u]

    for u, i, others in zip(*(part.tolist() for part in triples), strict=True):
        loss = loss + (settings["w1"] + settings["w2"] * beta(u, i)) * cost(u, i, 1.0)
        for j in others:
            weight = settings["w3"] + settings["w4"] * beta(u, j)
            loss = loss + settings["negative_weight"] * weight * cost(u, j, -1.0) / len(others)
        for k in sorted(range(NUM_ITEMS), key=lambda k: (-weights[i][k], k))[: settings["num_neighbors"]]:
            loss = loss + settings["item_weight"] * weights[i][k] * cost(u, k, 1.0)
    return loss


def trained_triples(num_negatives: int) -> tuple[Tensor, ...]:
    """Without user 6, who has no interaction and never comes in a batch."""
    return tuple(part[:-1] for part in some_triples(num_negatives))


@pytest.mark.parametrize("hidden_channels", [1, 4], ids=["gathered", "all-scores"])
@pytest.mark.parametrize("num_negatives", [1, 3])
@pytest.mark.parametrize("item_graph", ["paper", "code"])
def test_loss_equals_loop_oracle(item_graph: str, num_negatives: int, hidden_channels: int) -> None:
    model, dense = fitted(hidden_channels, item_graph=item_graph)
    triples = trained_triples(num_negatives)
    expected = loop_loss(model, dense, triples, SETTINGS, item_graph)
    assert_same(model.loss(*triples), expected, [model.embedding])


@pytest.mark.parametrize("count", [1, 20])
def test_number_of_neighbors(count: int) -> None:
    model, dense = fitted(num_neighbors=count)
    triples = trained_triples(1)
    expected = loop_loss(model, dense, triples, {**SETTINGS, "num_neighbors": count}, "paper")
    assert_same(model.loss(*triples), expected, [model.embedding])


def test_weights_of_the_interactions_are_not_used() -> None:
    weighted, _ = fitted()
    weighted.fit(some_interactions(weighted=True)[0])
    plain, _ = fitted()
    plain.load_state_dict(weighted.state_dict())
    triples = trained_triples(2)
    torch.testing.assert_close(weighted.loss(*triples), plain.loss(*triples))


def test_scores_are_inner_products() -> None:
    model, _ = fitted()
    model.prepare()
    table = model.embedding.detach()
    torch.testing.assert_close(model.scores(torch.tensor([3, 1])), table[[3, 1]] @ table[NUM_USERS:].t())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_neighbors": 0}, "num_neighbors must be at least 1, got 0"),
        ({"item_graph": "dense"}, "item_graph must be one of paper, code, got 'dense'"),
    ],
)
def test_wrong_settings_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        UltraGCN(3, 4, **settings)


def test_fit_comes_first() -> None:
    with pytest.raises(RuntimeError, match="call fit\\(\\)"):
        UltraGCN(NUM_USERS, NUM_ITEMS).loss(*trained_triples(1))
