"""Graph models that are built around another one, whose embeddings they read."""

from __future__ import annotations

from torch import Tensor, nn

from graphkit.models.graph.base import GraphModel, GraphView
from graphkit.sparse import GraphBatch, GraphIndex


class BackboneModel(GraphModel):
    """A graph model with the body of another one and a head of its own.

    Subclasses set `head` in their constructor.

    Args:
        backbone: A graph model that draws no subgraphs, untrained; its own head is taken off.

    Raises:
        ValueError: The backbone draws subgraphs: its embeddings are other ones in every epoch.
    """

    def __init__(self, backbone: GraphModel) -> None:
        super().__init__()
        if backbone.sampled:
            raise ValueError("a backbone must embed a graph the same way every time: leave sample=0")
        backbone.head = nn.Identity()
        self.backbone = backbone

    @property
    def width(self) -> int:
        """That of the backbone, see `GraphModel.width`."""
        return self.backbone.width

    @property
    def node_width(self) -> int:
        """That of the backbone, see `GraphModel.node_width`."""
        return self.backbone.node_width

    def prepare(self, batch: GraphBatch, *, vote: int = 0, seed: int = 0) -> GraphIndex | None:
        """What the backbone computes once, see `GraphModel.prepare`."""
        return self.backbone.prepare(batch, vote=vote, seed=seed)

    def describe(self, batch: GraphBatch) -> str:
        """What the backbone says, see `GraphModel.describe`."""
        return self.backbone.describe(batch)

    def embed(self, batch: GraphBatch) -> Tensor:
        """Embeddings of the graphs [G, width]."""
        return self.backbone.embed(batch)

    def embed_nodes(self, batch: GraphBatch) -> Tensor:
        """Embeddings of the nodes [N, node_width]; NotImplementedError where the backbone has none."""
        return self.backbone.embed_nodes(batch)

    def fit(self, view: GraphView) -> None:
        """Let the backbone take what it needs, see `GraphModel.fit`."""
        self.backbone.fit(view)
