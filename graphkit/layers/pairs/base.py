"""Scores of node pairs from node embeddings: what all scorers share.

Each works in three steps, so that a caller runs the expensive parts once per graph or batch and the cheap head in blocks:
`node_features(h)` once per graph, `pair_features(nodes, adj, pairs)` once per batch (all the graph access there is),
`head(...)` row by row. `forward` is the three in a row.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from graphkit.layers.checks import check_one_graph
from graphkit.sparse import CSR, Adjacency, NeighborSets, as_csr


class PairScore(nn.Module):
    """What scorers share: the three steps in a row."""

    def node_features(self, h: Float[Tensor, "N C"]) -> tuple[Tensor, ...]:
        """What the pairs will read of the nodes."""
        raise NotImplementedError

    def pair_features(
        self, nodes: tuple[Tensor, ...], adj: CSR | NeighborSets, pairs: Int[Tensor, "2 P"]
    ) -> tuple[Tensor, ...]:
        """What the head reads of each pair: tensors [P, C].

        Args:
            nodes: What `node_features` gave.
            adj: The graph; whoever intersects neighborhoods takes `NeighborSets.of(adj)`.
            pairs: Node ids.
        """
        raise NotImplementedError

    def from_sources(
        self, nodes: tuple[Tensor, ...], adj: CSR, sources: Int[Tensor, " S"]
    ) -> Callable[[Int[Tensor, "2 P"]], tuple[Tensor, ...]]:
        """`pair_features` of pairs whose first node is one of a few, which may share work; by default they do not.

        Args:
            nodes: What `node_features` gave.
            adj: The graph.
            sources: Node ids.

        Returns:
            Called with pairs, gives what `pair_features` gives for them.
        """
        return lambda pairs: self.pair_features(nodes, adj, pairs)

    def head(self, *features: Float[Tensor, "P _"]) -> Float[Tensor, " P"]:
        """Logits of pairs from their features, row by row."""
        raise NotImplementedError

    def forward(
        self, h: Float[Tensor, "N C"], edge_index: Adjacency | NeighborSets, pairs: Int[Tensor, "2 P"]
    ) -> Float[Tensor, " P"]:
        """Score pairs.

        Args:
            h: Node embeddings.
            edge_index: The graph in any layout, or its `NeighborSets`, for a method of intersection of your own choice.
            pairs: Node ids.

        Returns:
            Logits; each depends on its own pair alone.
        """
        check_one_graph(h=h)
        adj = edge_index if isinstance(edge_index, NeighborSets) else as_csr(edge_index, h.size(0))
        return self.head(*self.pair_features(self.node_features(h), adj, pairs))


def logit(out: nn.Linear, z: Float[Tensor, "R C"]) -> Float[Tensor, " R"]:
    """The last map, to one logit per row, never in less than single precision: rounded scores would tie in a ranking."""
    with torch.autocast(z.device.type, enabled=False):
        scores: Tensor = out(z.to(out.weight.dtype))
        return scores.squeeze(1)
