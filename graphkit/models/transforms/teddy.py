"""TEDDY: edges sparsified at once by degrees, then weights by projection onto an L0 ball while a dense teacher is followed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least, check_within
from graphkit.models.node.base import NodeModel, NodeView
from graphkit.models.transforms.base import Changed, Transform
from graphkit.sparse import CSR, Adjacency, as_csr, at_cols, at_rows
from graphkit.sparse.graph_measures import simple_graph
from graphkit.training.stages import Backward, Stage, Step


def edge_scores(graph: CSR) -> Tensor:
    r"""How much an edge matters by degrees alone; edges between nodes of low degree matter most.

    .. math:: s_{uv} = \frac{g_u g_v}{d_u d_v}, \quad g_u = \frac{1}{d_u} \sum_{w \in N(u)} d_w^{-1/2}

    Args:
        graph: An undirected graph without loops and values, as `simple_graph` gives it.

    Returns:
        [nnz], float64, the same in both directions of an edge.
    """
    degree = graph.degree().double()
    inverse = torch.where(degree > 0, degree.clamp(min=1).reciprocal(), 0.0)
    part = (graph @ inverse.sqrt()) * inverse * inverse
    return at_rows(part, graph.structure) * at_cols(part, graph.structure)


class Teddy(Transform):
    """Keeps the share of the edges with the highest `edge_scores`, in one go; an undirected edge stays or goes as a whole.

    Scores are those of the undirected graph. Of equal scores the pair of lower ids stays. Self-loops always stay.

    Args:
        edges: Share of the pairs of linked nodes that stay, in (0, 1].

    Raises:
        ValueError: `edges` is out of its range.

    Source: Seo, Yun and Yang, "TEDDY: Trimming Edges with Degree-based Discrimination strategY", ICLR 2024.
    """

    def __init__(self, *, edges: float = 0.5) -> None:
        check_within(0, 1, edges=edges)
        if edges == 0:
            raise ValueError("edges=0 leaves none: take a share above 0")
        self.edges = edges

    def __call__(self, x: Tensor | None, adj: CSR, seed: int) -> Changed:
        """The sparser graph, see `Transform`; nothing is drawn."""
        graph = simple_graph(adj)
        once = (graph.row < graph.col).nonzero().view(-1)  # ascending by the pair's ids
        count = max(round(self.edges * once.numel()), 1)
        chosen = once[edge_scores(graph)[once].sort(descending=True, stable=True).indices[:count]]
        n = adj.shape[0]
        kept = graph.row[chosen] * n + graph.col[chosen]
        edge_index, present = adj.edge_index(), adj.weights(torch.float32).detach()
        if adj.mask is not None:
            present = present[adj.mask]
        low, high = edge_index.amin(0), edge_index.amax(0)
        stays = torch.isin(low * n + high, kept) | (low == high)
        told = f"transform=teddy: {count:,} of {once.numel():,} pairs of linked nodes stay linked"
        return Changed(edge_index[:, stays], told, None if adj.value is None else present[stays])


class SparseTraining(NodeModel):
    """Any node model, with a share of its weights, following what it said of the whole graph.

    First the model is trained on the whole graph, for `dense_epochs` epochs, and its logits t are kept. Then it starts again
    from the same initial weights, on the sparser graph, with the loss

        its own + distill * mean over all nodes of KL(softmax(z_v) || softmax(t_v))

    Before every step, and after the last of an epoch, all but the `weights` largest of its parameters by magnitude become 0.

    Args:
        model: Any node model, untrained.
        out_channels: Number of classes C.
        num_nodes: Number of nodes N.
        dense: The whole graph.
        weights: Share of the parameters that may differ from 0, in (0, 1].
        distill: Weight of the divergence; 0: there is no first training.
        dense_epochs: Its length, at least 1, where the model sets none of its own.

    Raises:
        ValueError: A number is out of its range, or the model is none that is trained.

    Source: Seo, Yun and Yang, ICLR 2024. Their teacher is of the best epoch by validation; a model here sees no label outside
    of training, so that its teacher is of the last one. The divergence has a forward pass of its own.
    """

    teacher: Tensor

    def __init__(
        self,
        model: NodeModel,
        out_channels: int,
        num_nodes: int,
        *,
        dense: CSR,
        weights: float = 0.5,
        distill: float = 1.0,
        dense_epochs: int = 200,
    ) -> None:
        super().__init__()
        check_within(0, 1, weights=weights)
        check_at_least(0, distill=distill)
        check_at_least(1, dense_epochs=dense_epochs)
        if weights == 0:
            raise ValueError("weights=0 leaves none: take a share above 0")
        if not model.trained and (weights < 1 or distill):
            raise ValueError("nothing of it is trained: take transform.weights=1 transform.distill=0")
        self.model = model
        self.weights, self.distill, self.dense_epochs = weights, distill, dense_epochs
        self._dense_graph = dense
        self.register_buffer("teacher", torch.zeros(num_nodes if distill else 0, out_channels))

    @property
    def head(self) -> nn.Module:  # type: ignore[override]  # a property: it is the model's
        """The last layer of the model."""
        return self.model.head

    @property
    def embedding_channels(self) -> int:
        """That of the model, see `NodeModel.embedding_channels`."""
        return self.model.embedding_channels

    def hidden(self, x: Tensor | CSR, adj: CSR) -> Tensor | CSR:
        """That of the model, see `NodeModel.hidden`."""
        return self.model.hidden(x, adj)

    def embed(self, x: Tensor | CSR, adj: Adjacency) -> Tensor:
        """That of the model, see `NodeModel.embed`."""
        return self.model.embed(x, adj)

    def forward(self, x: Tensor | CSR, adj: Adjacency) -> Tensor:
        """Class scores of the model, see `NodeModel.forward`."""
        logits: Tensor = self.model(x, as_csr(adj, x.shape[0]))
        return logits

    def fit(self, view: NodeView) -> None:
        """That of the model, see `NodeModel.fit`."""
        self.model.fit(view)

    def training_loss(self, view: NodeView, nodes: Tensor) -> Tensor:
        """That of the model, see `NodeModel.training_loss`."""
        return self.model.training_loss(view, nodes)

    def extra_predictions(self, view: NodeView) -> dict[str, Tensor]:
        """Those of the model, see `NodeModel.extra_predictions`."""
        return self.model.extra_predictions(view)

    @torch.no_grad()
    def project(self) -> None:
        """Set all but the largest parameters to 0; of equal ones some."""
        parameters = list(self.model.parameters())
        sizes = torch.cat([parameter.abs().view(-1) for parameter in parameters])
        count = math.ceil(self.weights * sizes.numel())
        if count == sizes.numel():
            return
        stays = torch.zeros_like(sizes, dtype=torch.bool)
        stays[sizes.topk(count).indices] = True
        for parameter, mask in zip(parameters, stays.split([one.numel() for one in parameters]), strict=True):
            parameter.mul_(mask.view_as(parameter))

    def divergence(self, view: NodeView) -> Tensor:
        """Mean over all nodes of KL(softmax(z) || softmax(t)); a scalar."""
        logits = self(view.x, view.adj)
        given = self.teacher.to(logits.dtype)
        return F.kl_div(given.log_softmax(1), logits.log_softmax(1), reduction="batchmean", log_target=True)

    def stages(self, view: NodeView, step: Step, *, lr: float, head_lr: float | None) -> Sequence[Stage]:
        """Those of the model on the whole graph, then those on the sparser one with projection, see `NodeModel.stages`."""
        sparse = [self._projected(stage, view, step) for stage in self.model.stages(view, step, lr=lr, head_lr=head_lr)]
        if not self.distill or not sparse:
            return sparse
        whole = replace(view, adj=self._dense_graph)

        def dense_step(model: nn.Module, nodes: Tensor, backward: Backward) -> Tensor:
            loss = self.model.training_loss(whole, nodes)
            backward(loss)
            return loss.detach()

        dense = [
            replace(
                stage,
                name=f"dense {stage.name}",
                epochs=self.dense_epochs if stage.epochs is None else stage.epochs,
                step=stage.step or dense_step,
                selects=False,
                last=False,
            )
            for stage in self.model.stages(whole, dense_step, lr=lr, head_lr=head_lr)
        ]
        initial = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        return [*dense, Stage("teacher", [], epochs=1, after_epoch=self._teach(whole, initial), selects=False), *sparse]

    def _teach(self, whole: NodeView, initial: dict[str, Any]) -> Callable[[int], None]:
        """Keep the logits of the whole graph, and start again."""

        @torch.no_grad()
        def teach(epoch: int) -> None:
            training = self.training
            self.eval()
            self.teacher.copy_(self(whole.x, whole.adj))
            self.train(training)
            self.model.load_state_dict(initial)

        return teach

    def _projected(self, stage: Stage, view: NodeView, usual: Step) -> Stage:
        """A stage of the model, with projection and divergence."""

        def step(model: nn.Module, nodes: Tensor, backward: Backward) -> Tensor:
            self.project()
            loss = (stage.step or usual)(model, nodes, backward)
            if self.distill:
                apart = self.distill * self.divergence(view)
                backward(apart)
                loss = loss + apart.detach()
            return loss

        def after_epoch(epoch: int) -> None:
            if stage.after_epoch is not None:
                stage.after_epoch(epoch)
            self.project()

        return replace(stage, step=step, after_epoch=after_epoch)
