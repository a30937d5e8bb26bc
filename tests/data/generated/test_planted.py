"""Planted categories: two fields decide together, none alone, and the share that is told is the one that the protocol names."""

from __future__ import annotations

import torch
from torch.nn.functional import one_hot

from graphkit.data import load
from graphkit.data.catalog import DATASETS
from graphkit.data.generated import planted
from tests.data.oracle import check_graph


def test_two_fields_decide_the_class_and_one_tells_nothing() -> None:
    v, told = planted.VALUES, []
    for seed in range(10):
        data = load("planted-categories", task="node", seed=seed).graph
        check_graph(data.edge_index, data.num_nodes)
        fields = data.x.view(-1, planted.FIELDS, v)
        assert torch.equal(fields.sum(2), torch.ones(data.num_nodes, planted.FIELDS))
        values = fields.argmax(2)
        told.append(((values[:, 0] + values[:, 1]) % v == data.y).double().mean())
        for field in range(planted.FIELDS):  # 800 nodes in 16 cells of 50 on average, with a deviation of 6 or so
            cells = one_hot(data.y * v + values[:, field], v * v).sum(0)
            assert int(cells.min()) > 20 and int(cells.max()) < 90
        assert data.y.bincount().tolist() == [planted.CLASS_SIZE] * planted.CLASSES
    wrong = planted.REDRAWN * (1 - 1 / v)
    expected = (1 - wrong) ** 2 + wrong**2 / (v - 1)
    assert abs(float(torch.stack(told).mean()) - expected) < 0.015  # 8,000 draws: four deviations
    assert f"{100 * expected:.0f} %" in DATASETS["planted-categories"].protocols["node"].statement


def test_it_is_drawn_by_the_seed() -> None:
    one, same, other = (load("planted-categories", task="node", seed=seed).graph for seed in (0, 0, 1))
    assert torch.equal(one.x, same.x) and torch.equal(one.edge_index, same.edge_index)
    assert not torch.equal(one.x, other.x)
