"""What a protocol changes of a run: own negatives in the ranking, and another graph at test time."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from graphkit.conf.schema import LinkTask
from graphkit.data.dataset import Pairs
from graphkit.errors import RequestError
from graphkit.models.link.heuristics import CommonNeighbors
from tests.tasks.links import NODES, dense, make_task, planted
from tests.tasks.test_link_evaluation import Given


def test_each_positive_is_ranked_among_its_own_negatives() -> None:
    dataset = planted(metrics=("mrr", "hits@1", "hits@3"), metric="mrr")
    generator = torch.Generator().manual_seed(0)
    parts = {"train": dataset.splits["train"]}
    for name in ("valid", "test"):
        positive = dataset.splits[name].positive
        negative = torch.randint(NODES, (2, 4 * positive.size(1)), generator=generator)
        parts[name] = Pairs(positive, negative, own_negatives=True)
    matrix = torch.randn(NODES, NODES, generator=generator).mul(2).round()  # with ties
    task = make_task(replace(dataset, splits=parts))
    found = task.evaluate(Given(matrix)).metrics
    assert task.rescore(task.predictions(Given(matrix))) == found
    for name in ("valid", "test"):
        ranks = []
        for p, (u, v) in enumerate(parts[name].positive.t().tolist()):
            own = [float(matrix[i, j]) for i, j in parts[name].negative[:, 4 * p : 4 * p + 4].t().tolist()]
            score = float(matrix[u, v])
            ranks.append(1 + sum(other > score for other in own) + 0.5 * own.count(score))
        assert found[name]["mrr"] == pytest.approx(100 * sum(1 / rank for rank in ranks) / len(ranks))
        for k in (1, 3):
            assert found[name][f"hits@{k}"] == pytest.approx(100 * sum(rank <= k for rank in ranks) / len(ranks))
    with pytest.raises(RequestError, match="task.metric=hits@5 cannot select an epoch: validation has 4 negatives"):
        make_task(replace(dataset, splits=parts), settings=LinkTask(metric="hits@5"))


def test_the_graph_of_the_test_holds_the_edges_that_a_protocol_adds() -> None:
    dataset = planted()
    added = dataset.splits["valid"].positive
    edges = torch.cat([dataset.graph.edge_index, added, added.flip(0)], dim=1)
    edges = edges[:, (edges[0] * NODES + edges[1]).argsort()]
    task = make_task(replace(dataset, test_graph=replace(dataset.graph, edge_index=edges)))
    arrays = task.predictions(CommonNeighbors())
    for name, graph in (("valid", dataset.graph.edge_index), ("test", edges)):
        adjacency = dense(graph)
        common = adjacency @ adjacency
        for kind in ("positive", "negative"):
            pairs = getattr(dataset.splits[name], kind)
            assert arrays[f"{name}_{kind}_scores"].tolist() == common[pairs[0], pairs[1]].tolist()
    assert (dense(edges) @ dense(edges) - dense(dataset.graph.edge_index) @ dense(dataset.graph.edge_index)).any()
