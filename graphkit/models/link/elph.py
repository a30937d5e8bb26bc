"""ELPH: message passing, and counts of nodes by their distances from both ends, from sketches."""

from __future__ import annotations

from typing import ClassVar, Unpack

from graphkit.layers import SubgraphCountScore
from graphkit.layers.pairs.subgraph_counts import SubgraphCountOptions
from graphkit.models.link.base import EncodedPairs
from graphkit.models.link.encoder import LinkEncoder


class ELPH(EncodedPairs):
    """ELPH: node embeddings by graph convolutions, pairs scored by `SubgraphCountScore`.

    Sketches are made again for every training step whose target links are removed (`task.target_link_removal`), and once
    otherwise.

    Args:
        in_channels: Width of node features; 0 for learned embeddings.
        num_nodes: Number of nodes.
        hidden_channels: Width of embeddings and head, at least 1.
        num_layers: Graph convolutions, at least 0.
        residual: Add a convolution's input to its output where the widths agree.
        feature_dropout: Dropout of the input features, in [0, 1).
        dropout: Dropout of embeddings and between convolutions, in [0, 1).
        **options: Arguments of `SubgraphCountScore`.

    Source: Chamberlain et al., "Graph Neural Networks for Link Prediction with Subgraph Sketching", ICLR 2023. The authors
        train with the target links in the graph.
    """

    coupled: ClassVar[bool] = True  # batch normalization must not see positives and negatives apart

    def __init__(
        self,
        in_channels: int,
        num_nodes: int,
        *,
        hidden_channels: int = 256,
        num_layers: int = 2,
        residual: bool = False,
        feature_dropout: float = 0.0,
        dropout: float = 0.0,
        **options: Unpack[SubgraphCountOptions],
    ) -> None:
        encoder = LinkEncoder(
            in_channels,
            num_nodes,
            hidden_channels,
            num_layers=num_layers,
            conv="gcn",
            norm=False,
            residual=residual,
            feature_dropout=feature_dropout,
            dropout=dropout,
        )
        super().__init__(encoder, SubgraphCountScore(hidden_channels, num_nodes=num_nodes, **options))
