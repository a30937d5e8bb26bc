"""Gradient boosted trees on what a node and its surroundings are: the competitor without message passing that learns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least
from graphkit.models.node.base import NodeModel, NodeView
from graphkit.sparse import CSR, normalize, remember
from graphkit.sparse.graph_measures import fast_random_projection, pagerank, random_projection
from graphkit.training.stages import Stage, Step

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

_LEAST = 1e-12
"""Smallest probability whose logarithm is told."""


@torch.no_grad()
def tree_features(x: Tensor | CSR, adj: CSR, *, hops: int = 2, projection_channels: int = 32, seed: int = 0) -> Tensor:
    """What trees may ask of a node: [x, M x, M M x, ..., degree, N PageRank, FastRP], M = D^-1 A.

    A node without neighbors has means of 0. Degree is the sum of its weights.

    Args:
        x: Features [N, F], dense or sparse.
        adj: A [N, N], rows are targets.
        hops: How many times means over neighbors are taken, at least 0.
        projection_channels: Width of the FastRP embedding; 0: none.
        seed: Of its random matrix.

    Returns:
        [N, (1 + hops) F + 2 + projection_channels], float32.
    """
    n = adj.shape[0]
    own = (x.to_dense(torch.float32) if isinstance(x, CSR) else x).float()
    mean, parts = normalize(adj, "mean"), [own]
    for _ in range(hops):
        parts.append(mean @ parts[-1])
    degree = adj.row_sum(torch.float64).detach()
    parts += [degree.float().unsqueeze(1), (n * pagerank(adj)).float().unsqueeze(1)]
    if projection_channels:
        r = random_projection(n, projection_channels, seed=seed).to(adj.device)
        parts.append(fast_random_projection(adj, r))
    return torch.cat(parts, dim=1)


class TreeHead(nn.Module):
    """Logarithms of the class probabilities that trees give, without gradients; before they are fitted all classes are alike.

    Args:
        num_classes: C.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.trees: HistGradientBoostingClassifier | None = None

    def forward(self, h: Tensor) -> Tensor:
        """Logits [N, C] of tree features h [N, D]."""
        if self.trees is None:
            return h.new_full((len(h), self.num_classes), -math.log(self.num_classes))
        found = torch.from_numpy(self.trees.predict_proba(h.detach().cpu().numpy()))
        p = found.new_zeros(len(found), self.num_classes).index_copy(1, torch.from_numpy(self.trees.classes_), found)
        return p.clamp(min=_LEAST).log().to(h)


