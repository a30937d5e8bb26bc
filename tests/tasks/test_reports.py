"""Accuracy by homophily, against a loop."""

from __future__ import annotations

import numpy as np
import torch

from graphkit.data import load
from graphkit.tasks.reports import accuracy_by_homophily, node


def test_halves_of_the_test_nodes_equal_a_loop():
    data = load("karate", task="node")
    y, edges = data.graph.y, data.graph.edge_index.t().tolist()
    predicted = torch.arange(34) % 2
    share = []
    for v in data.splits["test"].tolist():
        near = [int(y[w]) for u, w in edges if u == v]
        share.append((sum(label == int(y[v]) for label in near) / len(near), v))
    ordered = [v for _, v in sorted(share, key=lambda pair: pair[0])]
    half = len(ordered) // 2
    expected = {
        name: (100 * sum(int(predicted[v]) == int(y[v]) for v in part) / len(part), len(part))
        for name, part in (("lower", ordered[:half]), ("upper", ordered[half:]))
    }
    found = accuracy_by_homophily(data.graph.edge_index, y, predicted, data.splits["test"])
    assert found == expected and found["lower"] != found["upper"]
    lonely = accuracy_by_homophily(torch.empty(2, 0, dtype=torch.int64), y, predicted, data.splits["test"])
    assert lonely == {}


def test_the_report_of_any_model_has_them():
    data = load("karate", task="node")
    arrays = {f"{split}_nodes": nodes.numpy() for split, nodes in data.splits.items()} | {
        "predicted": np.zeros(34, dtype=np.int64)
    }
    (section,) = node(data, arrays)
    assert "Accuracy by homophily" in section.title and "the other half" in section.html
