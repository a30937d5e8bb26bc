"""FastRP and logistic regression: node classification by the graph alone, without gradient descent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least, check_choice
from graphkit.models.node.base import NodeModel, NodeView
from graphkit.sparse import CSR, remember
from graphkit.sparse.graph_measures import fast_random_projection, random_projection
from graphkit.training.stages import Stage, Step

PROJECTIONS = ("sparse", "gaussian")
_NEVER = -1e4
"""Logit of a class without a training node: its probability is 0."""


def walk_weights(text: str) -> tuple[float, ...]:
    """Weights of walks of one, two, ... steps from a text such as `0,0,1,4`.

    Raises:
        ValueError: It holds something else than numbers, or none that differs from 0.
    """
    try:
        weights = tuple(float(part) for part in text.split(","))
    except ValueError:
        weights = ()
    if not any(weights) or not all(map(math.isfinite, weights)):
        raise ValueError(f"walks must be numbers with commas between, not all of them 0, such as 0,0,1,4; got {text!r}")
    return weights


class FastRPModel(NodeModel):
    """Logistic regression on FastRP embeddings; features are not read.

        logits = W u_v + b,   u = FastRP(A),   W, b minimize 1/2 |W|^2 + c sum over training nodes of the cross-entropy

    Args:
        out_channels: Number of classes C.
        channels: Width D of embeddings.
        walks: Weights of walks of one, two, ... steps, with commas between.
        exponent: Of the degrees, see `fast_random_projection`.
        projection: `sparse` or `gaussian` entries of the random matrix.
        transition: Whether a step is an average over neighbors; else their sum.
        normalize_rows: Whether powers are summed with rows of norm 1.
        c: Inverse strength of the penalty, above 0.

    Raises:
        ValueError: A number is out of its range, or `projection` is unknown.

    Source: Chen et al., CIKM 2019; the random matrix is another one per seed, and `c` is not tuned on test nodes.
    """

    trained: ClassVar[bool] = False
    head: nn.Linear
    seed: Tensor

    def __init__(
        self,
        out_channels: int,
        *,
        channels: int = 128,
        walks: str = "0,0,1,4",
        exponent: float = -0.5,
        projection: str = "sparse",
        transition: bool = True,
        normalize_rows: bool = False,
        c: float = 1.0,
    ) -> None:
        super().__init__()
        check_at_least(1, channels=channels)
        check_choice(PROJECTIONS, projection=projection)
        if not c > 0:
            raise ValueError(f"c must lie above 0, got {c}")
        self.head = nn.Linear(channels, out_channels).requires_grad_(False)
        self.register_buffer("seed", torch.randint(2**31, ()))
        self.channels, self.projection, self.c = channels, projection, c
        self.walks, self.exponent = walk_weights(walks), exponent
        self.transition, self.normalize_rows = transition, normalize_rows

    @property
    def bound_to_nodes(self) -> str:
        """The random projection, see `NodeModel.bound_to_nodes`."""
        return "reads random projections that are drawn for the nodes of the graph it was fitted on"

    @property
    def embedding_channels(self) -> int:
        """Width of the embeddings, see `NodeModel.embedding_channels`."""
        return self.channels

    def hidden(self, x: Tensor | CSR, adj: CSR) -> Tensor:
        """FastRP embeddings, made once per graph, see `NodeModel.hidden`."""
        dtype, seed = x.dtype or torch.get_default_dtype(), int(self.seed)

        def embed() -> Tensor:
            r = random_projection(adj.shape[0], self.channels, self.projection, seed=seed).to(adj.device, dtype)
            return fast_random_projection(
                adj,
                r,
                weights=self.walks,
                exponent=self.exponent,
                transition=self.transition,
                normalize_rows=self.normalize_rows,
            )

        chosen = (seed, self.channels, self.projection, self.walks, self.exponent, self.transition, self.normalize_rows)
        return remember(embed, ("fastrp", *chosen, dtype), adj)

    def fit(self, view: NodeView) -> None:
        """Fit the regression on the training nodes, see `NodeModel.fit`."""
        from sklearn.linear_model import LogisticRegression  # half a second that other models need not wait for

        u, y = self.hidden(view.x, view.adj)[view.nodes], view.y[view.nodes]
        found = LogisticRegression(C=self.c, max_iter=1000).fit(u.double().cpu().numpy(), y.cpu().numpy())
        weight, bias = torch.from_numpy(found.coef_), torch.from_numpy(found.intercept_)
        if len(found.classes_) == 2:  # scikit-learn has one row then, whose score is that of the second class over the first
            weight, bias = torch.cat([torch.zeros_like(weight), weight]), torch.cat([torch.zeros_like(bias), bias])
        classes = torch.from_numpy(found.classes_)
        self.head.weight.copy_(weight.new_zeros(self.head.weight.shape).index_copy(0, classes, weight))
        self.head.bias.copy_(bias.new_full(self.head.bias.shape, _NEVER).index_copy(0, classes, bias))

    def stages(self, view: NodeView, step: Step, *, lr: float, head_lr: float | None) -> Sequence[Stage]:
        """None: `fit` has done it, see `NodeModel.stages`."""
        return ()
