"""Concentrations of a link data set are those of its training graph, split by split."""

from __future__ import annotations

import networkx
import pytest
import torch

from graphkit.data.measures.concentration import link_concentration
from tests.tasks.links import NODES, planted


def test_neighbors_are_those_of_each_split() -> None:
    data = planted()
    graph = networkx.Graph(data.graph.edge_index.t().tolist())
    graph.add_nodes_from(range(NODES))
    found = link_concentration(data)
    clustering = networkx.clustering(graph)
    assert found["train"].tolist() == pytest.approx([clustering[v] for v in range(NODES)])
    for name in ("valid", "test"):
        pairs = data.splits[name].positive.t().tolist()
        for v in range(NODES):
            others = [j if v == i else i for i, j in pairs if v in (i, j)]
            shares = [len(set(graph[v]) & set(graph[j])) / len(graph[v]) for j in others] if len(graph[v]) else []
            assert float(found[name][v]) == pytest.approx(sum(shares) / len(shares) if shares else 0.0)
    assert found.keys() == {"train", "valid", "test"} and float(torch.stack([*found.values()]).max()) <= 1.0
