"""A node model that is run again with something removed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from graphkit.explain.features import Features
from graphkit.models.node.base import NodeModel
from graphkit.sparse import CSR


@dataclass(frozen=True)
class NodeRerun:
    """The score of one class of one node.

    Attributes:
        model: The model.
        features: Features [N, F].
        adj: The graph.
        node: The node.
        label: The class.
    """

    model: NodeModel
    features: Features
    adj: CSR
    node: int
    label: int

    def score(self) -> float:
        """With everything there."""
        return self._score(self.features, self.adj)

    def without_features_of(self, nodes: Tensor) -> float:
        """Where all features of some nodes [k] are zero."""
        return self._score(self.features.without_nodes(nodes), self.adj)

    def without_edges_of(self, nodes: Tensor) -> float:
        """Where some nodes [k] have no edge."""
        edges = self.adj.edge_index()
        kept = ~torch.isin(edges, nodes).any(dim=0)
        # Built from the start: not every model takes operators with absent entries.
        weights = None if self.adj.value is None else self.adj.value[kept]
        return self._score(self.features, CSR.from_edge_index(edges[:, kept], self.adj.shape[0], weights))

    def without_features(self, features: Tensor) -> float:
        """Where some features [k] are zero in all nodes."""
        return self._score(self.features.without_features(features), self.adj)

    def _score(self, features: Features, adj: CSR) -> float:
        return float(self.model(features.x, adj)[self.node, self.label])
