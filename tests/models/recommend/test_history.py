"""What every model without training fulfills: the same scores in any company, for known users and for new ones."""

import numpy as np
import pytest
import torch

from graphkit.models.recommend.ease import EASE
from graphkit.models.recommend.gfcf import GFCF
from graphkit.models.recommend.gte import GTE
from graphkit.models.recommend.mostpop import MostPop
from graphkit.models.recommend.neighbors import ItemKNN, UserKNN
from tests.models.recommend import histories

BY_ITEMS = {EASE: {"regularization": 2.5}, GFCF: {"rank": 9}, GTE: {}, ItemKNN: {"num_neighbors": 6}, MostPop: {}}
EVERY = {**BY_ITEMS, UserKNN: {"num_neighbors": 6}}
every_model = pytest.mark.parametrize(("kind", "settings"), EVERY.items(), ids=lambda value: getattr(value, "__name__", ""))


@every_model
def test_scores_do_not_depend_on_company(kind, settings):
    """Bit for bit the same alone, repeated, in another order, and in a batch that ends inside a block."""
    model, _ = histories.fitted(kind, **settings)
    users = torch.tensor([70, 3, 3, histories.LONELY_USER, *range(88, 10, -1)])
    together = model.scores(users)
    for position in (0, 2, 3, 50, len(users) - 1):
        assert torch.equal(model.scores(users[position : position + 1])[0], together[position])
    assert torch.equal(together[1], together[2])


@pytest.mark.parametrize(("kind", "settings"), BY_ITEMS.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_new_users_score_like_known_ones_with_their_items(kind, settings):
    """Bit for bit, the items in another order; UserKNN differs, as a known user is no neighbor of itself."""
    model, dense = histories.fitted(kind, **settings)
    users = [0, 17, histories.LONELY_USER]
    items = [torch.from_numpy(np.nonzero(dense[user])[0]).flip(0) for user in users]
    assert torch.equal(model.fold_in(items), model.scores(torch.tensor(users)))


@every_model
def test_unknown_ids(kind, settings):
    model, _ = histories.fitted(kind, **settings)
    with pytest.raises(ValueError, match=r"ids must lie in \[0, 90\), got -1 to 90"):
        model.scores(torch.tensor([90, -1]))
    with pytest.raises(ValueError, match=r"items must be ids in \[0, 75\)"):
        model.fold_in([torch.tensor([histories.NUM_ITEMS])])


@every_model
def test_nothing_comes_of_nothing(kind, settings):
    """A user without items gets zeros and an item without users too, but for the popularity of the others."""
    found = histories.all_scores(histories.fitted(kind, **settings)[0])
    assert np.abs(found[:, histories.LONELY_ITEM]).max() < 1e-12
    assert found[histories.LONELY_USER].any() == (kind is MostPop)
    model = kind(3, 4, **settings)
    model.fit(histories.operator(np.zeros((3, 4))))
    assert not histories.all_scores(model).any()
