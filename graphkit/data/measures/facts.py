"""What can be said of a node classification data set before anything is trained on it."""

from __future__ import annotations

import math
from typing import Any

import torch

from graphkit.data.dataset import NodeData
from graphkit.data.graph import required
from graphkit.data.measures import homophily

_MEASURES = {
    "edge": homophily.edge_homophily,
    "node": homophily.node_homophily,
    "class_insensitive": homophily.class_insensitive_homophily,
    "adjusted": homophily.adjusted_homophily,
    "label_informativeness": homophily.label_informativeness,
}


def node_facts(dataset: NodeData) -> dict[str, Any]:
    """Graph, classes and homophily in plain numbers.

    Args:
        dataset: A data set loaded for node classification.

    Returns:
        `directed`, `features`, `isolated_nodes` (without an edge to another node), `self_loops`, `unlabeled_nodes`, `classes`,
        `class_sizes` (nodes of each class in all and in each split) and `homophily`
        (`graphkit.data.measures.homophily`, to four digits, None where undefined; the two-step measures for directed graphs).
    """
    data, y = dataset.graph, required(dataset.graph.y)
    source, target = data.edge_index
    tied = torch.zeros(data.num_nodes, dtype=torch.bool)
    tied[data.edge_index[:, source != target].flatten()] = True
    names, sizes = _class_sizes(dataset)
    return {
        "directed": dataset.directed,
        "features": 0 if data.x is None else int(data.x.size(1)),
        "isolated_nodes": int((~tied).sum()),
        "self_loops": int((source == target).sum()),
        "unlabeled_nodes": int((y < 0).sum()),
        "classes": len(names),
        "class_sizes": {name: {part: counts[label] for part, counts in sizes.items()} for label, name in enumerate(names)},
        "homophily": _homophily(dataset),
    }


def class_warnings(dataset: NodeData) -> tuple[str, ...]:
    """A sentence for classes of which there is no training node, if there are any.

    Args:
        dataset: A data set loaded for node classification.
    """
    names, sizes = _class_sizes(dataset)
    unseen = [label for label in range(len(names)) if sizes["nodes"][label] and not sizes["train"][label]]
    if not unseen:
        return ()
    listed = ", ".join(names[label] for label in unseen)
    valid, test = (sum(sizes[split][label] for label in unseen) for split in ("valid", "test"))
    return (
        f"no training node is of class {listed}: no model can learn to predict it, and its nodes ({valid} in validation, "
        f"{test} in test) count as errors",
    )


def _class_sizes(dataset: NodeData) -> tuple[tuple[str, ...], dict[str, list[int]]]:
    """Names of the classes, and of all nodes and of each split the number in each class."""
    y = required(dataset.graph.y)
    names = dataset.class_names or tuple(str(label) for label in range(int(y.max()) + 1))
    parts = {"nodes": y, **{split: y[nodes] for split, nodes in dataset.splits.items()}}
    return names, {part: torch.bincount(labels[labels >= 0], minlength=len(names)).tolist() for part, labels in parts.items()}


def _homophily(dataset: NodeData) -> dict[str, Any]:
    edge_index, y = dataset.graph.edge_index, required(dataset.graph.y)
    measures: dict[str, Any] = {name: _digits(measure(edge_index, y)) for name, measure in _MEASURES.items()}
    if dataset.directed:
        steps = homophily.two_step_homophily(edge_index, y)
        measures["two_step"] = {name: _digits(value) for name, value in steps.items()}
    return measures


def _digits(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
