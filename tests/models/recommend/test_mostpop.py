"""Popularity against a count, and its published figures."""

import numpy as np
import pytest
import torch

from graphkit.models.recommend.mostpop import MostPop
from tests.models.recommend import histories


@pytest.mark.parametrize("weighted", [False, True])
def test_scores_are_the_number_of_users_for_everybody(weighted):
    model, dense = histories.fitted(MostPop, 0, weighted)
    expected = [sum(1 for user in range(histories.NUM_USERS) if dense[user, item] != 0) for item in range(histories.NUM_ITEMS)]
    assert expected[histories.LONELY_ITEM] == 0
    np.testing.assert_array_equal(histories.all_scores(model), np.tile(expected, (histories.NUM_USERS, 1)))


def test_left_out_interactions_do_not_count():
    interactions, dense = histories.random_interactions(1)
    model = MostPop(histories.NUM_USERS, histories.NUM_ITEMS)
    model.fit(interactions.without(interactions.positions(interactions.edge_index()[:, :40])))
    assert histories.all_scores(model)[0].sum() == (dense != 0).sum() - 40


def test_scores_take_the_memory_of_one_row():
    model, _ = histories.fitted(MostPop, 0, False)
    assert model.scores(torch.arange(histories.NUM_USERS)).stride(0) == 0
    assert model.fold_in([torch.tensor([1]), torch.tensor([2])]).stride(0) == 0


@pytest.mark.slow
@pytest.mark.data("LightGCN/gowalla")
def test_figures_on_gowalla(data_root):
    found = histories.published_figures(MostPop(29858, 40981), data_root)
    assert found == pytest.approx({"recall@20": 4.16, "ndcg@20": 3.17}, abs=0.005)
