"""The linear autoencoder against dense algebra and against the problem that it solves."""

import numpy as np
import pytest
import torch

from graphkit.conf.models.recommend import EASEModel
from graphkit.conf.schema import RecommendTask, Train
from graphkit.data import load
from graphkit.errors import RequestError
from graphkit.models.recommend.ease import EASE
from graphkit.sparse import CSR
from graphkit.tasks.build import model_maker
from graphkit.tasks.recommend import Recommendation
from tests.models.recommend import histories


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("regularization", [0.3, 500.0])
def test_equals_dense_algebra(regularization, weighted):
    model, dense = histories.fitted(EASE, 1, weighted, regularization=regularization)
    p = np.linalg.inv(dense.T @ dense + regularization * np.eye(histories.NUM_ITEMS))
    b = np.eye(histories.NUM_ITEMS) - p @ np.diag(1.0 / np.diag(p))
    histories.assert_close(histories.all_scores(model), dense @ b)


def test_each_column_is_the_ridge_regression_on_the_other_items():
    model, dense = histories.fitted(EASE, 2, regularization=1.5)
    for item in (0, 30, 74):
        others = [other for other in range(histories.NUM_ITEMS) if other != item]
        a = np.vstack([dense[:, others], np.sqrt(1.5) * np.eye(len(others))])
        weights = np.linalg.lstsq(a, np.concatenate([dense[:, item], np.zeros(len(others))]), rcond=None)[0]
        column = model.weights[:, item].numpy()
        assert column[item] == 0.0
        histories.assert_close(column[others], weights)


def test_single_precision():
    interactions, dense = histories.random_interactions(3)
    model = EASE(histories.NUM_USERS, histories.NUM_ITEMS, regularization=10.0)
    model.fit(histories.operator(dense, torch.float32))
    exact = EASE(histories.NUM_USERS, histories.NUM_ITEMS, regularization=10.0)
    exact.fit(interactions)
    assert model.scores(torch.tensor([1])).dtype == torch.float32
    histories.assert_close(histories.all_scores(model), histories.all_scores(exact), 1e-5)


def test_too_large_is_said_before_anything_is_computed():
    shape = 29858, 40981
    sparse = CSR.from_edge_index(torch.zeros(2, 1, dtype=torch.int64), shape)
    with pytest.raises(
        ValueError,
        match=r"40,981 x 40,981 items, which needs 6\.72 GB of memory where model\.max_memory_gb is 4: set that to 7",
    ):
        EASE(*shape).fit(sparse)
    with pytest.raises(ValueError, match=r"needs 4\.5e-05 GB of memory where model\.max_memory_gb is 4e-05"):
        EASE(histories.NUM_USERS, histories.NUM_ITEMS, max_memory_gb=4e-5).fit(histories.random_interactions(0)[0])
    EASE(histories.NUM_USERS, histories.NUM_ITEMS, max_memory_gb=4.6e-5).fit(histories.random_interactions(0)[0])


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_regularization_must_be_positive(value):
    with pytest.raises(ValueError, match="regularization"):
        EASE(3, 4, regularization=value)


def test_the_task_refuses_a_request_that_is_too_large():
    settings = EASEModel(max_memory_gb=1e-6)
    dataset = load("planted-interactions", task="recommend", seed=0)
    task = Recommendation(dataset, RecommendTask(), model_maker("recommend", settings), Train(), torch.device("cpu"))
    with pytest.raises(RequestError, match="model.max_memory_gb is 1e-06"):
        task.build_model()
