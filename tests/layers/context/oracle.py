"""Contexts of nodes by loops over nodes and neighbors, in plain Python; shares nothing with the library."""

from __future__ import annotations

import math

import networkx as nx
import torch


def neighbors(edge_index, num_nodes):
    near = [set() for _ in range(num_nodes)]
    for source, target in edge_index.t().tolist():
        if source != target:
            near[source].add(target)
            near[target].add(source)
    return near


def cosine(a, b):
    norms = math.sqrt(sum(v * v for v in a)) * math.sqrt(sum(v * v for v in b))
    return sum(v * w for v, w in zip(a, b, strict=True)) / norms if norms else 0.0


def folds(y):
    """Labeled nodes are dealt out to five folds in a random order that never changes."""
    labeled = [i for i, label in enumerate(y.tolist()) if label >= 0]
    order = torch.randperm(len(labeled), generator=torch.Generator().manual_seed(0)).tolist()
    return {labeled[k]: place % 5 for place, k in enumerate(order)}


def raw(edge_index, x, y, predicted=None, saliency=None):
    """Each context by name: a list with None where it is unknown."""
    n = x.size(0)
    near, rows, labels = neighbors(edge_index, n), x.tolist(), y.tolist()
    graph = nx.Graph()
    graph.add_nodes_from(range(n))
    graph.add_edges_from((i, j) for i in range(n) for j in near[i])
    walk = nx.MultiDiGraph()
    walk.add_nodes_from(range(n))
    walk.add_edges_from(edge_index.t().tolist())
    ranks = nx.pagerank(walk, tol=1e-12, max_iter=500)
    leading = nx.eigenvector_centrality(graph, tol=1e-12, max_iter=5000)
    agreement, fold = [], folds(y)
    for i in range(n):
        votes = {}
        walks = list(near[i]) + [k for j in near[i] for k in near[j]]
        for k in walks:
            if labels[k] >= 0 and (labels[i] < 0 or fold[i] != fold[k]):
                votes[labels[k]] = votes.get(labels[k], 0) + 1
        agreement.append(max(votes.values()) / sum(votes.values()) if votes else None)
    return {
        "degree": [float(len(near[i])) for i in range(n)],
        "clustering": [nx.clustering(graph, i) for i in range(n)],
        "core number": [float(nx.core_number(graph)[i]) for i in range(n)],
        "pagerank": [n * ranks[i] for i in range(n)],
        "eigenvector centrality": [math.sqrt(n) * leading[i] for i in range(n)],
        "neighbor similarity": [
            sum(cosine(rows[i], rows[j]) for j in near[i]) / len(near[i]) if near[i] else None for i in range(n)
        ],
        "label agreement": agreement,
        "feature saliency": [None] * n if saliency is None else saliency.tolist(),
        "predicted agreement": [
            sum(predicted[i] == predicted[j] for j in near[i]) / len(near[i]) if near[i] else None for i in range(n)
        ]
        if predicted is not None
        else [None] * n,
    }


SCALED = {"degree": math.log1p, "core number": math.log1p, "feature saliency": math.log1p, "pagerank": math.log}


def table(contexts, numbers, train):
    """Standardized columns, then flags of what may be unknown."""
    columns = []
    for name in contexts:
        scaled = [None if v is None else SCALED.get(name, float)(v) for v in numbers[name]]
        known = [scaled[i] for i in train if scaled[i] is not None]
        mean = sum(known) / len(known) if known else 0.0
        deviation = math.sqrt(sum((v - mean) ** 2 for v in known) / len(known)) if known else 0.0
        columns.append([0.0 if v is None or deviation < 1e-9 else (v - mean) / deviation for v in scaled])
    for name in contexts:
        if name in ("neighbor similarity", "label agreement", "feature saliency", "predicted agreement"):
            columns.append([float(v is None) for v in numbers[name]])
    return torch.tensor(columns, dtype=torch.float64).t()
