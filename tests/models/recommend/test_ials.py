"""Alternating least squares against dense normal equations and the loss whose minimum it claims."""

import sys

import numpy as np
import pytest
import torch

from graphkit.models.recommend.ials import IALS
from tests.models.recommend import histories

SETTINGS = {"factors": 4, "regularization": 2.0, "confidence": 3.0, "iterations": 300}


@pytest.fixture
def library():
    pytest.importorskip("implicit", reason="model=ials needs the extra `als`")


def fitted(weighted=False, seed=0, **settings):
    torch.manual_seed(seed)
    return histories.fitted(IALS, 0, weighted, **{**SETTINGS, **settings})


def normal_equations(others, row, confidence, regularization):
    """The least squares solution of one user (or item) given all items (or users)."""
    weight = np.where(row != 0, confidence * row, 1.0)
    wanted = (row != 0).astype(float)
    a = others.T @ np.diag(weight) @ others + regularization * np.eye(others.shape[1])
    return np.linalg.solve(a, others.T @ (weight * wanted))


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("weighted", [False, True])
def test_both_sides_solve_the_normal_equations(weighted):
    model, dense = fitted(weighted)
    users, items = (factors.double().numpy() for factors in model.embeddings())
    assert np.abs(users @ items.T).max() > 0.1
    expected_users = np.array([normal_equations(items, row, 3.0, 2.0) for row in dense])
    expected_items = np.array([normal_equations(users, row, 3.0, 2.0) for row in dense.T])
    histories.assert_close(users, expected_users, 2e-5)
    histories.assert_close(items, expected_items, 2e-3)  # at the end of the iterations, not after one more
    histories.assert_close(histories.all_scores(model), users @ items.T, 1e-5)


@pytest.mark.usefixtures("library")
def test_users_and_items_without_interactions():
    found = histories.all_scores(fitted(iterations=3)[0])
    assert not found[histories.LONELY_USER].any()
    assert not found[:, histories.LONELY_ITEM].any()


@pytest.mark.usefixtures("library")
def test_new_users():
    model, dense = fitted(iterations=3)
    users = [0, 17, histories.LONELY_USER]
    known = [torch.from_numpy(np.nonzero(dense[user])[0]).flip(0) for user in users]
    torch.testing.assert_close(model.fold_in(known), model.scores(torch.tensor(users)), rtol=1e-5, atol=1e-5)
    items = model.embeddings()[1].double().numpy()
    row = np.zeros(histories.NUM_ITEMS)
    row[[5, 60]] = 1.0
    histories.assert_close(model.embed_users([torch.tensor([60, 5])]).numpy()[0], normal_equations(items, row, 3.0, 2.0), 1e-5)


@pytest.mark.usefixtures("library")
def test_company():
    model, _ = fitted(iterations=3)
    users = torch.arange(40)
    torch.testing.assert_close(model.scores(users.flip(0)).flip(0), model.scores(users))


@pytest.mark.usefixtures("library")
def test_the_seed_decides():
    first, again, other = (fitted(seed=seed, iterations=1)[0].embeddings()[1] for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_without_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "implicit.als", None)
    with pytest.raises(ModuleNotFoundError, match=r"model=ials needs the package 'implicit.*\[als\]"):
        IALS(3, 4)


@pytest.mark.usefixtures("library")
def test_before_fit():
    with pytest.raises(RuntimeError, match="fit"):
        IALS(3, 4).prepare()


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("wrong", [{"factors": 0}, {"iterations": 0}, {"regularization": -1.0}, {"confidence": 0.0}])
def test_settings_out_of_range(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        IALS(3, 4, **wrong)
