"""Small random interactions with empty rows and columns, models fitted to them, and what these are compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from graphkit.data.readers.interactions import read_published
from graphkit.metrics.ranking import ranking_metrics
from graphkit.models.recommend.base import Recommender
from graphkit.sparse import CSR
from graphkit.tasks.ranking import rank_items

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


def fitted(kind: type[Recommender], seed: int = 0, weighted: bool = False, **settings: Any) -> tuple[Any, np.ndarray]:
    """A model of this kind that has seen random interactions, and these as a dense array."""
    interactions, dense = random_interactions(seed, weighted)
    model = kind(NUM_USERS, NUM_ITEMS, **settings)
    model.fit(interactions)
    model.prepare()
    return model, dense


def all_scores(model: Recommender) -> np.ndarray:
    model.prepare()
    return model.scores(torch.arange(model.num_users)).numpy()


def assert_close(found: np.ndarray, expected: np.ndarray, tolerance: float = 1e-9) -> None:
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def published_figures(model: Recommender, root: Path) -> dict[str, float]:
    """Fit on all published training interactions of Gowalla and rank for its test users, as the published tables do."""
    found = read_published(root / "LightGCN" / "gowalla", torch.Generator().manual_seed(0))
    train = torch.cat([found.splits["train"], found.splits["valid"]], dim=1)
    seen, relevant = (CSR.from_edge_index(p.flip(0), (found.num_users, found.num_items)) for p in (train, found.splits["test"]))
    model.fit(seen)
    users = relevant.degree().nonzero().flatten()
    top = rank_items(model.scores, users, found.num_items, 20, seen)[1]
    return ranking_metrics(("recall@20", "ndcg@20"), top, users, relevant)
