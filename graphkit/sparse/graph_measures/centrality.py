"""Centralities that a power iteration finds, with a tolerance that says how far the answer may be off."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from graphkit.errors import RequestError
from graphkit.sparse.csr import CSR
from graphkit.sparse.gathering import at_cols
from graphkit.sparse.graph_measures.undirected import simple_graph
from graphkit.sparse.structure import untraced


@untraced
def pagerank(adj: CSR, *, damping: float = 0.85, tolerance: float = 1e-8) -> Tensor:
    """Share of time that a random surfer spends at each node: p = damping (P p + d / N) + (1 - damping) / N.

    P moves along edges, from sources to targets, with chances in proportion to their values; d is the share of nodes without
    an edge that leaves them, from which the surfer jumps anywhere. A step brings p nearer by the factor `damping`, hence
    |p_k - p|_1 <= damping / (1 - damping) |p_k - p_(k-1)|_1, and the iteration ends when that is at most `tolerance`.

    Args:
        adj: A [N, N], rows are targets; values must not be negative.
        damping: Chance of following an edge, in [0, 1).
        tolerance: Largest error of p, the sum over all nodes; above 0.

    Returns:
        [N], float64, positive, with sum 1.

    Raises:
        ValueError: The operator is not square, a value is negative or not a number, or a number is out of its range.

    Source: Page, Brin, Motwani and Winograd, "The PageRank Citation Ranking", 1999.
    """
    if adj.shape[0] != adj.shape[1]:
        raise ValueError(f"a measure of nodes needs a square operator, got {adj.shape[0]} x {adj.shape[1]}.")
    if not 0.0 <= damping < 1.0 or not tolerance > 0.0:
        raise ValueError(f"damping must lie in [0, 1) and tolerance above 0, got {damping} and {tolerance}.")
    n = adj.shape[0]
    weight = adj.weights(torch.float64).detach()
    if weight.numel() and not bool(weight.min() >= 0):
        raise ValueError("PageRank needs values that are not negative: they are chances of following an edge.")
    leaving = adj.t().row_sum(torch.float64).detach()
    dangling = leaving == 0
    moves = adj.with_value(weight / at_cols(leaving.masked_fill(dangling, 1.0), adj.structure))
    p = weight.new_full((n,), 1.0 / max(n, 1))
    # The error is at most 2 at first: so many steps are enough, also for a tolerance that rounding does not let it reach.
    most = math.ceil(math.log(tolerance / 2.0, damping)) if damping > 0.0 and tolerance < 2.0 else 1
    for _ in range(most if n else 0):
        before, p = p, damping * (moves @ p + p[dangling].sum() / n) + (1.0 - damping) / n
        p = p / p.sum()  # takes away rounding alone
        if damping / (1.0 - damping) * float((p - before).abs().sum()) <= tolerance:
            break
    return p


@untraced
def eigenvector_centrality(adj: CSR, *, tolerance: float = 1e-6, max_steps: int = 1000) -> Tensor:
    """The eigenvector x of the largest eigenvalue of the simple graph's adjacency matrix A, |x|_2 = 1, no entry negative.

    A power iteration of A + I from the vector of ones, whose shift keeps bipartite graphs from alternating. It ends when
    |(A + I) x - l x|_2 <= tolerance l with l = x^T (A + I) x: an eigenvalue lies within tolerance l of l, and x is off by at
    most tolerance l over the gap to the next eigenvalue. Nodes outside of the component with the largest eigenvalue tend to 0.

    Args:
        adj: A [N, N]; an edge in one direction counts as one in both, self-loops and values do not matter.
        tolerance: Largest relative residual, above 0.
        max_steps: Most products, at least 1.

    Returns:
        [N], float64.

    Raises:
        ValueError: The operator is not square, or a number is out of its range.
        RequestError: The residual is larger after `max_steps`, as on long chains, where eigenvalues lie close.

    Source: Bonacich, "Factoring and Weighting Approaches to Status Scores and Clique Identification", 1972.
    """
    if not tolerance > 0.0 or max_steps < 1:
        raise ValueError(f"tolerance must lie above 0 and max_steps at 1 or more, got {tolerance} and {max_steps}.")
    graph = simple_graph(adj)
    n = graph.shape[0]
    x = torch.full((n,), max(n, 1) ** -0.5, dtype=torch.float64, device=adj.device)
    for _ in range(max_steps if n else 0):
        y = graph @ x + x
        largest = x.dot(y)
        if float((y - largest * x).norm()) <= tolerance * float(largest):
            return x
        x = y / y.norm()
    if n:
        raise RequestError(
            f"eigenvector centrality is not known to {tolerance:g} after {max_steps:,} steps, because the graph's largest "
            "eigenvalues lie close together: take PageRank, a larger tolerance or more steps"
        )
    return x
