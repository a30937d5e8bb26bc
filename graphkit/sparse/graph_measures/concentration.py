"""Topological concentration: how much of a node's neighborhood its neighbors share, exact and by random projection."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphkit.sparse.csr import CSR
from graphkit.sparse.gathering import at_rows
from graphkit.sparse.graph_measures.undirected import simple_graph
from graphkit.sparse.norm import normalize
from graphkit.sparse.segment import segment_softmax
from graphkit.sparse.structure import untraced

SIMILARITIES = ("cosine", "dot")
_ROWS = 2**10  # of sparse products at a time


@untraced
def topological_concentration(adj: CSR, targets: Tensor | None = None, *, hops: int = 1, decay: float | None = None) -> Tensor:
    r"""Share of a node's walks that end where walks of its neighbors can end, a mean over these neighbors.

    C_i = mean over j of  sum_u s_iu t_ju / (b sum_u s_iu),   s = sum_k beta^(k-1) A^k,   t = sum_k beta^(k-1) [A^k > 0]

    with k from 1 to K, b = sum_k beta^(k-1), and j over the neighbors of i in `targets`. Where these are the edges of the graph
    itself, 1 is taken off the denominator: j is a neighbor of i and never of itself. With K = 1 that is the clustering
    coefficient.

    Args:
        adj: A [N, N], read as the simple graph behind it; for link prediction that of the training edges.
        targets: Pairs [2, P] whose two ends are neighbors of each other, e.g. test edges; None: the edges of the graph.
        hops: K, at least 1.
        decay: beta, above 0; None: 1 / the mean degree.

    Returns:
        [N], float64, from 0 to 1; 0 for nodes without such a neighbor or without an edge.

    Raises:
        ValueError: The operator is not square, or a number is out of its range.

    Source: Wang et al., "A Topological Perspective on Demystifying GNN-Based Link Prediction Performance", ICLR 2024, with
        walks as in their code; the paper has sets of nodes in the place of walks of i.
    """
    from scipy.sparse import csr_array, eye_array  # which takes time to import, and serves this function alone

    graph = simple_graph(adj)
    n = graph.shape[0]
    if hops < 1 or (decay is not None and not decay > 0):
        raise ValueError(f"hops must be at least 1 and decay above 0, got {hops} and {decay}.")
    beta = decay or n / max(graph.nnz, 1)
    step = _scipy(graph)
    near = step if targets is None else _scipy(_neighbors(targets, n))
    walks, power, scale = csr_array((n, n)), eye_array(n, format="csr"), 1.0
    ends, weight = csr_array((n, n)), 0.0
    for _ in range(hops):
        power = csr_array(power @ step)
        walks, ends, weight = walks + scale * power, ends + scale * (power > 0), weight + scale
        scale *= beta
    shared = [
        (walks[start : start + _ROWS].multiply(near[start : start + _ROWS] @ ends)).sum(axis=1) for start in range(0, n, _ROWS)
    ]
    found = torch.cat([torch.as_tensor(part, dtype=torch.float64).view(-1) for part in shared])
    whole = weight * torch.as_tensor(walks.sum(axis=1), dtype=torch.float64).view(-1) - float(targets is None)
    count = torch.as_tensor(near.sum(axis=1), dtype=torch.float64).view(-1)
    return torch.where((whole > 0) & (count > 0), found / (whole * count), 0.0).to(adj.device)


@untraced
def approximate_concentration(
    adj: CSR,
    targets: Tensor | None = None,
    *,
    hops: int = 2,
    dimension: int = 64,
    decay: float = 1.0,
    similarity: str = "cosine",
    seed: int = 0,
) -> Tensor:
    r"""Topological concentration from random projections of neighborhoods, at the cost of K products with d columns.

    C_i = mean over j of phi(N_i, N_j),   N = sum_k decay^(k-1) (D^-1 A)^k R,   R [N, d] normal with variance 1 / d

    with k from 1 to K. The expectation of <N_i, N_j> is that of the rows of the sum of powers themselves.

    Args:
        adj: A [N, N], read as the simple graph behind it.
        targets: Pairs [2, P] as for `topological_concentration`; None: the edges of the graph.
        hops: K, at least 1.
        dimension: d, at least 1; the deviation of a dot product falls as d^-1/2.
        decay: Weight of walks of k + 1 edges over those of k, above 0.
        similarity: phi: `cosine` or `dot`.
        seed: Of R.

    Returns:
        [N], float64; 0 for nodes without such a neighbor.

    Raises:
        ValueError: The operator is not square, a number is out of its range, or the similarity is unknown.

    Source: as for `topological_concentration`.
    """
    if hops < 1 or dimension < 1 or not decay > 0 or similarity not in SIMILARITIES:
        raise ValueError(
            f"hops and dimension must be at least 1, decay above 0 and similarity one of {', '.join(SIMILARITIES)}; got "
            f"{hops}, {dimension}, {decay} and {similarity!r}."
        )
    graph = simple_graph(adj)
    n, step = graph.shape[0], normalize(graph, "mean", dtype=torch.float64)
    drawn = torch.randn(n, dimension, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).to(adj.device)
    seen, total, scale = drawn / dimension**0.5, torch.zeros_like(drawn), 1.0
    for _ in range(hops):
        seen = step @ seen
        total = total + scale * seen
        scale *= decay
    if similarity == "cosine":
        total = torch.nn.functional.normalize(total, dim=1)
    near = graph if targets is None else _neighbors(targets, n)
    return (total * near.matmul(total, reduce="mean")).sum(dim=1)


@untraced
def reweighted(adj: CSR, scores: Tensor, strength: float) -> CSR:
    r"""Edges weighed up by how likely they are links: A'_ij = A_ij + strength softmax_j(s_ij) sum_j A_ij.

    Args:
        adj: A, e.g. normalized; its values need no gradient.
        scores: s of every stored entry [nnz]; absent ones do not count.
        strength: At least 0; the values of a row grow by this share in all.

    Returns:
        The operator with new values, without gradient.

    Raises:
        ValueError: If shapes do not fit, or the strength is negative.

    Source: the re-weighting of Wang et al., ICLR 2024, by which topological concentration is to grow in message passing.
    """
    if scores.shape != (adj.nnz,) or not strength >= 0:
        raise ValueError(
            f"scores must have shape [{adj.nnz}] and strength be at least 0, got {list(scores.shape)}, {strength}."
        )
    scores = scores.detach() if adj.mask is None else scores.detach().masked_fill(~adj.mask, -torch.inf)
    share = segment_softmax(scores, adj.rowptr, adj.row)
    value = adj.weights(scores.dtype).detach()
    return adj.with_value(value + strength * share * at_rows(adj.row_sum(scores.dtype).detach(), adj.structure))


def _neighbors(pairs: Tensor, num_nodes: int) -> CSR:
    """The operator of ones that makes the two ends of each pair [2, P] neighbors of each other."""
    both = torch.cat([pairs, pairs.flip(0)], dim=1)
    return CSR.from_edge_index(both, num_nodes, duplicates="first")


def _scipy(graph: CSR) -> Any:
    """The pattern of a graph without absent entries as SciPy's matrix of ones."""
    from scipy.sparse import csr_array

    arrays = np.ones(graph.nnz), graph.col.cpu().numpy(), graph.rowptr.cpu().numpy()
    return csr_array(arrays, graph.shape)
