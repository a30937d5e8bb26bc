"""Nearest neighbors by cosine against loops over pairs of rows."""

import numpy as np
import pytest
import torch

from graphkit.models.recommend.neighbors import ItemKNN, UserKNN
from tests.models.recommend import histories

SETTINGS = [(1, 0.0), (5, 0.0), (5, 3.0), (1000, 0.0)]


def similarity(rows, shrinkage):
    """Cosine of every pair of different rows."""
    n = len(rows)
    found = np.zeros((n, n))
    for a in range(n):
        for b in range(n):
            lengths = np.sqrt((rows[a] ** 2).sum() * (rows[b] ** 2).sum())
            if a != b and lengths > 0:
                found[a, b] = (rows[a] * rows[b]).sum() / (lengths + shrinkage)
    return found


def neighbors_only(row, k):
    """The k largest entries, equal ones by ascending place; the others 0."""
    kept = np.zeros_like(row)
    for place in sorted(range(len(row)), key=lambda place: (-row[place], place))[:k]:
        kept[place] = row[place]
    return kept


def by_items(dense, k, shrinkage):
    near = np.array([neighbors_only(row, k) for row in similarity(dense.T, shrinkage)])
    return dense @ near.T


def by_users(dense, k, shrinkage):
    near = np.array([neighbors_only(row, k) for row in similarity(dense, shrinkage)])
    return near @ dense


KINDS = {ItemKNN: by_items, UserKNN: by_users}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("k", "shrinkage"), SETTINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_equals_loops(kind, k, shrinkage, weighted):
    model, dense = histories.fitted(kind, 2, weighted, num_neighbors=k, shrinkage=shrinkage)
    histories.assert_close(histories.all_scores(model), KINDS[kind](dense, k, shrinkage))


@pytest.mark.parametrize(("kind", "flip"), [(ItemKNN, False), (UserKNN, True)])
def test_lower_ids_win_ties(kind, flip):
    """Item 0 shares one user of as many with items 1 to 4; only the first two of them are its neighbors."""
    dense = np.array([[1.0, 1, 0, 0, 0], [1, 0, 1, 0, 0], [1, 0, 0, 1, 0], [1, 0, 0, 0, 1]])
    model = kind(*(dense.T if flip else dense).shape, num_neighbors=2)
    model.fit(histories.operator(dense.T if flip else dense))
    if flip:
        histories.assert_close(histories.all_scores(model)[0], np.array([0.5, 0.5, 0.0, 0.0]))
    else:
        histories.assert_close(model.similarity.to_dense().numpy()[0], np.array([0.0, 0.5, 0.5, 0.0, 0.0]))


def test_an_item_keeps_k_neighbors_of_its_own():
    model, _ = histories.fitted(ItemKNN, 3, num_neighbors=7)
    degrees = model.similarity.degree()
    assert degrees.max() == 7
    assert degrees[histories.LONELY_ITEM] == 0


def test_new_users_by_items():
    model, dense = histories.fitted(ItemKNN, 5, num_neighbors=6)
    new = [torch.tensor([8, 3, 60]), torch.tensor([], dtype=torch.int64)]
    expected = np.zeros((2, histories.NUM_ITEMS))
    expected[0, new[0]] = 1.0
    near = np.array([neighbors_only(row, 6) for row in similarity(dense.T, 0.0)])
    histories.assert_close(model.fold_in(new).numpy(), expected @ near.T)


def test_new_users_have_every_known_user_as_a_neighbor():
    """One more row in the interactions, scored by the others."""
    model, dense = histories.fitted(UserKNN, 6, num_neighbors=6)
    row = np.zeros(histories.NUM_ITEMS)
    row[[2, 40, 41, 70]] = 1.0
    together = np.vstack([dense, row])
    expected = by_users(together, 6, 0.0)[-1]
    histories.assert_close(model.fold_in([torch.tensor([41, 2, 70, 40])])[0].numpy(), expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wrong", [{"num_neighbors": 0}, {"shrinkage": -1.0}])
def test_settings_out_of_range(kind, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        kind(3, 4, **wrong)
