"""Prototypes for graphs: the nodes of a graph, balls in it, or the whole graph, compared with parts of training graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Unpack

import torch
from torch import Tensor
from torch.func import functional_call

from graphkit.errors import RequestError
from graphkit.layers.checks import check_at_least, check_choice
from graphkit.models.graph.backbone import BackboneModel
from graphkit.models.graph.base import GraphModel, GraphView
from graphkit.models.prototype_head import PrototypeHead, PrototypeOptions
from graphkit.prototypes import PartBatch
from graphkit.sparse import CSR, BatchOperator, GraphBatch, GraphIndex
from graphkit.sparse.egonets import MAX_BYTES, ball_budget, balls
from graphkit.training.stages import Stage, Step

PARTS = ("nodes", "balls", "graph")

Batches = Callable[[], Iterator[GraphBatch]]


class PrototypeGraphs(BackboneModel):
    """A graph model whose scores are sums over similarities to prototypes, which are parts of training graphs.

        z = parts of the graph,   s_j = pool over parts of similarity(z, p_j),   logits = classifier(s)

    Parts are the embeddings of the nodes; of the balls around them, each the mean of its nodes; or the embedding of the graph,
    one part. With nodes and balls one sees where in a graph it looks like a prototype, but only which parts occur decides, not
    how often.

    Args:
        backbone: A graph model that draws no subgraphs, untrained; its own head is taken off.
        out_channels: Number of classes C.
        parts: `nodes`, `balls` or `graph`.
        part_hops: Radius of the balls, at least 0; edges are followed from target to source, as messages come.
        **options: Arguments of `PrototypeHead`.

    Raises:
        ValueError: A number is out of its range, a name is unknown, the classifier cannot read the similarity, or the backbone
            draws subgraphs.

    Source: ProtGNN (AAAI 2022) compares whole graphs, and projects to subgraphs found by search; PrototypeGNN (IEEE TAI 2022)
    compares nodes.
    """

    head: PrototypeHead

    def __init__(
        self,
        backbone: GraphModel,
        out_channels: int,
        *,
        parts: str = "nodes",
        part_hops: int = 1,
        **options: Unpack[PrototypeOptions],
    ) -> None:
        super().__init__(backbone)
        check_choice(PARTS, parts=parts)
        check_at_least(0, part_hops=part_hops)
        self.parts, self.part_hops = parts, part_hops
        self.head = PrototypeHead(self.width if parts == "graph" else self.node_width, out_channels, **options)

    def prepare(self, batch: GraphBatch, *, vote: int = 0, seed: int = 0) -> GraphIndex | None:
        """What the backbone computes once, and the balls, see `GraphModel.prepare`."""
        index = super().prepare(batch, vote=vote, seed=seed)
        return Balls(_balls(batch, self.part_hops), index) if self.parts == "balls" else index

    def describe(self, batch: GraphBatch) -> str:
        """What the backbone says, see `GraphModel.describe`."""
        return super().describe(self._for_backbone(batch))

    def embed(self, batch: GraphBatch) -> Tensor:
        """Embeddings of the graphs [G, width]."""
        return super().embed(self._for_backbone(batch))

    def embed_nodes(self, batch: GraphBatch) -> Tensor:
        """Embeddings of the nodes [N, node_width]; NotImplementedError where the backbone has none."""
        return super().embed_nodes(self._for_backbone(batch))

    def forward(self, batch: GraphBatch) -> Tensor:
        """Class scores of the graphs [G, out_channels]."""
        logits: Tensor = self.head(*self._rows(batch))
        return logits

    def fit(self, view: GraphView) -> None:
        """Give no class more prototypes than it has training graphs, see `GraphModel.fit`.

        Raises:
            RequestError: Labels or numbers are to be predicted.
        """
        super().fit(view)
        if view.kind != "classes":
            raise RequestError(f"model=prototype: prototypes stand for classes, and the data set has {view.kind} to predict")
        self.head.limit(view.y)

    def training_loss(self, batch: GraphBatch, y: Tensor, loss: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """The loss of `PrototypeHead`, see `GraphModel.training_loss`."""
        return self.head.loss(self.head.similarities(*self._rows(batch)), y, loss)

    def stages(self, view: GraphView, step: Step, *, lr: float, head_lr: float | None) -> Sequence[Stage]:
        """The phases of `PrototypeHead`, see `GraphModel.stages`."""

        def project() -> None:
            self.head.project(self.backbone, lambda: self._training_parts(view), *_targets(view))

        self.head.start(self.backbone, lambda: self._training_parts(view), _targets(view)[0])
        return self.head.stages(self.backbone, step, project, lr=lr, head_lr=lr if head_lr is None else head_lr)

    def parts_of(self, batch: GraphBatch, graphs: Tensor) -> PartBatch:
        """The parts of the graphs of a batch, padded.

        Args:
            batch: Graphs with what `prepare` made of them.
            graphs: Their ids [B] in the collection.

        Returns:
            Parts with the id of the graph and the number of the node, or of the ball's center, inside it; -1: the whole graph.
        """
        z, ptr = self._rows(batch)
        if ptr is None:
            ptr, items = torch.arange(z.size(0) + 1, device=z.device), graphs.new_full((z.size(0),), -1)
            return PartBatch.of_ragged(z, ptr, graphs, items)
        return PartBatch.of_ragged(z, ptr, graphs, torch.arange(z.size(0), device=z.device) - ptr[batch.graph])

    def extra_predictions(self, view: GraphView, everything: Batches) -> dict[str, Tensor]:
        """See `PrototypeHead.arrays`."""

        def scores(values: Mapping[str, Tensor]) -> Tensor:
            return torch.cat([functional_call(self.head, dict(values), self._rows(batch)) for batch in everything()])

        similarity = torch.cat([self.head.similarities(*self._rows(batch)) for batch in everything()])
        return self.head.arrays(similarity, scores, lambda: self._training_parts(view), _targets(view)[1])

    def _rows(self, batch: GraphBatch) -> tuple[Tensor, Tensor | None]:
        """The parts one graph after the other [T, D], and where each graph begins; None: one part per graph."""
        if self.parts == "graph":
            return self.embed(batch), None
        try:
            z = self.embed_nodes(batch)
        except NotImplementedError as error:
            raise RequestError(f"model.parts={self.parts}: {error} Take model.parts=graph or another backbone.") from error
        return (self.index_of(batch, Balls).balls.csr.matmul(z, "mean") if self.parts == "balls" else z), batch.ptr

    def _for_backbone(self, batch: GraphBatch) -> GraphBatch:
        return batch.with_index(batch.index.inner) if isinstance(batch.index, Balls) else batch

    def _training_parts(self, view: GraphView) -> Iterator[PartBatch]:
        first = 0
        for batch in view.batches():
            yield self.parts_of(batch, view.graphs[first : first + batch.num_graphs])
            first += batch.num_graphs


def _targets(view: GraphView) -> tuple[Tensor, Tensor]:
    """By id of the graph its class, -1 outside of training, and whether it is for training."""
    labels = torch.full((view.num_graphs,), -1, device=view.y.device).index_copy(0, view.graphs, view.y)
    return labels, labels >= 0


def _balls(batch: GraphBatch, hops: int) -> BatchOperator:
    """The operator whose row v has a one at every node of the ball around v."""
    roots = torch.arange(batch.num_nodes, device=batch.ptr.device).unsqueeze(1)
    ball_budget(batch.adj, roots, hops).refuse_beyond(MAX_BYTES, f"balls of {hops} hops")
    ptr, member = balls(batch.adj, roots, hops)
    root = roots[:, 0].repeat_interleave(ptr.diff())
    return BatchOperator(CSR.from_edge_index(torch.stack([member, root]), batch.num_nodes), batch.ptr)


@dataclass(frozen=True, eq=False)
class Balls:
    """What is prepared for `parts=balls`, as an index of a batch.

    Attributes:
        balls: The operator that sums over balls.
        inner: What the backbone prepared.
    """

    balls: BatchOperator
    inner: GraphIndex | None

    def take(self, graphs: Tensor) -> Balls:
        """Those of some graphs [B]; ValueError where an id is out of range."""
        return Balls(self.balls.take(graphs), None if self.inner is None else self.inner.take(graphs))

    def to(self, device: torch.device | str) -> Balls:
        """The same on another device."""
        return Balls(self.balls.to(device), None if self.inner is None else self.inner.to(device))
