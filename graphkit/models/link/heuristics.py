"""Link prediction without learning: sums over common neighbors."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

from graphkit.models.link.base import LinkModel
from graphkit.models.reasons import Reasons
from graphkit.sparse import CSR, NeighborSets, SharedNeighbors


class CommonNeighborSum(LinkModel):
    """s_ij = sum over common neighbors u of w(degree of u), in double precision."""

    trained: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()  # said here, since that of nn.Module names no parameters

    @abstractmethod
    def weight(self, degree: Tensor) -> Tensor:
        """Weights w [N] of the nodes as common neighbors, from their degrees [N], float64."""

    def encode(self, x: Tensor | CSR | None, adj: CSR) -> tuple[Tensor, ...]:
        """The weights of the nodes [N, 1]; features are not read."""
        return (self.weight(adj.degree().double()).unsqueeze(1),)

    def pair_features(self, nodes: tuple[Tensor, ...], adj: CSR, pairs: Tensor) -> tuple[Tensor, ...]:
        """The scores themselves [P, 1]."""
        return (NeighborSets.of(adj).pool(pairs, nodes[0]),)

    def from_sources(self, nodes: tuple[Tensor, ...], adj: CSR, sources: Tensor) -> Callable[[Tensor], tuple[Tensor, ...]]:
        """The neighbors of a source are walked once for all its pairs, see `LinkModel.from_sources`."""
        shared = SharedNeighbors(adj, sources)
        pooled = shared.pool(nodes[0])
        return lambda pairs: (shared.rows(pooled, pairs),)

    def head(self, *features: Tensor) -> Tensor:
        """The scores [P]."""
        return features[0].squeeze(1)

    @torch.no_grad()
    def reasons(self, x: Tensor | CSR | None, adj: CSR, pairs: Tensor) -> Reasons:
        """The common neighbors, each with its weight: the score is their sum, see `LinkModel.reasons`."""
        nodes = self.encode(x, adj)
        ptr, members = NeighborSets.of(adj).members(pairs)
        score = self.head(*self.pair_features(nodes, adj, pairs))
        return Reasons(
            ptr=ptr,
            ids=members,
            contributions=nodes[0][members, 0],
            score=score,
            bias=torch.zeros_like(score),
            rule="The score is a sum over the common neighbors, each by a weight of its degree.",
            exact=True,
        )


class CommonNeighbors(CommonNeighborSum):
    """s_ij = |N(i) & N(j)|. Source: Liben-Nowell and Kleinberg, 2007."""

    def weight(self, degree: Tensor) -> Tensor:
        """Ones."""
        return torch.ones_like(degree)


class AdamicAdar(CommonNeighborSum):
    """s_ij = sum over common neighbors u of 1 / log(degree of u). Source: Adamic and Adar, 2003."""

    def weight(self, degree: Tensor) -> Tensor:
        """1 / log(degree), 0 for degrees below 2."""
        # A common neighbor has at least two neighbors; with a self-loop removed, degree 1 never meets a pair of two nodes.
        return torch.where(degree > 1, 1.0 / degree.clamp(min=2).log(), torch.zeros_like(degree))


class ResourceAllocation(CommonNeighborSum):
    """s_ij = sum over common neighbors u of 1 / degree of u. Source: Zhou, Lü and Zhang, 2009."""

    def weight(self, degree: Tensor) -> Tensor:
        """1 / degree, 0 for isolated nodes."""
        return torch.where(degree > 0, 1.0 / degree.clamp(min=1), torch.zeros_like(degree))
