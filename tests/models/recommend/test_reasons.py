"""Which of a user's items make a score: every model's contributions against plain loops, and what happens without an item."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from graphkit.conf.catalog import MODELS
from graphkit.models.recommend.base import Recommender
from graphkit.sparse import CSR
from graphkit.tasks.build import model_maker
from tests.models.recommend.pairwise import NUM_ITEMS, NUM_USERS, dense_a_hat, some_interactions

USERS = torch.tensor([0, 2, 2, 6, 5, 0, 0])  # twice the same, and one without items
ITEMS = torch.tensor([3, 3, 1, 0, 8, 3, 0])  # item 8 has no users
SETTINGS: dict[str, dict[str, Any]] = {
    "ease": {"regularization": 0.7},
    "gf-cf": {"alpha": 0.4, "rank": 3},
    "itemknn": {"num_neighbors": 3, "shrinkage": 0.3},
    "userknn": {"num_neighbors": 2, "shrinkage": 0.3},
    "ials": {"factors": 4, "confidence": 3.0, "regularization": 0.1},
}
LINEAR = ("ease", "gf-cf", "gte", "itemknn")
EXACT = (*LINEAR, "ials", "lightgcl", "lightgcn", "mostpop", "userknn")


def fitted(name: str, dtype: torch.dtype = torch.float64, weighted: bool = False) -> tuple[Any, np.ndarray]:
    """The named model, and the dense interactions that it was fitted to."""
    if name == "ials":
        pytest.importorskip("implicit", reason="model=ials needs the extra `als`")
    settings = MODELS["recommend"][name].settings(**SETTINGS.get(name, {}))
    model = model_maker("recommend", settings)(num_users=NUM_USERS, num_items=NUM_ITEMS).to(dtype)
    interactions, dense = some_interactions(weighted)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64) / 2)
    value = interactions.weights(torch.float64).to(dtype)
    model.fit(interactions.with_value(value))
    model.prepare()
    return model, dense.numpy()


def ease(model: Any, r: np.ndarray) -> Callable[[int, int, int], float]:
    p = np.linalg.inv(r.T @ r + model.regularization * np.eye(NUM_ITEMS))
    return lambda u, j, i: 0.0 if i == j else r[u, j] * -p[j, i] / p[i, i]


def gf_cf(model: Any, r: np.ndarray) -> Callable[[int, int, int], float]:
    users, items = r.sum(1), r.sum(0)
    root = [np.array([d**-0.5 if d > 0 else 0.0 for d in degrees]) for degrees in (users, items)]
    n = root[0][:, None] * r * root[1]
    v = np.linalg.svd(n)[2][: model.rank].T
    m = n.T @ n + model.alpha * np.diag(root[1]) @ v @ v.T @ np.diag(items**0.5)
    return lambda u, j, i: r[u, j] * m[j, i]


def gte(model: Any, r: np.ndarray) -> Callable[[int, int, int], float]:
    return lambda u, j, i: r[u, j] * sum(r[v, j] * r[v, i] for v in range(NUM_USERS))


def cosine(a: np.ndarray, b: np.ndarray, shrinkage: float) -> float:
    return float(a @ b) / (math.sqrt(float(a @ a) * float(b @ b)) + shrinkage) if a.any() and b.any() else 0.0


def neighbors(rows: np.ndarray, of: int, k: int, shrinkage: float) -> list[int]:
    similar = [(-cosine(rows[of], rows[other], shrinkage), other) for other in range(len(rows)) if other != of]
    return [other for value, other in sorted(similar)[:k] if value < 0]


def itemknn(model: Any, r: np.ndarray) -> Callable[[int, int, int], float]:
    def contribution(u: int, j: int, i: int) -> float:
        near = j in neighbors(r.T, i, model.num_neighbors, model.shrinkage)
        return r[u, j] * cosine(r[:, i], r[:, j], model.shrinkage) if near else 0.0

    return contribution


def userknn(model: Any, r: np.ndarray) -> Callable[[int, int, int], float]:
    def contribution(u: int, j: int, i: int) -> float:
        total = 0.0
        for v in neighbors(r, u, model.num_neighbors, model.shrinkage):
            length = math.sqrt(float(r[u] @ r[u]) * float(r[v] @ r[v])) + model.shrinkage
            total += r[v, i] * r[u, j] * r[v, j] / length
        return total

    return contribution


def ials(model: Any, r: np.ndarray) -> Callable[[int, int, int], float]:
    y = model.embeddings()[1].double().numpy()

    def contribution(u: int, j: int, i: int) -> float:
        c = np.array([model.confidence * r[u, k] if r[u, k] else 1.0 for k in range(NUM_ITEMS)])
        w = y.T @ np.diag(c) @ y + model.regularization * np.eye(model.factors)
        return float(y[i] @ np.linalg.inv(w) @ y[j]) * c[j]

    return contribution


def propagated(model: Any, r: np.ndarray) -> Callable[[int, int, int], float]:
    """A path from u to its item j, and on along all walks of the graph, to wherever embeddings were trained."""
    a = dense_a_hat(torch.from_numpy(r)).numpy()
    e0 = model.embedding.detach().double().numpy()
    alpha = [float(one) for one in model.coefficients()]
    final = sum(weight * np.linalg.matrix_power(a, k) @ e0 for k, weight in enumerate(alpha))

    def contribution(u: int, j: int, i: int) -> float:
        step = a[u, NUM_USERS + j]
        walks = [alpha[k] * step * np.linalg.matrix_power(a, k - 1)[NUM_USERS + j] @ e0 for k in range(1, len(alpha))]
        return float(sum(walks) @ final[NUM_USERS + i])

    return contribution


def ultragcn(model: Any, r: np.ndarray) -> Callable[[int, int, int], float]:
    e = model.embedding.detach().double().numpy()
    ones = r > 0

    def contribution(u: int, j: int, i: int) -> float:
        weight = math.sqrt((ones[u].sum() + 1) / (ones[:, j].sum() + 1)) / ones[u].sum()
        return weight * float(e[NUM_USERS + j] @ e[NUM_USERS + i])

    return contribution


def occlusion(model: Any, r: np.ndarray) -> Callable[[int, int, int], float]:
    def contribution(u: int, j: int, i: int) -> float:
        own = torch.from_numpy(r[u].nonzero()[0])
        return float(model.fold_in([own])[0, i] - model.fold_in([own[own != j]])[0, i])

    return contribution


ORACLES = {
    "ease": ease,
    "gf-cf": gf_cf,
    "gte": gte,
    "ials": ials,
    "itemknn": itemknn,
    "lightgcl": propagated,
    "lightgcn": propagated,
    "sheaf": occlusion,
    "ultragcn": ultragcn,
    "userknn": userknn,
}


def test_every_model_has_an_oracle_or_names_no_item() -> None:
    assert set(ORACLES) | {"bpr-mf", "mostpop"} == set(MODELS["recommend"])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", sorted(ORACLES))
def test_contributions_equal_plain_loops(name: str, weighted: bool) -> None:
    if name == "sheaf" and weighted:
        pytest.skip("a new user's interactions have weight one")
    model, r = fitted(name, weighted=weighted)
    contribution = ORACLES[name](model, r)
    found = model.reasons(USERS, ITEMS)
    for p, (u, i) in enumerate(zip(USERS.tolist(), ITEMS.tolist(), strict=True)):
        expected = {j: contribution(u, j, i) for j in r[u].nonzero()[0].tolist()}
        assert dict(found.of(p)) == pytest.approx(expected, rel=1e-5, abs=1e-6 if name == "ials" else 1e-9)
    assert found.exact == (name in EXACT) and found.rule


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", EXACT)
def test_exact_contributions_sum_to_the_score(name: str, dtype: torch.dtype) -> None:
    model, _ = fitted(name, dtype, weighted=True)
    found = model.reasons(USERS, ITEMS)
    score = model.scores(USERS)[torch.arange(len(USERS)), ITEMS].double()
    torch.testing.assert_close(found.score, score, rtol=0, atol=0)
    total = found.bias + torch.stack([part.sum() for part in found.contributions.split(found.ptr.diff().tolist())])
    tolerance = 1e-10 if dtype == torch.float64 and name != "ials" else 1e-6  # `implicit` computes in single precision
    torch.testing.assert_close(total, score, rtol=tolerance, atol=tolerance)
    assert float(found.remainder.abs().max()) < 5 * tolerance * max(1.0, float(score.abs().max()))


@pytest.mark.parametrize("name", LINEAR)
def test_a_linear_model_loses_just_the_contribution_of_a_removed_item(name: str) -> None:
    model, r = fitted(name)
    found = model.reasons(USERS, ITEMS)
    for p, (u, i) in enumerate(zip(USERS.tolist(), ITEMS.tolist(), strict=True)):
        own = torch.from_numpy(r[u].nonzero()[0])
        for j, contribution in found.of(p):
            left = float(model.fold_in([own[own != j]])[0, i])
            assert left == pytest.approx(float(found.score[p]) - contribution, rel=0, abs=1e-10)


def test_lightgcn_without_an_item_is_the_other_contributions_under_the_new_degree() -> None:
    model, r = fitted("lightgcn")
    found = model.reasons(USERS[:3], ITEMS[:3])
    for p, (u, i) in enumerate(zip(USERS[:3].tolist(), ITEMS[:3].tolist(), strict=True)):
        own = torch.from_numpy(r[u].nonzero()[0])
        n = own.numel()
        for j, contribution in found.of(p):
            left = float(model.fold_in([own[own != j]])[0, i])
            others = float(found.score[p] - found.bias[p]) - contribution
            assert left == pytest.approx(math.sqrt(n / (n - 1)) * others, rel=1e-9)


@pytest.mark.parametrize("name", sorted(set(MODELS["recommend"]) - {"bpr-mf"}))
def test_an_account_depends_on_its_own_prediction_alone(name: str) -> None:
    model, _ = fitted(name)
    together = model.reasons(USERS, ITEMS)
    for p in range(len(USERS)):
        alone = model.reasons(USERS[p : p + 1], ITEMS[p : p + 1])
        assert dict(alone.of(0)) == pytest.approx(dict(together.of(p)), rel=1e-9, abs=1e-12)
        assert float(alone.remainder) == pytest.approx(float(together.remainder[p]), abs=1e-6 if name == "ials" else 1e-9)
    assert model.reasons(USERS[:0], ITEMS[:0]).score.numel() == 0


def test_mostpop_names_no_item_and_bpr_mf_says_why_it_cannot() -> None:
    model, r = fitted("mostpop")
    found = model.reasons(USERS, ITEMS)
    assert found.of(0) == [] and found.bias.tolist() == [r[:, i].sum() for i in ITEMS.tolist()]
    with pytest.raises(NotImplementedError, match=r"bpr-mf .* no item can be named .* take a model .*lightgcn"):
        fitted("bpr-mf")[0].reasons(USERS, ITEMS)


def test_absent_interactions_are_no_reasons() -> None:
    model, _ = fitted("gte")
    interactions, _ = some_interactions()
    first = interactions.without(torch.tensor([0]))
    model.fit(first)
    whole = Recommender.reasons(model, torch.tensor([0]), torch.tensor([3]))
    found = model.reasons(torch.tensor([0]), torch.tensor([3]))
    assert found.ids.tolist() == first.edge_index()[0][first.edge_index()[1] == 0].tolist() == whole.ids.tolist()
    # Occlusion of a linear model is its account.
    torch.testing.assert_close(found.contributions, whole.contributions)


def test_ranks_count_from_the_largest_within_a_prediction() -> None:
    model, _ = fitted("ease")
    found = model.reasons(USERS, ITEMS)
    ranks = found.ranks().split(found.ptr.diff().tolist())
    for own, place in zip(found.contributions.split(found.ptr.diff().tolist()), ranks, strict=True):
        order: Tensor = own.argsort(descending=True, stable=True)
        assert place[order].tolist() == list(range(len(own)))


def test_weights_of_a_csr_are_never_changed() -> None:
    interactions, _ = some_interactions(weighted=True)
    before = interactions.weights(torch.float64).clone()
    model, _ = fitted("userknn")
    model.fit(CSR(interactions.structure, interactions.value))
    model.reasons(USERS, ITEMS)
    torch.testing.assert_close(interactions.weights(torch.float64), before, rtol=0, atol=0)
