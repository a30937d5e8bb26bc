"""HEI: environments inferred from how nodes resemble their neighbors, and a network that must do well in each of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least
from graphkit.models.node.backbone import BackboneModel
from graphkit.models.node.base import NodeModel, NodeView
from graphkit.sparse import CSR, edge_products, segment_mean
from graphkit.training.stages import Backward, Stage, Step


@torch.no_grad()
def neighborhood_pattern(x: Tensor | CSR, adj: CSR) -> Tensor:
    r"""Mean distance of a node's features from those of its neighbors; no label is read.

    .. math:: z_v = \frac{1}{|N(v)|} \sum_{u \in N(v)} \lVert x_v - x_u \rVert_2

    Args:
        x: Features [N, F], dense or sparse.
        adj: A graph; rows are targets, values do not matter. A self-loop counts as a neighbor at distance 0.

    Returns:
        [N], float64; 0 of a node without neighbors.
    """
    x = x.with_value(x.weights(torch.float64)) if isinstance(x, CSR) else x.double()  # differences of large squares
    squares = x.with_value(x.weights(torch.float64).square()).row_sum() if isinstance(x, CSR) else x.square().sum(1)
    distance = (squares[adj.row] + squares[adj.col] - 2 * edge_products(adj, x)).clamp(min=0).sqrt()
    return segment_mean(distance.unsqueeze(1), adj.rowptr, adj.row).squeeze(1)


def invariance_penalty(logits: Tensor, y: Tensor, weights: Tensor) -> Tensor:
    r"""How much each environment would like to scale the logits: the penalty of IRMv1, in closed form.

    .. math:: P = \sum_e \Big(\frac{1}{B} \sum_v w_{ve} \frac{\partial}{\partial s} \mathrm{CE}(s z_v, y_v) \Big|_{s=1}\Big)^2,
        \quad \frac{\partial}{\partial s} \mathrm{CE}(s z, y) \Big|_{s=1} = \sum_c p_c z_c - z_y

    Args:
        logits: z [B, C].
        y: Classes [B].
        weights: Share w of each node in each environment [B, E].

    Returns:
        A scalar, at least 0.

    Source: Arjovsky et al., "Invariant Risk Minimization", arXiv:1907.02893. The code of HEI scales log-probabilities under a
    loss that is linear in them, whose derivative is the loss itself: it then punishes errors, not differences.
    """
    wanted = logits.gather(1, y.unsqueeze(1)).squeeze(1)
    slope = (logits.softmax(1) * logits).sum(1) - wanted
    return (weights * slope.unsqueeze(1)).mean(0).square().sum()


class HEI(BackboneModel):
    """Any node model whose errors must not depend on how much a node resembles its neighbors.

    A small network shares every training node out to E environments: w_v = softmax(MLP(z_v)) with z the standardized
    `neighborhood_pattern`. For the first `infer_epochs` epochs it learns to make the penalty large, and the model learns the
    plain cross-entropy. Then environments stay, and the model's loss is

        (mean cross-entropy + penalty P) / (1 + penalty),   P = invariance_penalty

    Args:
        backbone: Any node model, untrained.
        out_channels: Number of classes C.
        environments: E, at least 2.
        environment_channels: Width of the network that infers them.
        environment_lr: Its learning rate.
        infer_epochs: Epochs in which it learns, at least 1.
        penalty: Weight of P, at least 0.

    Raises:
        ValueError: A number is out of its range.

    Source: Yang et al., "Leveraging Invariant Principle for Heterophilic Graph Structure Distribution Shifts", WWW 2025. The
    penalty of weights is Adam's and is not divided by 1 + `penalty`; the backbone's head is linear.
    """

    def __init__(
        self,
        backbone: NodeModel,
        out_channels: int,
        *,
        environments: int = 2,
        environment_channels: int = 16,
        environment_lr: float = 0.01,
        infer_epochs: int = 10,
        penalty: float = 10.0,
    ) -> None:
        super().__init__(backbone)
        check_at_least(2, environments=environments)
        check_at_least(1, infer_epochs=infer_epochs, environment_channels=environment_channels)
        check_at_least(0, penalty=penalty, environment_lr=environment_lr)
        self.head = nn.Linear(backbone.embedding_channels, out_channels)
        self.inference = nn.Sequential(
            nn.Linear(1, environment_channels), nn.ReLU(), nn.Linear(environment_channels, environments)
        )
        self.environment_lr, self.infer_epochs, self.penalty = environment_lr, infer_epochs, penalty
        self._pattern: Tensor | None = None

    def fit(self, view: NodeView) -> None:
        """Measure neighborhoods, standardized by those of the training nodes, see `NodeModel.fit`."""
        super().fit(view)
        z = neighborhood_pattern(view.x, view.adj)
        std, mean = torch.std_mean(z[view.nodes], correction=0)
        self._pattern = (z - mean) / (std if std > 0 else 1.0)

    def environments_of(self, nodes: Tensor) -> Tensor:
        """Share of each environment in some nodes [B, E].

        Raises:
            RuntimeError: The model is not fitted.
        """
        if self._pattern is None:
            raise RuntimeError("environments are inferred from what `fit` measures, which must be called first")
        pattern = self._pattern[nodes].unsqueeze(1)
        shares: Tensor = self.inference(pattern.to(next(self.inference.parameters()).dtype)).softmax(1)
        return shares

    def inference_loss(self, view: NodeView, nodes: Tensor) -> Tensor:
        """Cross-entropy of the model less the penalty of the environments: neither bends to the other."""
        logits, y = self._logits(view, nodes), view.y[nodes]
        return F.cross_entropy(logits, y) - invariance_penalty(logits.detach(), y, self.environments_of(nodes))

    def training_loss(self, view: NodeView, nodes: Tensor) -> Tensor:
        """Cross-entropy and penalty with environments as they are, see `NodeModel.training_loss`."""
        logits, y = self._logits(view, nodes), view.y[nodes]
        penalty = invariance_penalty(logits, y, self.environments_of(nodes).detach())
        return (F.cross_entropy(logits, y) + self.penalty * penalty) / (1 + self.penalty)

    def _logits(self, view: NodeView, nodes: Tensor) -> Tensor:
        logits = self(view.x, view.adj)[nodes]
        found: Tensor = logits.to(torch.promote_types(logits.dtype, torch.float32))
        return found

    def stages(self, view: NodeView, step: Step, *, lr: float, head_lr: float | None) -> Sequence[Stage]:
        """Environments are inferred, then held, see `NodeModel.stages`."""
        rate = lr if head_lr is None else head_lr
        groups = [{"params": list(self.backbone.parameters()), "lr": lr}, {"params": list(self.head.parameters()), "lr": rate}]
        groups = [group for group in groups if group["params"]]
        inference = {"params": list(self.inference.parameters()), "lr": self.environment_lr, "weight_decay": 0.0}

        def infer(model: HEI, nodes: Tensor, backward: Backward) -> Tensor:
            loss = self.inference_loss(view, nodes)
            backward(loss)
            return loss.detach()

        return [
            Stage("environments", [*groups, inference], epochs=self.infer_epochs, step=infer, selects=False),
            Stage("invariant", groups),
        ]

    def extra_predictions(self, view: NodeView) -> dict[str, Tensor]:
        """`environments` [N, E]: the share of each environment in each node."""
        return {"environments": self.environments_of(torch.arange(view.y.numel(), device=view.y.device))}