class Trees(NodeModel):
    """Histogram gradient boosting on own features, means over neighbors, degree, PageRank and FastRP, see `tree_features`.

    logits = ln p, where p are the class probabilities of the trees; a class without a training node has p = 1e-12. Trees are
    fitted again whenever the model is made, which gives the same ones from the same data with the same scikit-learn.

    Args:
        in_channels: Feature width F.
        out_channels: Number of classes C.
        hops: How many times means over neighbors are taken, at least 0.
        projection_channels: Width of the FastRP embedding; 0: none.
        iterations: Rounds of boosting, at least 1.
        rate: Shrinkage of a round, above 0.
        leaves: Most leaves of a tree, at least 2.
        least_leaf: Fewest training nodes of a leaf, at least 1.
        penalty: L2 penalty of the leaves, at least 0.

    Raises:
        ValueError: A number is out of its range.

    Source: trees of scikit-learn, after LightGBM (Ke et al., NeurIPS 2017).
    """

    trained: ClassVar[bool] = False
    head: TreeHead
    seed: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        hops: int = 2,
        projection_channels: int = 32,
        iterations: int = 100,
        rate: float = 0.1,
        leaves: int = 31,
        least_leaf: int = 5,
        penalty: float = 1.0,
    ) -> None:
        super().__init__()
        check_at_least(0, hops=hops, projection_channels=projection_channels, penalty=penalty)
        check_at_least(1, iterations=iterations, least_leaf=least_leaf)
        check_at_least(2, leaves=leaves)
        if not rate > 0:
            raise ValueError(f"rate must lie above 0, got {rate}")
        self.head = TreeHead(out_channels)
        self.register_buffer("seed", torch.randint(2**31, ()))
        self.in_channels, self.hops, self.projection_channels = in_channels, hops, projection_channels
        self.boosting = {
            "max_iter": iterations,
            "learning_rate": rate,
            "max_leaf_nodes": leaves,
            "min_samples_leaf": least_leaf,
            "l2_regularization": penalty,
        }

    @property
    def bound_to_nodes(self) -> str:
        """The random projection, where there is one, see `NodeModel.bound_to_nodes`."""
        drawn = "reads random projections that are drawn for the nodes of its graph (model.projection_channels=0 does not)"
        return drawn if self.projection_channels else ""

    @property
    def embedding_channels(self) -> int:
        """Width of what trees may ask, see `NodeModel.embedding_channels`."""
        return (1 + self.hops) * self.in_channels + 2 + self.projection_channels

    def hidden(self, x: Tensor | CSR, adj: CSR) -> Tensor:
        """The tree features, made once per features and graph, see `NodeModel.hidden`."""
        options = {"hops": self.hops, "projection_channels": self.projection_channels, "seed": int(self.seed)}
        return remember(lambda: tree_features(x, adj, **options), ("tree features", *options.values()), x, adj)

    def _dense(self, h: Tensor | CSR) -> Tensor:
        """Tree features are dense; there is no parameter whose precision they could have."""
        assert isinstance(h, Tensor)
        return h

    def fit(self, view: NodeView) -> None:
        """Grow the trees on the training nodes, see `NodeModel.fit`."""
        from sklearn.ensemble import HistGradientBoostingClassifier  # half a second that other models need not wait for

        h = self.hidden(view.x, view.adj)[view.nodes].cpu().numpy()
        trees = HistGradientBoostingClassifier(early_stopping=False, random_state=int(self.seed), **self.boosting)
        self.head.trees = trees.fit(h, view.y[view.nodes].cpu().numpy())

    def stages(self, view: NodeView, step: Step, *, lr: float, head_lr: float | None) -> Sequence[Stage]:
        """None: `fit` has done it, see `NodeModel.stages`."""
        return ()


class TreesRegressor:
    """The same trees for a number per node; there is no task of that kind, so it is called as scikit-learn's are.

    Args:
        hops: How many times means over neighbors are taken.
        projection_channels: Width of the FastRP embedding; 0: none.
        seed: Of its random matrix and of the trees.
        **boosting: Arguments of scikit-learn's `HistGradientBoostingRegressor`.
    """

    def __init__(self, *, hops: int = 2, projection_channels: int = 32, seed: int = 0, **boosting: Any) -> None:
        from sklearn.ensemble import HistGradientBoostingRegressor  # as above

        self.hops, self.projection_channels, self.seed = hops, projection_channels, seed
        self.trees = HistGradientBoostingRegressor(random_state=seed, **boosting)

    def fit(self, x: Tensor | CSR, adj: CSR, y: Tensor, nodes: Tensor) -> TreesRegressor:
        """Grow the trees.

        Args:
            x: Features [N, F].
            adj: The graph; rows are targets.
            y: Numbers [N].
            nodes: Ids of the nodes to learn from.
        """
        self.trees.fit(self._features(x, adj)[nodes.cpu().numpy()], y[nodes].cpu().numpy())
        return self

    def predict(self, x: Tensor | CSR, adj: CSR) -> Tensor:
        """A number per node [N], float64."""
        return torch.from_numpy(self.trees.predict(self._features(x, adj)))

    def _features(self, x: Tensor | CSR, adj: CSR) -> np.ndarray:
        found = tree_features(x, adj, hops=self.hops, projection_channels=self.projection_channels, seed=self.seed)
        values: np.ndarray = found.cpu().numpy()
        return values
