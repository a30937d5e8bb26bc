"""Popularity against a count, and its published figures."""

import numpy as np
import pytest

from graphkit.models.recommend.mostpop import MostPop
from tests.models.recommend.histories import (
    LONELY_ITEM,
    NUM_ITEMS,
    NUM_USERS,
    all_scores,
    assert_folded_in_like_known,
    assert_scores_do_not_depend_on_company,
    published_figures,
    random_interactions,
)


def fitted(weighted=False):
    model = MostPop(NUM_USERS, NUM_ITEMS)
    interactions, dense = random_interactions(0, weighted)
    model.fit(interactions)
    return model, dense


@pytest.mark.parametrize("weighted", [False, True])
def test_scores_are_the_number_of_users_for_everybody(weighted):
    model, dense = fitted(weighted)
    expected = [sum(1 for user in range(NUM_USERS) if dense[user, item] != 0) for item in range(NUM_ITEMS)]
    assert expected[LONELY_ITEM] == 0
    np.testing.assert_array_equal(all_scores(model), np.tile(expected, (NUM_USERS, 1)))


def test_company_and_new_users():
    model, dense = fitted()
    assert_scores_do_not_depend_on_company(model)
    assert_folded_in_like_known(model, dense)


def test_left_out_interactions_do_not_count():
    interactions, dense = random_interactions(1)
    model = MostPop(NUM_USERS, NUM_ITEMS)
    model.fit(interactions.without(interactions.positions(interactions.edge_index()[:, :40])))
    assert all_scores(model)[0].sum() == (dense != 0).sum() - 40


@pytest.mark.slow
@pytest.mark.data("LightGCN/gowalla")
def test_figures_on_gowalla(data_root):
    found = published_figures(MostPop(29858, 40981), data_root)
    assert found == pytest.approx({"recall@20": 4.16, "ndcg@20": 3.17}, abs=0.005)
