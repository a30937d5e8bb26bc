"""Should a graph keep the direction of its edges? A statistic that compares what labels say about four directed patterns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from graphkit.sparse import check_ids

_PATHS_AT_ONCE = 8_000_000
"""Paths of two steps whose ends are held in memory together."""


class Amud(NamedTuple):
    """What `amud` found.

    Attributes:
        score: S in [0, 1]; 0 for every graph that is symmetric.
        decision: `directed` where S exceeds the threshold: keep the direction; else `undirected`: make the graph symmetric.
        r_squared: R^2 of each pattern: `AA`, `AA^T`, `A^TA` and `A^TA^T`, with A[i, j] for an edge i -> j.
    """

    score: float
    decision: str
    r_squared: dict[str, float]


def amud(edge_index: Tensor, y: Tensor, nodes: Tensor | None = None, threshold: float = 0.5) -> Amud:
    r"""Directed or undirected: how differently do directed patterns speak about the labels?

    **Our reconstruction.** The paper's formula was not at hand and its code has no such statistic; the shape below follows a
    description of it, the last step is our choice. Do not quote its values as the paper's.

    For each pattern G of AA, A^TA^T, AA^T, A^TA the samples are all ordered pairs of different labeled nodes, and r_G is
    Pearson's correlation between "a path of this pattern leads from u to v" and "u and v have the same class":

    r_G = (T b - g s) / sqrt(g (T - g) s (T - s)), T = n (n - 1) pairs, g = linked, s = of one class, b = both

    or 0 where a factor of the root is zero. With R^2_G = r_G^2,

    S = 1 - min_G R^2_G / max_G R^2_G, and 0 where all are zero.

    S is 0 if no direction says more than another, as on symmetric graphs; it nears 1 if some pattern tells classes apart and
    another does not. (AA and A^TA^T are each other's transposes and share one R^2.)

    S compares patterns with each other, not with chance: where every R^2 is tiny its value means little, so read both.

    Counted sparsely: products of A are walked in blocks of rows and never kept; time is linear in the number of two-step paths.
    Repeated edges count once; self-loops count as edges. Labels decide the answer: give `nodes`, the training nodes, where it
    chooses a model that will be tested on the others.

    Args:
        edge_index: Sources and targets [2, E].
        y: Classes [N], int64; -1 for unlabeled nodes, which lie on paths but are no ends of them.
        nodes: Ids of the nodes whose labels may be used; None for all.
        threshold: Above it, the decision is `directed`.

    Returns:
        The score, the decision and each pattern's R^2.

    Raises:
        ValueError: Ids out of range, or fewer than two labeled nodes.
        TypeError: Ids that are no integers.

    Source: The question is that of AMUD in Sun et al., ICDE 2024; the statistic is ours.
    """
    num_nodes = y.numel()
    source, target = (ids.cpu().numpy() for ids in check_ids(edge_index, (num_nodes, num_nodes)))
    usable = torch.zeros(num_nodes, dtype=torch.bool)
    usable[slice(None) if nodes is None else nodes.cpu()] = True
    label = torch.where(usable, y.cpu(), -1).numpy()
    sizes = np.unique(label[label >= 0], return_counts=True)[1]
    n = int(sizes.sum())
    if n < 2:
        raise ValueError(f"at least two labeled nodes are needed, got {n}")
    a = csr_array((np.ones(source.size, np.int32), (source, target)), shape=(num_nodes, num_nodes))
    a.sum_duplicates()
    a.data[:] = 1
    a_t = a.T.tocsr()
    pairs, alike = n * (n - 1), int((sizes * (sizes - 1)).sum())
    found = {
        name: _r_squared(*_linked(first, second, label), pairs, alike)
        for name, first, second in (("AA", a, a), ("AA^T", a, a_t), ("A^TA", a_t, a))
    }
    r_squared = {**found, "A^TA^T": found["AA"]}
    most = max(found.values())
    score = 0.0 if most == 0 else 1.0 - min(found.values()) / most
    return Amud(score, "directed" if score > threshold else "undirected", r_squared)


def _linked(first: csr_array, second: csr_array, label: np.ndarray) -> tuple[int, int]:
    """How many pairs of different labeled nodes a path joins, and how many of these are of one class."""
    ids = np.flatnonzero(label >= 0)
    first = first[ids]
    joined = alike = 0
    for rows in _blocks(first, second):
        product = (first[rows] @ second).tocoo()
        u, v = ids[rows.start + product.coords[0]], product.coords[1]
        counted = (label[v] >= 0) & (u != v)
        joined += int(counted.sum())
        alike += int((label[u] == label[v])[counted].sum())
    return joined, alike


def _blocks(first: csr_array, second: csr_array) -> Iterator[slice]:
    """Runs of rows of a product with about `_PATHS_AT_ONCE` paths each, at least a row."""
    paths = np.cumsum(first @ np.diff(second.indptr).astype(np.int64))
    start, done = 0, 0
    while start < paths.size:
        end = max(start + 1, int(np.searchsorted(paths, done + _PATHS_AT_ONCE, side="right")))
        yield slice(start, end)
        start, done = end, int(paths[end - 1])


def _r_squared(joined: int, both: int, pairs: int, alike: int) -> float:
    """Squared correlation of two 0/1 variables over `pairs` samples, from how often each and both are one."""
    spread = joined * (pairs - joined) * alike * (pairs - alike)
    return (pairs * both - joined * alike) ** 2 / spread if spread else 0.0
