"""CatGCN: categories of a node interact, then their scores are propagated."""

from __future__ import annotations

from torch import Tensor, nn

from graphkit.layers import CategoryInteractions, Propagation
from graphkit.layers.checks import check_at_least
from graphkit.models.node.base import NodeModel
from graphkit.sparse import CSR


class CatGCN(NodeModel):
    """Graph convolutional network for categorical features: logits = A_hat^K Z, Z the interactions of each node's categories.

    Features are categories: a column per category, zero where a node does not have it (`CategoryInteractions`). Propagation has
    no parameters. What `embed` gives are the scores themselves; the head is the identity.

    Args:
        in_channels: Number of categories, columns of the features.
        out_channels: Number of classes C.
        hidden_channels: Width of the embeddings of categories, and inside the perceptrons.
        num_layers: Layers of the perceptrons on global and local interactions, at least 1.
        num_hops: Propagations K, at least 0.
        probe: How much a category hears of itself, at least 0.
        balance: Share of the global interactions, in [0, 1].
        dropout: Probability in [0, 1) of dropping an entry after every relu.

    Raises:
        ValueError: If a number is out of its range.

    Source: Chen et al., TKDE 2021, see the layer. The authors weigh classes in the loss by their sizes and train on parts of
    the graph; here the loss is the usual one on the whole graph.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        hidden_channels: int = 64,
        num_layers: int = 1,
        num_hops: int = 2,
        probe: float = 1.0,
        balance: float = 0.5,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        check_at_least(0, num_hops=num_hops)
        self.interactions = CategoryInteractions(
            in_channels,
            out_channels,
            embedding_channels=hidden_channels,
            num_layers=num_layers,
            probe=probe,
            balance=balance,
            dropout=dropout,
        )
        self.propagation = Propagation("gcn")
        self.num_hops = num_hops
        self.head = nn.Identity()

    @property
    def embedding_channels(self) -> int:
        """The number of classes, see `NodeModel.embedding_channels`."""
        return self.interactions.out_channels

    def hidden(self, x: Tensor | CSR, adj: CSR) -> Tensor:
        """The propagated scores, see `NodeModel.hidden`."""
        h: Tensor = self.interactions(x)
        for _ in range(self.num_hops):
            h = self.propagation(h, adj)
        return h
