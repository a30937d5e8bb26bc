"""Recommendations: EASE's own equation by hand, a model that names no item, seeds on other data."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from graphkit.data import load
from graphkit.errors import RequestError
from graphkit.explain import explain, explain_all
from graphkit.run import run

FILMS = ("Alien", "Brazil", "Crash, the film", "Dune", "Eraserhead", "Fargo", "Gilda", "Heat", "If", "Jaws", "Kes", "M")


@pytest.fixture(scope="module")
def ratings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty users and twelve films: even users like the first six, odd ones the others."""
    rows = [(f"user {u}", FILMS[6 * (u % 2) + i]) for u in range(40) for i in range(6) if (u // 2 + i) % 6]
    path = tmp_path_factory.mktemp("ratings") / "ratings.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("user", "film"), *rows])
    return path


def test_ease_by_hand(ratings: Path):
    settings = {"interactions": str(ratings), "item_column": "film", "split": [0.6, 0.2, 0.2]}
    model = {"name": "ease", "regularization": 2.0}
    folder = run("recommend", "custom", model, data=settings, seeds=2, out=str(ratings.parent / "runs"), device="cpu").folder
    data = load("custom", task="recommend", seed=0, **settings)
    taken = np.zeros((data.num_users, data.num_items))
    taken[data.splits["train"][0].numpy(), data.splits["train"][1].numpy()] = 1.0
    inverse = np.linalg.inv(taken.T @ taken + 2.0 * np.eye(data.num_items))
    weights = -inverse / np.diag(inverse)[None, :]
    np.fill_diagonal(weights, 0.0)
    every = np.where(taken > 0, -np.inf, taken @ weights)
    user, item = np.unravel_index(every.argmax(), every.shape)
    scores = every[user]
    explained = explain(folder, user=data.user_names[user], item=[data.item_names[item]], seed=0, device="cpu")
    account = explained.predicted
    assert account.score == pytest.approx(scores[item], abs=1e-6) and account.rule == ""
    own = [j for j in taken[user].nonzero()[0] if abs(weights[j, item]) > 1e-9]
    expected = {f"item {data.item_names[j]}": weights[j, item] for j in own}
    told = {term.name: term.contribution for term in account.terms if abs(term.contribution) > 1e-9}
    assert told == pytest.approx(expected, abs=1e-6)
    assert "has rank 1 of " in explained.sentence and explained.verdict == "among the best 20"
    check = explained.checks[0]
    gone = check.done.removeprefix("Items ").removeprefix("Item ").split(" taken from")[0]
    removed = [j for j, name in enumerate(data.item_names) if name in gone]
    assert check.result == pytest.approx(scores[item] - weights[removed, item].sum(), abs=1e-6)
    assert len(explained.agreements) == 1


def test_a_taken_item_and_a_model_that_names_none(ratings: Path):
    settings = {"interactions": str(ratings), "item_column": "film", "split": [0.6, 0.2, 0.2]}
    options = {"data": settings, "out": str(ratings.parent / "runs"), "device": "cpu"}
    known = run("recommend", "custom", "itemknn", **options).folder
    data = load("custom", task="recommend", seed=0, **settings)
    user, item = data.splits["train"][:, 0].tolist()
    explained = explain(known, user=data.user_names[user], item=[data.item_names[item]], device="cpu")
    assert any("has this item already" in warning for warning in explained.warnings)
    with pytest.raises(RequestError, match="no item .Dune2. among 12"):
        explain(known, user="user 1", item="Dune2", device="cpu")
    trained = run("recommend", "custom", {"name": "bpr-mf", "hidden_channels": 4}, train={"epochs": 1}, **options).folder
    with pytest.raises(RequestError, match="no item can be named as a reason"):
        explain(trained, user="user 1", item="Dune", device="cpu")


def test_seeds_that_drew_other_data_are_not_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = run("recommend", "planted-interactions", "itemknn", seeds=2, out=str(tmp_path), device="cpu").folder
    (explained,) = explain_all(folder, user=3, item=5, device="cpu")
    assert explained.agreements == () and "drew other data and is not compared" in capsys.readouterr().err
