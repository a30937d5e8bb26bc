"""Scores of node pairs from node embeddings: what all scorers share.

Each works in three steps, so that a caller runs the expensive parts once per graph or batch and the cheap head in blocks:
`node_features(h)` once a graph, `pair_features(nodes, sets, pairs)` once a batch (all the graph access there is), `head(...)`
row by row. `forward` is the three in a row.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from graphkit.sparse import Adjacency, NeighborSets, as_csr


class PairScore(nn.Module):
    """What scorers share: the three steps in a row."""

    def node_features(self, h: Float[Tensor, "N C"]) -> tuple[Tensor, ...]:
        """What the pairs will read of the nodes."""
        raise NotImplementedError

    def pair_features(self, nodes: tuple[Tensor, ...], sets: NeighborSets, pairs: Int[Tensor, "2 P"]) -> tuple[Tensor, ...]:
        """What the head reads of each pair: tensors [P, C]."""
        raise NotImplementedError

    def head(self, *features: Float[Tensor, "P _"]) -> Float[Tensor, " P"]:
        """Logits of pairs from their features, row by row."""
        raise NotImplementedError

    def forward(
        self, h: Float[Tensor, "N C"], edge_index: Adjacency | NeighborSets, pairs: Int[Tensor, "2 P"]
    ) -> Float[Tensor, " P"]:
        """Score pairs.

        Args:
            h: Node embeddings.
            edge_index: The graph in any layout, or its `NeighborSets`, which are then not laid out again.
            pairs: Node ids.

        Returns:
            Logits; each depends on its own pair alone.
        """
        sets = edge_index if isinstance(edge_index, NeighborSets) else NeighborSets(as_csr(edge_index, h.size(0)))
        return self.head(*self.pair_features(self.node_features(h), sets, pairs))


def logit(out: nn.Linear, z: Float[Tensor, "R C"]) -> Float[Tensor, " R"]:
    """The last map, to one logit a row, never in less than single precision: rounded scores would tie in a ranking."""
    with torch.autocast(z.device.type, enabled=False):
        scores: Tensor = out(z.to(out.weight.dtype))
        return scores.squeeze(1)
