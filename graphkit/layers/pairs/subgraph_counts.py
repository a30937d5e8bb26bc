"""The score of BUDDY and ELPH: how many nodes lie at which distances from the two ends, next to their Hadamard product."""

from __future__ import annotations

from typing import TypedDict

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least, check_choice, check_probability, check_within
from graphkit.layers.pairs.base import PairScore, logit
from graphkit.sparse import CSR, Balls, BallSketches, NeighborSets, dropout, pair_product

COUNTS = ("sketches", "exact")


class SubgraphCountOptions(TypedDict, total=False):
    """Arguments of `SubgraphCountScore` that models pass on."""

    hops: int
    counts: str
    num_hashes: int
    precision: int
    near_one_end: bool
    head_dropout: float
    count_dropout: float


class SubgraphCountScore(PairScore):
    r"""A perceptron on the product of the embeddings, and one on counts of nodes by their distances from both ends.

    s_ij = w [ sigma(n(W_c c_ij + b_c)) | sigma(n(W_p (h_i * h_j) + b_p)) ] + b

    with sigma = Dropout(ReLU), n batch normalization, and the K (K + 2) counts c_ij, K = `hops`:

    - A(a, b), 1 <= a, b <= K: nodes at distance a from i and b from j, where distance 0 counts as 1;
    - B(a, 0): nodes at distance a from i and more than K from j; then B(0, b), the same from j.

    They follow from the sizes of intersections of balls by differences, A(a, b) = I(a, b) - I(a - 1, b) - I(a, b - 1) +
    I(a - 1, b - 1). Sizes are estimated from sketches, or exact. Sketches hash the ids of nodes, so that nodes renamed have
    other estimates; exact counts do not depend on names. Counts have no gradient.

    Batch normalization makes a training step depend on all pairs of a block (positives and negatives together); in evaluation a
    score depends on its own pair alone.

    Args:
        channels: Width C of the embeddings.
        hops: K, at least 1.
        counts: `sketches` or `exact` (all balls in memory).
        num_hashes: Of a sketch, see `BallSketches`.
        precision: The same, 4 to 8.
        num_nodes: Nodes of the graph, of which larger ones are copies side by side; 0: there are none. See `BallSketches`.
        near_one_end: Read B(1, 0) and B(0, 1), too, else they are zero. Where a pair's own edge is in the graph they tell it.
        head_dropout: Probability in [0, 1) of the product's stream.
        count_dropout: The same of the counts' stream.

    Raises:
        ValueError: If a number is out of its range, or a name unknown.

    Source: Chamberlain et al., "Graph Neural Networks for Link Prediction with Subgraph Sketching", ICLR 2023. Two slips of the
        authors' code are not followed: with two hops it takes A(1, 1) off B(2, 0) twice, and with three it blanks A(3, 1) and
        A(1, 3) in the place of B(1, 0) and B(0, 1).
    """

    def __init__(
        self,
        channels: int,
        *,
        hops: int = 2,
        counts: str = "sketches",
        num_hashes: int = 128,
        precision: int = 8,
        num_nodes: int = 0,
        near_one_end: bool = False,
        head_dropout: float = 0.0,
        count_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_at_least(1, hops=hops, num_hashes=num_hashes)
        check_at_least(0, num_nodes=num_nodes)
        check_within(4, 8, precision=precision)
        check_choice(COUNTS, counts=counts)
        check_probability(head_dropout=head_dropout, count_dropout=count_dropout)
        self.channels, self.hops, self.counts, self.num_nodes = channels, hops, counts, num_nodes
        self.num_hashes, self.precision, self.near_one_end = num_hashes, precision, near_one_end
        self.head_dropout, self.count_dropout = head_dropout, count_dropout
        width = hops * (hops + 2)
        self.count_in, self.count_norm = nn.Linear(width, width), nn.BatchNorm1d(width)
        self.product_in, self.product_norm = nn.Linear(channels, channels), nn.BatchNorm1d(channels)
        self.out = nn.Linear(width + channels, 1)

    def reset_parameters(self) -> None:
        """Draw new weights."""
        for module in (self.count_in, self.count_norm, self.product_in, self.product_norm, self.out):
            module.reset_parameters()

    def node_features(self, h: Float[Tensor, "N {self.channels}"]) -> tuple[Tensor, ...]:
        """The embeddings themselves."""
        return (h,)

    def pair_features(
        self, nodes: tuple[Tensor, ...], adj: CSR | NeighborSets, pairs: Int[Tensor, "2 P"]
    ) -> tuple[Tensor, ...]:
        """h_i * h_j [P, C] and the counts [P, K (K + 2)]."""
        operator = adj.adj if isinstance(adj, NeighborSets) else adj
        return pair_product(nodes[0], pairs), self.count(operator, pairs).to(nodes[0].dtype)

    @torch.no_grad()
    def count(self, adj: CSR, pairs: Int[Tensor, "2 P"]) -> Float[Tensor, "P D"]:
        """The counts: A(1, 1), A(1, 2), ..., A(K, K), then B(1, 0), ..., B(K, 0), then B(0, 1), ..., B(0, K)."""
        balls = Balls(adj, self.hops) if self.counts == "exact" else self._sketches(adj)
        return distance_counts(
            balls.intersections(pairs), balls.sizes[pairs[0]], balls.sizes[pairs[1]], near_one_end=self.near_one_end
        )

    def _sketches(self, adj: CSR) -> BallSketches:
        return BallSketches.of(adj, self.hops, num_hashes=self.num_hashes, precision=self.precision, period=self.num_nodes)

    def head(self, *features: Float[Tensor, "P _"]) -> Float[Tensor, " P"]:
        """Logits."""
        product, counts = features
        c = dropout(F.relu(self.count_norm(self.count_in(counts))), self.count_dropout, self.training)
        p = dropout(F.relu(self.product_norm(self.product_in(product))), self.head_dropout, self.training)
        return logit(self.out, torch.cat([c, p], dim=1))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.channels}, hops={self.hops}, counts={self.counts!r})"


def distance_counts(
    intersections: Float[Tensor, "P K K"],
    left: Float[Tensor, "P K"],
    right: Float[Tensor, "P K"],
    *,
    near_one_end: bool,
) -> Float[Tensor, "P D"]:
    """Counts of nodes by their distances from both ends, from sizes of balls and of their intersections.

    Args:
        intersections: |B_a(i) & B_b(j)| at [p, a - 1, b - 1].
        left: |B_a(i)|.
        right: |B_b(j)|.
        near_one_end: Whether to keep B(1, 0) and B(0, 1), else they are zero.

    Returns:
        As `SubgraphCountScore.count`, D = K (K + 2).
    """
    both = F.pad(intersections, (1, 0, 1, 0)).diff(dim=1).diff(dim=2)
    alone = [F.pad(size, (1, 0)).diff(dim=1) - both.sum(other) for size, other in ((left, 2), (right, 1))]
    if not near_one_end:
        alone = [F.pad(counts[:, 1:], (1, 0)) for counts in alone]
    return torch.cat([both.flatten(1), *alone], dim=1)
