"""NCNC's score: common neighbors completed by nodes that may be neighbors of both, each with a chance that is scored itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypedDict, Unpack

import torch
from jaxtyping import Float, Int
from torch import Tensor

from graphkit.layers.checks import check_at_least, check_choice, check_positive
from graphkit.layers.pairs.base import PairScore
from graphkit.layers.pairs.common_neighbors import CommonNeighborScore
from graphkit.layers.pairs.distinct import DistinctPairs
from graphkit.layers.pairs.one_sided import one_sided
from graphkit.sparse import CSR, NeighborSets, pair_product

INNER = ("transformed", "embeddings")
_ROWS = 2**13  # inner pairs whose activations stay in cache
_ENTRIES, _PER_PAIR = 2**23, 2**7  # neighbors of one node alone that are listed at a time, of 2^16 pairs at most


class CommonNeighborOptions(TypedDict, total=False):
    """Arguments of `CommonNeighborScore` that scores built upon it pass on."""

    norm: bool
    transform_pooled: bool
    tail_activation: bool
    two_layer: bool
    dropout: float
    common_neighbor_dropout: float
    beta: float


class CompletionScore(CommonNeighborScore):
    r"""NCNC's score: `CommonNeighborScore` over common neighbors and, with soft weights, over neighbors of one node alone.

    pool_ij = sum over N(i) & N(j) of x'_u + sum over N(i) - N(j) of w(s_ju) x'_u + sum over N(j) - N(i) of w(s_iu) x'_u

    w(s) = alpha t p / (t p + 1 - p),   p = sigmoid(scale (s - offset)),   t = prior

    where s_ju is the score of the edge that is missing, by the same maps at a depth of one less; at depth 0 it is
    `CommonNeighborScore`. Inner scores have no gradient. `prior` multiplies the odds of an inner edge.

    An inner edge that several pairs of a batch lack, from either end, is scored once. That is exact but for dropout: in the
    authors' code each occurrence draws its own mask. With several rounds the inner edges of each are distinct across the batch.

    Args:
        channels: Width C of the embeddings and of the head.
        depth: Rounds of completion K, at least 0.
        scale: Slope of p; any real number.
        offset: Score at which p is 1/2; any real number.
        prior: t, above 0.
        alpha: Largest weight, at least 0; may exceed 1.
        train_cap: Most neighbors of one node alone that a pair takes in training, 0: all. Above it so many are drawn with
            replacement, and weigh |N(i) - N(j)| / cap. A new draw in every step.
        cap: The same in evaluation, with one fixed draw for each ordered pair of ids: a score depends on nothing else.
        inner: What inner scores begin with: `transformed`, x' = h + xlin(h), to which xlin is applied once more (the authors'
            code), or `embeddings`, h itself (the paper's reading, and then an inner score is that of the pair at that depth).
        **options: Arguments of `CommonNeighborScore`.

    Raises:
        ValueError: A number out of range, or an unknown `inner`.

    Source: Wang, Yang and Zhang, "Neural Common Neighbor with Completion for Link Prediction", ICLR 2024. The paper's weight is
    sigmoid(s): scale 1, offset 0, prior 1, alpha 1. Left out of the authors' code: a learned prior, and a ramp of alpha.
    """

    def __init__(
        self,
        channels: int,
        *,
        depth: int = 1,
        scale: float = 5.0,
        offset: float = 3.0,
        prior: float = 0.5,
        alpha: float = 1.0,
        train_cap: int = 0,
        cap: int = 0,
        inner: str = "transformed",
        **options: Unpack[CommonNeighborOptions],
    ) -> None:
        super().__init__(channels, **options)
        check_at_least(0, depth=depth, alpha=alpha, train_cap=train_cap, cap=cap)
        check_choice(INNER, inner=inner)
        check_positive(prior=prior)
        self.depth, self.scale, self.offset, self.prior, self.alpha = depth, scale, offset, prior, alpha
        self.train_cap, self.cap, self.inner = train_cap, cap, inner

    def node_features(self, h: Float[Tensor, "N {self.channels}"]) -> tuple[Tensor, ...]:
        """The embeddings h and W x' of every node and, for each depth of inner scores, what stands in their place there."""
        x = self._transformed(h)
        nodes = h, *self._mapped(x)
        with torch.no_grad():
            for _ in range(self.depth if self.inner == "transformed" else 0):
                h, x = x, self._transformed(x)
                nodes += h.detach(), *self._mapped(x)
        return nodes

    def from_sources(
        self, nodes: tuple[Tensor, ...], adj: CSR, sources: Int[Tensor, " S"]
    ) -> Callable[[Int[Tensor, "2 P"]], tuple[Tensor, ...]]:
        """Without completion as `CommonNeighborScore`; with it pairs share no more than a block of them does."""
        if self.depth == 0:
            return super().from_sources(nodes[:2], adj, sources)
        return PairScore.from_sources(self, nodes, adj, sources)

    def pair_features(
        self, nodes: tuple[Tensor, ...], adj: CSR | NeighborSets, pairs: Int[Tensor, "2 P"]
    ) -> tuple[Tensor, ...]:
        """h_i * h_j and the completed sum of W x'_u, each [P, C]."""
        if self.depth == 0 or pairs.size(1) == 0:
            return super().pair_features(nodes[:2], adj, pairs)
        pooled = [pooled for _, pooled in self._pooled(nodes, self._dropped(NeighborSets.of(adj)), pairs, 0)]
        return pair_product(nodes[0], pairs), torch.cat(pooled)

    def _pooled(
        self, nodes: tuple[Tensor, ...], sets: NeighborSets, pairs: Tensor, level: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """The pairs in blocks, in order, each with its sums at a depth that is `level` less than that of the score."""
        _, z = self._at(nodes, level)
        if level == self.depth:
            for block in pairs.split(_ROWS, dim=1):
                yield block, sets.pool(block, z)
            return
        cap = self.train_cap if self.training else self.cap
        seed = int(torch.randint(2**62, ())) if self.training and cap else 0
        blocks = _blocks(sets.adj, pairs)
        inner = DistinctPairs(sets.num_nodes, pairs.device)
        for block in blocks:
            alone = one_sided(sets, block, cap, seed)
            inner.add(alone.lacking, alone.member)
        weights = self.weigh(self._inner_scores(nodes, sets, inner.pairs(), level + 1))
        for block in blocks:
            alone = one_sided(sets, block, cap, seed)
            weight = alone.scaled(inner.values(weights, alone.lacking, alone.member).to(z.dtype))
            yield block, sets.pool(block, z) + alone.pool(z, weight)

    @torch.no_grad()
    def _inner_scores(self, nodes: tuple[Tensor, ...], sets: NeighborSets, pairs: Tensor, level: int) -> Tensor:
        """Scores [U] of inner pairs; common neighbor dropout acts again on the sets of the pairs that lack them."""
        h, _ = self._at(nodes, level)
        scores = [h.new_zeros(0)]
        for block, pooled in self._pooled(nodes, self._dropped(sets), pairs, level):
            for rows, sums in zip(block.split(_ROWS, dim=1), pooled.split(_ROWS), strict=True):
                scores.append(self.head(pair_product(h, rows), sums))
        return torch.cat(scores)

    def _at(self, nodes: tuple[Tensor, ...], level: int) -> tuple[Tensor, Tensor]:
        """What stands in the place of h and W x' at a level."""
        first = 2 * level if self.inner == "transformed" else 0
        return nodes[first], nodes[first + 1]

    def weigh(self, scores: Float[Tensor, " M"]) -> Float[Tensor, " M"]:
        """The weights w of inner scores."""
        p = torch.sigmoid(self.scale * (scores - self.offset))
        return self.alpha * self.prior * p / (self.prior * p + 1.0 - p)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.channels}, depth={self.depth})"


def _blocks(adj: CSR, pairs: Tensor) -> tuple[Tensor, ...]:
    """Runs of the pairs whose neighbors of one node alone fit in a block; a pair with more has a block of its own."""
    load = (adj.degree()[pairs].sum(0) + _PER_PAIR).cumsum(0) // _ENTRIES
    sizes = torch.unique_consecutive(load, return_counts=True)[1]
    blocks: tuple[Tensor, ...] = pairs.split(sizes.tolist(), dim=1)
    return blocks
