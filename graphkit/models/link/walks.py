"""Link prediction without learning: sums over the walks between two nodes."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import ClassVar

import torch
from torch import Tensor

from graphkit.layers.checks import check_at_least
from graphkit.models.link.base import LinkModel
from graphkit.sparse import CSR, normalize

_CELLS, _LEAST = 2**18, 16  # numbers of the columns of walks made at a time, which stay in cache; and the least columns


class WalkSum(LinkModel):
    """s_ij = c_ij times the sum over k of w_k (M^k)_ij for an operator M of the graph, in double precision.

    The columns of M^k are made for the distinct nodes on one side of the pairs, the side with fewer of them: all candidates of
    a node share its walks. A few columns are held at a time. A block of pairs costs K products of M with as many columns as it
    has such nodes, so that large blocks are cheaper (`train.eval_batch_size`).
    """

    trained: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()  # said here, since that of nn.Module names no parameters

    @abstractmethod
    def operator(self, adj: CSR) -> CSR:
        """M, of a graph whose edges count once, in double precision."""

    @abstractmethod
    def weights(self) -> Iterator[float]:
        """w_0, w_1, ..., w_K."""

    @abstractmethod
    def factor(self, left: Tensor, right: Tensor) -> Tensor:
        """The factors c [P], from the degrees of the two nodes of each pair [P], at least 1."""

    def encode(self, x: Tensor | CSR | None, adj: CSR) -> tuple[Tensor, ...]:
        """The degrees of the nodes [N]; features are not read."""
        return (adj.degree().double(),)

    def pair_features(self, nodes: tuple[Tensor, ...], adj: CSR, pairs: Tensor) -> tuple[Tensor, ...]:
        """The scores themselves [P, 1]."""
        operator = self.operator(adj if adj.value is None else adj.with_value(None))
        left, right = pairs
        if torch.unique(right).numel() < torch.unique(left).numel():
            operator, left, right = operator.t(), right, left
        degree = nodes[0].clamp(min=1)
        scores = self._walks(operator, left, right) * self.factor(degree[pairs[0]], degree[pairs[1]])
        return (scores.unsqueeze(1),)

    def from_sources(self, nodes: tuple[Tensor, ...], adj: CSR, sources: Tensor) -> Callable[[Tensor], tuple[Tensor, ...]]:
        """The walks of the sources are made once for all their pairs, see `LinkModel.from_sources`."""
        operator = self.operator(adj if adj.value is None else adj.with_value(None))
        starts, degree = sources.unique(), nodes[0].clamp(min=1)
        columns = torch.zeros(operator.shape[0], starts.numel(), dtype=torch.float64, device=sources.device)
        columns[starts, torch.arange(starts.numel(), device=sources.device)] = 1.0
        total = torch.zeros_like(columns)
        for k, weight in enumerate(self.weights()):
            columns = operator @ columns if k else columns
            total += weight * columns

        def features(pairs: Tensor) -> tuple[Tensor, ...]:
            walks = total[pairs[1], torch.searchsorted(starts, pairs[0].contiguous())]
            return ((walks * self.factor(degree[pairs[0]], degree[pairs[1]])).unsqueeze(1),)

        return features

    def head(self, *features: Tensor) -> Tensor:
        """The scores [P]."""
        return features[0].squeeze(1)

    def _walks(self, operator: CSR, source: Tensor, target: Tensor) -> Tensor:
        """sum_k w_k (M^k) at (target, source) [P]."""
        n = operator.shape[0]
        starts, column = torch.unique(source, return_inverse=True)
        order = column.argsort(stable=True)
        width = max(_LEAST, _CELLS // max(n, 1))
        found = torch.zeros(source.numel(), dtype=torch.float64, device=source.device)
        bounds = torch.arange(0, starts.numel() + width, width, device=source.device)
        cuts = torch.searchsorted(column[order], bounds).tolist()
        for block, (first, last) in enumerate(zip(cuts, cuts[1:], strict=False)):
            nodes = starts[block * width : (block + 1) * width]
            mine = order[first:last]
            row, place = target[mine], column[mine] - block * width
            columns = torch.zeros(n, nodes.numel(), dtype=torch.float64, device=source.device)
            columns[nodes, torch.arange(nodes.numel(), device=source.device)] = 1.0
            total = torch.zeros(mine.numel(), dtype=torch.float64, device=source.device)
            for k, weight in enumerate(self.weights()):
                columns = operator @ columns if k else columns
                total += weight * columns[row, place]
            found[mine] = total
        return found


class Katz(WalkSum):
    """s_ij = sum over k from 1 to `length` of beta^k times the number of walks of k edges between i and j.

    Walks are counted exactly as long as there are fewer than 2^53, so that pairs with equally many walks tie.

    Args:
        beta: Weight of an edge, in (0, 1]. The sum of all walks exists below 1 / the largest eigenvalue of the graph.
        length: Edges of the longest walks, at least 1.

    Raises:
        ValueError: If a number is out of its range.

    Source: Katz, 1953; for links Liben-Nowell and Kleinberg, 2007, who add up all walks.
    """

    def __init__(self, *, beta: float = 0.005, length: int = 3) -> None:
        super().__init__()
        check_at_least(1, length=length)
        if not 0.0 < beta <= 1.0:
            raise ValueError(f"beta must lie in (0, 1], got {beta}")
        self.beta, self.length = beta, length

    def operator(self, adj: CSR) -> CSR:
        """A."""
        return adj

    def weights(self) -> Iterator[float]:
        """0, beta, beta^2, ..."""
        return (self.beta**k if k else 0.0 for k in range(self.length + 1))

    def factor(self, left: Tensor, right: Tensor) -> Tensor:
        """Ones."""
        return torch.ones_like(left)


class PersonalizedPageRank(WalkSum):
    """s_ij = p_i(j) + p_j(i), with p_i(j) the share of time at j of a walker that begins at i and often starts again there.

    p_i = restart sum over k of (1 - restart)^k (A D^-1)^k e_i. On an undirected graph both shares are one sum over
    M = D^-1/2 A D^-1/2: s_ij = restart sum_k (1 - restart)^k (M^k)_ij (sqrt(d_j / d_i) + sqrt(d_i / d_j)), d the degrees. A
    walk that meets no edge ends.

    Args:
        restart: Chance of starting again before a step, in (0, 1).
        tolerance: Share of time that is left out, in (0, 1): of the walks longer than log(tolerance) / log(1 - restart).

    Raises:
        ValueError: If a number is out of its range.

    Source: Liben-Nowell and Kleinberg, 2007 (rooted PageRank); Jeh and Widom, 2003.
    """

    def __init__(self, *, restart: float = 0.15, tolerance: float = 1e-6) -> None:
        super().__init__()
        for name, value in (("restart", restart), ("tolerance", tolerance)):
            if not 0.0 < value < 1.0:
                raise ValueError(f"{name} must lie between 0 and 1, got {value}")
        self.restart = restart
        self.length = math.ceil(math.log(tolerance) / math.log1p(-restart))

    def operator(self, adj: CSR) -> CSR:
        """D^-1/2 A D^-1/2."""
        return normalize(adj, "gcn", self_loops=False, dtype=torch.float64)

    def weights(self) -> Iterator[float]:
        """Those of a walker that starts again, restart (1 - restart)^k."""
        return (self.restart * (1.0 - self.restart) ** k for k in range(self.length + 1))

    def factor(self, left: Tensor, right: Tensor) -> Tensor:
        """sqrt(d_j / d_i) + sqrt(d_i / d_j)."""
        ratio = (right / left).sqrt()
        return ratio + ratio.reciprocal()
