"""iALS: matrix factorization of implicit feedback by alternating least squares, through the `implicit` library."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from graphkit.layers.checks import check_at_least, check_positive
from graphkit.models.recommend.base import EmbeddingRecommender, item_bags
from graphkit.sparse import CSR


class IALS(EmbeddingRecommender):
    """s_ui = x_u . y_i, with x and y minimizing sum c_ui (p_ui - x_u . y_i)^2 + lambda (|X|^2 + |Y|^2) over all u and i.

    An interaction has p = 1 and weighs c = confidence times its value; everything else has p = 0 and weighs c = 1. Factors
    start at random from torch's global generator. Users are solved for exactly once the items are done, so that a new user
    with the same items gets the same embedding. Computed on the CPU, in float32.

    Args:
        num_users: Number of users.
        num_items: Number of items.
        factors: Width of the embeddings, at least 1.
        regularization: lambda, at least 0.
        confidence: Weight of an interaction (alpha), positive.
        iterations: Sweeps over users and items, at least 1.

    Raises:
        ModuleNotFoundError: If the extra `als` is not installed.

    Source: Hu, Koren, Volinsky, Collaborative Filtering for Implicit Feedback Datasets, ICDM 2008.
    """

    trained: ClassVar[bool] = False

    def __init__(
        self,
        num_users: int,
        num_items: int,
        *,
        factors: int = 64,
        regularization: float = 0.01,
        confidence: float = 1.0,
        iterations: int = 15,
    ) -> None:
        super().__init__(num_users, num_items)
        check_at_least(1, factors=factors, iterations=iterations)
        check_at_least(0, regularization=regularization)
        check_positive(confidence=confidence)
        self._library, self._limit_threads = load_libraries()
        self.factors, self.regularization, self.confidence, self.iterations = factors, regularization, confidence, iterations
        self._solver: Any = None
        self._factors: tuple[Tensor, Tensor] | None = None

    def fit(self, interactions: CSR) -> None:
        """Factorize the interactions, see `Recommender.fit`."""
        super().fit(interactions)
        seed = int(torch.randint(2**31, ()))
        with self._limit_threads(1, "blas"):  # the library runs threads of its own, and warns about others
            self._solver = self._library.AlternatingLeastSquares(
                factors=self.factors,
                regularization=self.regularization,
                alpha=self.confidence,
                iterations=self.iterations,
                num_threads=torch.get_num_threads(),
                random_state=seed,
            )
            self._solver.fit(to_scipy(interactions), show_progress=False)
        items = torch.from_numpy(np.array(self._solver.item_factors)).to(interactions.device)
        self._factors = self._solve(interactions), items

    def compute_embeddings(self) -> tuple[Tensor, Tensor]:
        """User [num_users, factors] and item [num_items, factors] embeddings; RuntimeError before `fit`."""
        if self._factors is None:
            raise RuntimeError("call fit() with the training interactions before using IALS.")
        return self._factors

    def embed_users(self, items: Sequence[Tensor]) -> Tensor:
        """Embeddings of new users by least squares against the items' embeddings, see `EmbeddingRecommender.embed_users`."""
        return self._solve(item_bags(items, self.num_items, self.interactions.device))

    def _solve(self, histories: CSR) -> Tensor:
        with self._limit_threads(1, "blas"):
            found = self._solver.recalculate_user(np.arange(histories.shape[0]), to_scipy(histories))
        return torch.from_numpy(found).to(histories.device)


def load_libraries() -> tuple[ModuleType, Any]:
    """The `implicit` library and the context that limits the threads of linear algebra libraries."""
    try:
        return importlib.import_module("implicit.als"), importlib.import_module("threadpoolctl").threadpool_limits
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"model=ials needs the package {error.name!r}: install the extra with `pip install -e '.[als]'`."
        ) from error


def to_scipy(matrix: CSR) -> scipy.sparse.csr_matrix:
    """The present entries as a SciPy matrix in float32."""
    value = matrix.weights(torch.float32).detach().cpu().numpy()
    found = scipy.sparse.csr_matrix((value, matrix.col.cpu().numpy(), matrix.rowptr.cpu().numpy()), shape=matrix.shape)
    if matrix.mask is not None:
        found.eliminate_zeros()
    return found
