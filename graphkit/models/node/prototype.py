"""Prototypes for node classification: a node is compared with training nodes, itself or by its neighborhood."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Unpack

import torch
from torch import Tensor
from torch.func import functional_call

from graphkit.layers.checks import check_at_least, check_choice
from graphkit.models.node.backbone import BackboneModel
from graphkit.models.node.base import NodeModel, NodeView
from graphkit.models.prototype_head import PrototypeHead, PrototypeOptions
from graphkit.prototypes import PartBatch
from graphkit.sparse import CSR, gather
from graphkit.sparse.egonets import ball_sizes, balls
from graphkit.training.stages import Stage, Step

PARTS = ("node", "neighborhood")
BLOCK = 2**24
"""Numbers that the parts of a block of nodes take at most: their similarities, or their embeddings where they are padded."""


class PrototypeNodes(BackboneModel):
    """A node model whose scores are sums over similarities to prototypes, which are training nodes.

        h = backbone.embed(x, adj),   s_j = pool over parts u of v of similarity(h_u, p_j),   logits = classifier(s)

    The parts of a node are itself, or all nodes within `part_hops` steps. Then one sees which neighbor looked like a prototype.

    Args:
        backbone: Any node model, untrained; its own head is taken off.
        out_channels: Number of classes C.
        parts: `node` or `neighborhood`.
        part_hops: Radius of a neighborhood, at least 0; edges are followed from target to source, as messages come.
        **options: Arguments of `PrototypeHead`.

    Raises:
        ValueError: A number is out of its range, a name is unknown, or the classifier cannot read the similarity.

    Source: ProtoPNet, NeurIPS 2019, on nodes, as in PrototypeGNN, IEEE TAI 2022.
    """

    head: PrototypeHead

    def __init__(
        self,
        backbone: NodeModel,
        out_channels: int,
        *,
        parts: str = "node",
        part_hops: int = 1,
        **options: Unpack[PrototypeOptions],
    ) -> None:
        super().__init__(backbone)
        check_choice(PARTS, parts=parts)
        check_at_least(0, part_hops=part_hops)
        channels = backbone.embedding_channels
        self.head_takes_graph = parts == "neighborhood"
        if self.head_takes_graph:
            self.head = NeighborhoodHead(channels, out_channels, hops=part_hops, **options)
        else:
            self.head = PrototypeHead(channels, out_channels, **options)

    def fit(self, view: NodeView) -> None:
        """Give no class more prototypes than it has training nodes, see `NodeModel.fit`."""
        super().fit(view)
        self.head.limit(view.y[view.nodes])

    def training_loss(self, view: NodeView, nodes: Tensor) -> Tensor:
        """The loss of `PrototypeHead` over some nodes, see `NodeModel.training_loss`."""
        similarity = self._similarities(self.embed(view.x, view.adj), view.adj, nodes)
        return self.head.loss(similarity, view.y[nodes])

    def stages(self, view: NodeView, step: Step, *, lr: float, head_lr: float | None) -> Sequence[Stage]:
        """The phases of `PrototypeHead`, see `NodeModel.stages`."""

        def project() -> None:
            self.head.project(self.backbone, lambda: self._training_parts(view), view.y, view.y >= 0)

        self.head.start(self.backbone, lambda: self._training_parts(view), view.y)
        return self.head.stages(self.backbone, step, project, lr=lr, head_lr=lr if head_lr is None else head_lr)

    def parts_of(self, view: NodeView, nodes: Tensor) -> PartBatch:
        """The parts of some nodes [B], padded, with ids of the node and of the part.

        With `view` any graph can be explained; no label of it is read.
        """
        return self._parts(self.embed(view.x, view.adj), view.adj, nodes)

    def extra_predictions(self, view: NodeView) -> dict[str, Tensor]:
        """See `PrototypeHead.arrays`."""
        h = self.embed(view.x, view.adj)
        arguments = (h, view.adj) if self.head_takes_graph else (h,)

        def scores(values: Mapping[str, Tensor]) -> Tensor:
            logits: Tensor = functional_call(self.head, dict(values), arguments)
            return logits

        similarity = self._similarities(h, view.adj, torch.arange(h.size(0), device=h.device))
        return self.head.arrays(similarity, scores, lambda: self._training_parts(view), view.y >= 0)

    def _similarities(self, h: Tensor, adj: CSR, nodes: Tensor) -> Tensor:
        if isinstance(self.head, NeighborhoodHead):
            return self.head.of_nodes(h, adj, nodes)
        return self.head.similarities(gather(h, nodes))

    def _parts(self, h: Tensor, adj: CSR, nodes: Tensor) -> PartBatch:
        if not isinstance(self.head, NeighborhoodHead):
            return PartBatch.of_nodes(h[nodes], nodes)
        ptr, member = balls(adj, nodes.unsqueeze(1), self.head.hops)
        return PartBatch.of_ragged(h[member], ptr, nodes, member)

    def _training_parts(self, view: NodeView) -> Iterator[PartBatch]:
        """Parts of training nodes that are training nodes themselves, in blocks; what a prototype may become."""
        h, is_train = self.embed(view.x, view.adj), view.y >= 0
        largest = 1
        if isinstance(self.head, NeighborhoodHead):
            largest = int(ball_sizes(view.adj, view.nodes.unsqueeze(1), self.head.hops).max())
        for nodes in view.nodes.split(max(BLOCK // (largest * h.size(1)), 1)):
            parts = self._parts(h, view.adj, nodes)
            # A node is a part of its own neighborhood, so that each has a part left.
            yield PartBatch(parts.z, parts.mask & is_train[parts.ref[..., 1]], parts.ref)


class NeighborhoodHead(PrototypeHead):
    """A head whose parts of a node are the nodes within some steps of it.

    Every node is compared with the prototypes once; then the similarities of neighborhoods are pooled in blocks of at most
    `BLOCK` numbers, so that no tensor holds the embeddings of all neighborhoods.

    Args:
        in_channels: Width D of embeddings.
        num_classes: C.
        hops: The steps, at least 0.
        **options: Arguments of `PrototypeHead`.
    """

    def __init__(self, in_channels: int, num_classes: int, *, hops: int, **options: Unpack[PrototypeOptions]) -> None:
        super().__init__(in_channels, num_classes, **options)
        self.hops = hops

    def of_nodes(self, h: Tensor, adj: CSR, nodes: Tensor) -> Tensor:
        """Pooled similarities [B, M] of some nodes [B] of embeddings h [N, D]."""
        similarity = self.bank.compare(h)
        sizes = ball_sizes(adj, nodes.unsqueeze(1), self.hops)
        block = (sizes.cumsum(0) * similarity.size(1)).div(BLOCK, rounding_mode="floor")
        pooled = []
        for part in nodes.split(block.unique_consecutive(return_counts=True)[1].tolist()):
            ptr, member = balls(adj, part.unsqueeze(1), self.hops)
            pooled.append(self.bank.pool_ragged(gather(similarity, member), ptr).similarity)
        return torch.cat(pooled)

    def forward(self, h: Tensor, adj: CSR) -> Tensor:  # type: ignore[override]  # as `NodeModel.head_takes_graph` calls it
        """Class scores [N, C] of all nodes."""
        logits: Tensor = self.classifier(self.of_nodes(h, adj, torch.arange(h.size(0), device=h.device)))
        return logits
