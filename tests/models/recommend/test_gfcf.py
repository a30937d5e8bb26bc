"""The two filters against dense algebra, and the paper's figures."""

import numpy as np
import pytest
import torch

from graphkit.models.recommend.gfcf import GFCF
from tests.models.recommend.histories import (
    LONELY_ITEM,
    LONELY_USER,
    NUM_ITEMS,
    NUM_USERS,
    all_scores,
    assert_close,
    assert_folded_in_like_known,
    assert_scores_do_not_depend_on_company,
    operator,
    published_figures,
    random_interactions,
)


def power(degrees, exponent):
    return np.array([degree**exponent if degree > 0 else 0.0 for degree in degrees])


def dense_scores(dense, alpha, rank):
    users, items = dense.sum(1), dense.sum(0)
    normalized = np.diag(power(users, -0.5)) @ dense @ np.diag(power(items, -0.5))
    v = np.linalg.svd(normalized)[2][:rank].T
    ideal = np.diag(power(items, -0.5)) @ v @ v.T @ np.diag(power(items, 0.5))
    return dense @ (normalized.T @ normalized + alpha * ideal)


def fitted(seed=0, weighted=False, alpha=0.3, rank=9):
    model = GFCF(NUM_USERS, NUM_ITEMS, alpha=alpha, rank=rank)
    interactions, dense = random_interactions(seed, weighted)
    model.fit(interactions)
    return model, dense


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("alpha", "rank"), [(0.3, 9), (0.0, 9), (2.0, 1), (0.3, 74), (0.3, 500)])
def test_equals_dense_algebra(alpha, rank, weighted):
    model, dense = fitted(1, weighted, alpha, rank)
    found = all_scores(model)
    assert_close(found, dense_scores(dense, alpha, rank), 1e-7)
    assert not found[LONELY_USER].any()
    assert not found[:, LONELY_ITEM].any()


def test_single_precision_is_near():
    model = GFCF(NUM_USERS, NUM_ITEMS, rank=9)
    dense = random_interactions(2)[1]
    model.fit(operator(dense, torch.float32))
    assert_close(all_scores(model), dense_scores(dense, 0.3, 9), 2e-4)


def test_company_and_new_users():
    model, dense = fitted()
    assert_scores_do_not_depend_on_company(model)
    assert_folded_in_like_known(model, dense)


def test_fitting_twice_gives_the_same_bits():
    torch.manual_seed(1)
    first = all_scores(fitted()[0])
    torch.manual_seed(2)
    np.testing.assert_array_equal(all_scores(fitted()[0]), first)


def test_no_interactions_at_all():
    model = GFCF(3, 4)
    model.fit(operator(np.zeros((3, 4))))
    assert not all_scores(model).any()


def test_negative_weights():
    with pytest.raises(ValueError, match="negative weights"):
        GFCF(2, 2).fit(operator(np.array([[1.0, -1.0], [0.0, 1.0]])))


@pytest.mark.parametrize("wrong", [{"alpha": -0.1}, {"rank": 0}])
def test_settings_out_of_range(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        GFCF(3, 4, **wrong)


@pytest.mark.slow
@pytest.mark.data("LightGCN/gowalla")
def test_figures_on_gowalla(data_root):
    found = published_figures(GFCF(29858, 40981), data_root)
    assert found == pytest.approx({"recall@20": 18.49, "ndcg@20": 15.18}, abs=0.02)
