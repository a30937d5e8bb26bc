"""Small random interactions with empty rows and columns, and what every model without training has to fulfill."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from graphkit.data.recommend import read_published
from graphkit.models.recommend.base import Recommender
from graphkit.sparse.csr import CSR
from graphkit.tasks.ranking import rank_items, ranking_metrics

NUM_USERS, NUM_ITEMS = 90, 75  # more than a block of each
LONELY_USER, LONELY_ITEM = 4, 11


def random_interactions(seed: int, weighted: bool = False, density: float = 0.12) -> tuple[CSR, np.ndarray]:
    """Users x items as an operator in double precision and as a dense array; one user and one item have nothing."""
    random = np.random.default_rng(seed)
    dense = (random.random((NUM_USERS, NUM_ITEMS)) < density).astype(np.float64)
    if weighted:
        dense *= random.uniform(0.5, 3.0, dense.shape)
    dense[LONELY_USER], dense[:, LONELY_ITEM] = 0.0, 0.0
    return operator(dense), dense


def operator(dense: np.ndarray, dtype: torch.dtype = torch.float64) -> CSR:
    users, items = np.nonzero(dense)
    edges = torch.from_numpy(np.stack([items, users]))
    return CSR.from_edge_index(edges, dense.shape, torch.from_numpy(dense[users, items]).to(dtype))


def all_scores(model: Recommender) -> np.ndarray:
    model.prepare()
    return model.scores(torch.arange(model.num_users)).numpy()


def assert_close(found: np.ndarray, expected: np.ndarray, tolerance: float = 1e-9) -> None:
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def assert_scores_do_not_depend_on_company(model: Recommender) -> None:
    """Bit for bit the same alone, repeated, in another order, and in a batch that ends inside a block."""
    model.prepare()
    users = torch.tensor([70, 3, 3, LONELY_USER, *range(88, 10, -1)])
    together = model.scores(users)
    for position in (0, 2, 3, 50, len(users) - 1):
        assert torch.equal(model.scores(users[position : position + 1])[0], together[position])
    assert torch.equal(together[1], together[2])


def assert_folded_in_like_known(model: Recommender, dense: np.ndarray, tolerance: float = 0.0) -> None:
    """A new user with a known user's items, given in another order, gets that user's scores; one without items as well."""
    users = [0, 17, LONELY_USER]
    items = [torch.from_numpy(np.nonzero(dense[user])[0]).flip(0) for user in users]
    torch.testing.assert_close(model.fold_in(items), model.scores(torch.tensor(users)), rtol=tolerance, atol=tolerance)


def published_figures(model: Recommender, root: Path) -> dict[str, float]:
    """Fit on all published training interactions of Gowalla and rank for its test users, as the published tables do."""
    found = read_published(root / "LightGCN" / "gowalla", torch.Generator().manual_seed(0))
    train = torch.cat([found.splits["train"], found.splits["valid"]], dim=1)
    seen, relevant = (CSR.from_edge_index(p.flip(0), (found.num_users, found.num_items)) for p in (train, found.splits["test"]))
    model.fit(seen)
    users = relevant.degree().nonzero().flatten()
    top = rank_items(model.scores, users, found.num_items, 20, seen)[1]
    return ranking_metrics(("recall@20", "ndcg@20"), top, users, relevant)
