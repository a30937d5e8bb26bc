"""Link prediction without learning: sums over common neighbors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from graphkit.layers.pairs.base import PairScore
from graphkit.sparse import CSR, NeighborSets


class NoEncoder(nn.Module):
    """Stands where trained models embed the nodes: the heuristics read degrees alone."""

    def forward(self, x: Tensor | None, adj: CSR) -> Tensor:
        """Degree of each node [N], in double precision."""
        return adj.degree().double()


class _WeightedCommonNeighbors(PairScore):
    """s_ij = sum over common neighbors u of w(degree of u)."""

    def weight(self, degree: Tensor) -> Tensor:
        raise NotImplementedError

    def node_features(self, h: Tensor) -> tuple[Tensor, ...]:
        """Weight of each node as a common neighbor [N]."""
        return (self.weight(h),)

    def pair_features(self, nodes: tuple[Tensor, ...], sets: NeighborSets, pairs: Tensor) -> tuple[Tensor, ...]:
        """The score itself [P, 1]."""
        return (sets.pool(pairs, nodes[0].unsqueeze(1)),)

    def head(self, *features: Tensor) -> Tensor:
        """The score [P]."""
        return features[0].squeeze(1)


class _CommonNeighborCount(_WeightedCommonNeighbors):
    def weight(self, degree: Tensor) -> Tensor:
        return torch.ones_like(degree)


class _AdamicAdarIndex(_WeightedCommonNeighbors):
    def weight(self, degree: Tensor) -> Tensor:
        # A common neighbor has at least two neighbors; with a self-loop removed, degree 1 never meets a pair of two nodes.
        return torch.where(degree > 1, 1.0 / degree.clamp(min=2).log(), torch.zeros_like(degree))


class _ResourceAllocationIndex(_WeightedCommonNeighbors):
    def weight(self, degree: Tensor) -> Tensor:
        return torch.where(degree > 0, 1.0 / degree.clamp(min=1), torch.zeros_like(degree))


class _Heuristic(nn.Module):
    """An encoder and a score, as trained link models have, but without parameters."""

    score_class: type[_WeightedCommonNeighbors]

    def __init__(self, in_channels: int = 0, num_nodes: int = 0) -> None:
        super().__init__()
        self.encoder = NoEncoder()
        self.score = self.score_class()


class CommonNeighbors(_Heuristic):
    """s_ij = |N(i) & N(j)|. Source: Liben-Nowell and Kleinberg, 2007."""

    score_class = _CommonNeighborCount


class AdamicAdar(_Heuristic):
    """s_ij = sum over common neighbors u of 1 / log(degree of u). Source: Adamic and Adar, 2003."""

    score_class = _AdamicAdarIndex


class ResourceAllocation(_Heuristic):
    """s_ij = sum over common neighbors u of 1 / degree of u. Source: Zhou, Lü and Zhang, 2009."""

    score_class = _ResourceAllocationIndex
