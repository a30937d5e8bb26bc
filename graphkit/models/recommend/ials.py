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
from graphkit.models.reasons import Reasons, present_entries
from graphkit.models.recommend.base import EmbeddingRecommender, item_bags, take_rows
from graphkit.sparse import CSR, segment_sum

BLOCK = 16
"""Users whose least squares are set up at a time, to explain them: a matrix [factors, factors] for each of their items."""


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

    @torch.no_grad()
    def reasons(self, users: Tensor, items: Tensor) -> Reasons:
        """The items of the user, each with its share of the least squares solution, see `Recommender.reasons`.

        x_u = W_u^-1 sum over j of c_uj y_j with W_u = Y^T C_u Y + lambda I, so that s_ui = sum over j of c_uj y_i^T W_u^-1 y_j:
        item j counts by its similarity to i as this user sees it. Without an item W_u would be another.

        Source: Hu, Koren, Volinsky, ICDM 2008, section 5.
        """
        y = self.embeddings()[1].double()
        gram = y.t() @ y + self.regularization * torch.eye(self.factors, dtype=torch.float64, device=y.device)
        histories = take_rows(self.interactions, users)
        ptr, own, weight = present_entries(histories)
        contributions = []
        for start in range(0, users.numel(), BLOCK):
            bounds = ptr[start : start + BLOCK + 1]
            inside = slice(int(bounds[0]), int(bounds[-1]))
            rows, confidence = y[own[inside]], self.confidence * weight[inside]
            # As the library does: a value that is not positive is a confident p = 0.
            outer = (confidence.abs() - 1).view(-1, 1, 1) * rows.unsqueeze(2) * rows.unsqueeze(1)
            system = gram + segment_sum(outer.flatten(1), bounds - bounds[0]).view(-1, *gram.shape)
            seen = torch.linalg.solve(system, y[items[start : start + BLOCK]])
            similar = (rows * seen.repeat_interleave(bounds.diff(), dim=0)).sum(1)
            contributions.append(confidence.clamp(min=0) * similar)
        score = self.pair_scores(users, items).double()
        return Reasons(
            ptr=ptr,
            ids=own,
            contributions=torch.cat([y.new_zeros(0), *contributions]),
            score=score,
            bias=torch.zeros_like(score),
            rule="The user's embedding is a least squares solution, and as such a sum over the user's items: each contributes "
            "its confidence times its similarity to the scored item, as this user's items weigh the factors.",
            exact=True,
        )

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
