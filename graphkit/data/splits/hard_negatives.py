"""Hard negatives of HeaRT: for each held-out edge, pairs of one of its ends that the graph itself takes for links."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from graphkit.sparse import CSR, at_cols

RESTART = 0.15
_TOLERANCE = 1e-7
_CELLS = 2**20  # numbers of a table [nodes, candidates] that is ranked at a time


def hard_negatives(
    pairs: Tensor, graph: CSR, known: CSR, generator: torch.Generator, *, count: int = 500, x: Tensor | None = None
) -> Tensor:
    """Draw `count` negatives of each pair (i, j): half keep i and take another j, half keep j and take another i.

    The candidates of a node i are ranked by resource allocation, by personalized PageRank of a walker from i, and where there
    are features by their cosine, each rank 1 + the number of candidates that score more, and then by the best of these ranks.
    Nodes that all measures give zero come last. Equal ranks are in random order. Neighbors of i in `known`, i itself and the
    other end of the pair are no candidates.

    Args:
        pairs: Positives [2, P] of different nodes.
        graph: The graph that the measures are of, symmetric [N, N].
        known: Edges that are no negatives, symmetric [N, N].
        generator: Source of randomness.
        count: Negatives per positive, even; fewer where a node has too few candidates.
        x: Features [N, F].

    Returns:
        Pairs [2, P n], the n <= `count` negatives of the first positive first: n / 2 of its first end, then n / 2 of its
        second.

    Raises:
        ValueError: If a node has no candidate.

    Source: Li et al., "Evaluating Graph Neural Networks for Link Prediction: Current Pitfalls and New Benchmarking", NeurIPS
        2023. Their code ranks each pair's candidates without its other end. Here the ranks are those of the node, which all its
        pairs share. Its PageRank is approximate, and ours is exact but for shares below 1e-7, which count as zero.
    """
    n = graph.shape[0]
    nodes, place = torch.unique(pairs, return_inverse=True)
    most = int(known.degree()[nodes].max()) if nodes.numel() else 0
    half = min(count // 2, n - 2 - most)  # candidates of the node with the fewest, its pair's other end left out
    if half < 1:
        raise ValueError(f"a node has {most} known neighbors among {n} nodes, which leaves no hard negative")
    unit = None if x is None else torch.nn.functional.normalize(x.double(), dim=1)
    width = max(1, _CELLS // n)
    ranked = torch.cat([_candidates(block, graph, known, unit, half + 1, generator) for block in nodes.split(width)])
    ends = []
    for side in (0, 1):
        chosen = ranked[place[side]]
        wanted = chosen != pairs[1 - side].unsqueeze(1)
        wanted[:, -1] &= ~wanted.all(dim=1)
        ends.append(chosen[wanted].view(-1, half))
    kept = pairs.unsqueeze(2).expand(-1, -1, half)
    first, second = torch.stack([kept[0], ends[0]]), torch.stack([ends[1], kept[1]])
    return torch.cat([first, second], dim=2).flatten(1)


def _candidates(nodes: Tensor, graph: CSR, known: CSR, unit: Tensor | None, count: int, generator: torch.Generator) -> Tensor:
    """The first candidates [B, count] of each node."""
    n = graph.shape[0]
    own = torch.zeros(n, nodes.numel(), dtype=torch.float64)
    own[nodes, torch.arange(nodes.numel())] = 1.0
    barred = (known @ own + own).t() > 0
    scores = [_resource_allocation(graph, own).t(), _pagerank(graph, own).t()]
    if unit is not None:
        scores.append(unit[nodes] @ unit.t())
    best, empty = torch.full_like(scores[0], n + 1.0), torch.ones_like(barred)
    for score in scores:
        known_last = score.clamp(min=0.0).masked_fill(barred, -1.0)
        best = torch.minimum(best, _ranks(known_last))
        empty &= known_last <= 0
    order = best + empty * (n + 2.0) + torch.rand(best.shape, generator=generator, dtype=torch.float64)
    return order.masked_fill(barred, math.inf).topk(count, dim=1, largest=False).indices


def _ranks(scores: Tensor) -> Tensor:
    """1 + the number of larger scores in the row."""
    ascending = scores.sort(dim=1).values
    return 1.0 + scores.size(1) - torch.searchsorted(ascending, scores.contiguous(), right=True)


def _resource_allocation(graph: CSR, own: Tensor) -> Tensor:
    """Sums of 1 / degree over common neighbors [N, B]."""
    return graph @ ((graph @ own) / graph.degree().clamp(min=1).unsqueeze(1))


def _pagerank(graph: CSR, own: Tensor) -> Tensor:
    """Shares of time [N, B] of walkers from each of B nodes, zero below the tolerance.

    p = go P p + (1 - go) e with P = A D^-1, whose eigenvalues are real and lie in [-1, 1], by Chebyshev's semi-iteration: each
    step takes the error down by go / (1 + sqrt(1 - go^2)), 0.56, where a walker's step takes it down by 0.85. Source: Golub and
    Varga, Numerische Mathematik 1961.
    """
    go = 1.0 - RESTART
    moves = graph.with_value(go / at_cols(graph.degree().clamp(min=1).double(), graph.structure))
    before, now, omega = own * RESTART, moves @ (own * RESTART) + own * RESTART, 2.0
    for _ in range(math.ceil(math.log(_TOLERANCE / 10.0) / math.log(go / (1.0 + math.sqrt(1.0 - go * go))))):
        omega = 4.0 / (4.0 - go * go * omega)
        before, now = now, omega * ((moves @ now).add_(own, alpha=RESTART).sub_(before)) + before
    return torch.where(now < _TOLERANCE, 0.0, now)
