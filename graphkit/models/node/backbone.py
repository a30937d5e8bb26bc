"""Node models that are built around another one, whose embeddings they read."""

from __future__ import annotations

from torch import Tensor, nn

from graphkit.models.node.base import NodeModel, NodeView
from graphkit.sparse import CSR


class BackboneModel(NodeModel):
    """A node model with the body of another one and a head of its own: logits = head(backbone.embed(x, adj)).

    Subclasses set `head` in their constructor.

    Args:
        backbone: Any node model, untrained; its own head is taken off.
    """

    def __init__(self, backbone: NodeModel) -> None:
        super().__init__()
        backbone.replace_head(nn.Identity())
        self.backbone = backbone

    @property
    def bound_to_nodes(self) -> str:
        """That of the backbone, see `NodeModel.bound_to_nodes`."""
        return self.backbone.bound_to_nodes

    @property
    def embedding_channels(self) -> int:
        """That of the backbone, see `NodeModel.embedding_channels`."""
        return self.backbone.embedding_channels

    def hidden(self, x: Tensor | CSR, adj: CSR) -> Tensor:
        """The embedding of the backbone, see `NodeModel.hidden`."""
        # Not its `embed`: a backbone without parameters, whose head was all of it, knows no precision.
        return self._dense(self.backbone.hidden(x, adj))

    def fit(self, view: NodeView) -> None:
        """Let the backbone take what it needs, see `NodeModel.fit`."""
        self.backbone.fit(view)
