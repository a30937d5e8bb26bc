"""FastRP as a transformer of scikit-learn: from a graph to embeddings of its nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, TransformerMixin

from graphkit.sparse import CSR, as_csr
from graphkit.sparse.graph_measures import fast_random_projection, random_projection


class FastRP(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Embeddings of the nodes of a graph by random projection, see `graphkit.sparse.graph_measures.fast_random_projection`.

        z = FastRP(n_components=128).fit_transform(edge_index)

    The random matrix belongs to the number of nodes: `fit` draws it, and `transform` takes graphs of as many nodes, e.g. the
    same one with other edges. Nothing is learned.

    Args:
        n_components: Width D, at least 1.
        weights: Of walks of one, two, ... steps.
        exponent: Of the degrees.
        projection: `sparse` or `gaussian`.
        transition: Whether steps are averages over neighbors; else sums.
        normalize_rows: Whether powers are summed with rows of norm 1.
        random_state: Seed of the random matrix.

    Source: Chen et al., "Fast and Accurate Network Embeddings via Very Sparse Random Projection", CIKM 2019.
    """

    def __init__(
        self,
        n_components: int = 128,
        *,
        weights: Sequence[float] = (0.0, 0.0, 1.0, 4.0),
        exponent: float = -0.5,
        projection: str = "sparse",
        transition: bool = True,
        normalize_rows: bool = False,
        random_state: int = 0,
    ) -> None:
        self.n_components = n_components
        self.weights = weights
        self.exponent = exponent
        self.projection = projection
        self.transition = transition
        self.normalize_rows = normalize_rows
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, *, num_nodes: int | None = None) -> FastRP:  # noqa: N803  # scikit-learn's name
        """Draw the random matrix of a graph.

        Args:
            X: `edge_index` [2, E], a PyG `EdgeIndex`, torch CSR, graphkit CSR, or a SciPy sparse matrix; rows are targets.
            y: Not read.
            num_nodes: N, where X is an `edge_index`; None: the largest id and one.

        Raises:
            ValueError: `projection` is unknown or `n_components` below 1.
        """
        n = _operator(X, num_nodes).shape[0]
        self.projection_ = random_projection(n, self.n_components, self.projection, seed=self.random_state)
        return self

    def transform(self, X: Any) -> np.ndarray:  # noqa: N803
        """Embeddings [N, D], float32.

        Args:
            X: A graph of as many nodes as that of `fit`, in one of its forms.

        Raises:
            ValueError: The graph has more nodes, or no weight differs from 0.
        """
        embedding = fast_random_projection(
            _operator(X, self.projection_.size(0)),
            self.projection_,
            weights=self.weights,
            exponent=self.exponent,
            transition=self.transition,
            normalize_rows=self.normalize_rows,
        )
        found: np.ndarray = embedding.numpy()
        return found


def _operator(graph: Any, num_nodes: int | None) -> CSR:
    if not issparse(graph):
        nodes = num_nodes
        if nodes is None:
            nodes = graph.shape[0] if isinstance(graph, CSR) or graph.layout == torch.sparse_csr else int(graph.max()) + 1
        return as_csr(graph, nodes)
    entries = graph.tocoo()
    edges = torch.from_numpy(np.stack([entries.col, entries.row]).astype(np.int64))
    return CSR.from_edge_index(edges, entries.shape[0], torch.from_numpy(entries.data.astype(np.float32)))
