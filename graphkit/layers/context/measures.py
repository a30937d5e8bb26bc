"""How each context is computed: a number per node, NaN where it is unknown. Nothing here sees a label outside of training."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from graphkit.sparse import CSR, segment_sum
from graphkit.sparse.graph_measures import (
    clustering_coefficient,
    core_number,
    eigenvector_centrality,
    pagerank,
    simple_graph,
)

_FOLDS = 5  # of training nodes, which do not see each other's labels
_FILL = 2**25  # numbers that a block of a product of sparse matrices may hold


@dataclass(frozen=True)
class FirstPass:
    """What a model said of the nodes before it knew the contexts that come from it.

    Attributes:
        predicted: Its class of each node [N], int64.
        saliency: How strongly the node's own features move that class's score [N], see `graphkit.layers.context.registry`.
    """

    predicted: Tensor
    saliency: Tensor


@dataclass(frozen=True)
class Surroundings:
    """All that contexts are computed from.

    Attributes:
        x: Features [N, F], dense or sparse.
        adj: The graph; rows are targets.
        y: Classes [N] of the labeled training nodes; -1 for every other node.
        first: A first pass of the model; None: there was none yet.
    """

    x: Tensor | CSR
    adj: CSR
    y: Tensor
    first: FirstPass | None = None

    @cached_property
    def graph(self) -> CSR:
        """The undirected graph without loops and weights."""
        return simple_graph(self.adj)

    @cached_property
    def degree(self) -> Tensor:
        """Number of neighbors [N] there, float64."""
        return self.graph.degree().double()


def degree(around: Surroundings) -> Tensor:
    """Neighbors, in either direction."""
    return around.degree


def clustering(around: Surroundings) -> Tensor:
    """Share of the pairs of neighbors that are neighbors of each other."""
    return clustering_coefficient(around.adj)


def core(around: Surroundings) -> Tensor:
    """Core number."""
    return core_number(around.adj).double()


def visits(around: Surroundings) -> Tensor:
    """PageRank times the number of nodes: 1 is the average node."""
    ranks = pagerank(around.adj)
    return ranks * ranks.numel()


def eigenvector(around: Surroundings) -> Tensor:
    """Eigenvector centrality, over its root mean square: 1 is a node of average size."""
    values = eigenvector_centrality(around.adj)
    return values * math.sqrt(values.numel())


def similarity(around: Surroundings) -> Tensor:
    """Mean cosine of the node's features and those of each neighbor; 0 with features that are all zero."""
    x = around.x
    total = _sparse_similarity(x, around.graph) if isinstance(x, CSR) else _dense_similarity(x, around.graph)
    return _per_neighbor(total, around)


def _dense_similarity(x: Tensor, graph: CSR) -> Tensor:
    x = F.normalize(x.to(torch.promote_types(x.dtype, torch.float32)), dim=1)
    total: Tensor = (x * graph.matmul(x)).sum(1)
    return total.double()


def _sparse_similarity(x: CSR, graph: CSR) -> Tensor:
    """The same by SciPy's sparse products, in blocks of rows that stay small."""
    from scipy.sparse import csr_array

    values = x.weights(torch.float64).detach().cpu().numpy()
    rows = csr_array((values, x.col.cpu().numpy(), x.rowptr.cpu().numpy()), shape=x.shape)
    norms = np.sqrt(rows.multiply(rows).sum(axis=1))
    rows.data = rows.data / np.repeat(np.where(norms > 0, norms, 1.0), np.diff(rows.indptr))
    ones = np.ones(graph.nnz)
    adjacency = csr_array((ones, graph.col.cpu().numpy(), graph.rowptr.cpu().numpy()), shape=graph.shape)
    fill = (adjacency @ np.diff(rows.indptr)).cumsum()  # most entries of the product, up to each row
    total = np.zeros(x.shape[0])
    bounds = np.unique(np.searchsorted(fill, np.arange(0, (fill[-1] if fill.size else 0) + _FILL, _FILL), side="right"))
    for first, last in zip(np.append(0, bounds), np.append(bounds, x.shape[0]), strict=True):
        total[first:last] = (adjacency[first:last] @ rows).multiply(rows[first:last]).sum(axis=1)
    return torch.from_numpy(total).to(x.device)


def label_agreement(around: Surroundings) -> Tensor:
    """Of the training labels one or two steps away, the share of the commonest class.

    A label counts once per walk of one or two steps that leads to it. A training node does not see the labels of its fold, a
    fifth of the training nodes with the node itself. To leave out its own label alone would give that away: around a hub all
    labels but one are the same for all of its neighbors, so that a network could learn which one is missing, on training nodes.

    Source: cross-fitting, as of target encodings (Micci-Barreca, SIGKDD Explorations 2001).
    """
    known = around.y >= 0
    classes = F.one_hot(around.y.clamp(min=0), max(int(around.y.max()) + 1, 1) if around.y.numel() else 1)
    labels, fold = classes.double() * known.unsqueeze(1), _folds(known)
    counts = _within_two_steps(around.graph, labels)
    for f in range(_FOLDS):
        own = (fold == f).unsqueeze(1)
        counts = torch.where(own, _within_two_steps(around.graph, labels.masked_fill(own, 0.0)), counts)
    total = counts.sum(1)
    return torch.where(total > 0, counts.amax(1) / total.clamp(min=1.0), torch.nan)


def _within_two_steps(graph: CSR, labels: Tensor) -> Tensor:
    """Labels of each class [N, C] at the ends of all walks of one or two steps."""
    near = graph.matmul(labels)
    return near + graph.matmul(near)


def _folds(known: Tensor) -> Tensor:
    """A fold of each labeled training node [N], the same on every device; -1 for every other node."""
    nodes = known.nonzero().flatten()
    order = torch.randperm(nodes.numel(), generator=torch.Generator().manual_seed(0)).to(known.device)
    fold = torch.full(known.shape, -1, device=known.device)
    fold[nodes[order]] = torch.arange(nodes.numel(), device=known.device) % _FOLDS
    return fold


def saliency(around: Surroundings) -> Tensor:
    """That of the first pass."""
    return torch.full_like(around.degree, torch.nan) if around.first is None else around.first.saliency.detach().double()


def predicted_agreement(around: Surroundings) -> Tensor:
    """Share of the neighbors whose class in the first pass is the node's own."""
    if around.first is None:
        return torch.full_like(around.degree, torch.nan)
    predicted, graph = around.first.predicted, around.graph
    same = (predicted[graph.row] == predicted[graph.col]).double()
    return _per_neighbor(segment_sum(same, graph.rowptr, graph.row), around)


def _per_neighbor(total: Tensor, around: Surroundings) -> Tensor:
    """A sum over neighbors as their mean; unknown without any."""
    return torch.where(around.degree > 0, total / around.degree.clamp(min=1.0), torch.nan)
