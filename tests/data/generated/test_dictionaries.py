"""Dictionaries to look up keys in, entry by entry."""

from __future__ import annotations

import torch

from graphkit.data import load
from graphkit.data.generated.dictionaries import KEYS, SPLIT, dictionary_lookup


def test_the_class_is_the_value_of_the_key_that_is_asked_for() -> None:
    data = load("dictionary-lookup", task="node", seed=3)
    graph = data.graph
    assert graph.num_nodes == 2 * KEYS * sum(SPLIT.values()) and graph.x.shape == (graph.num_nodes, 2 * KEYS) and data.directed
    assert graph.edge_index.size(1) == KEYS**2 * sum(SPLIT.values())
    key = graph.x[:, :KEYS].argmax(1)
    source, target = graph.edge_index
    matching = key[source] == key[target]
    assert torch.equal(target[matching].sort().values, (graph.y >= 0).nonzero().view(-1)), "one entry answers who asks"
    answer = torch.full_like(graph.y, -1)
    answer[target[matching]] = graph.x[source[matching], KEYS:].argmax(1)
    assert torch.equal(answer, graph.y)
    assert not graph.x[graph.y >= 0, KEYS:].any() and torch.equal(graph.y[source], torch.full_like(source, -1))
    values = graph.y[graph.y >= 0].view(-1, KEYS)
    assert torch.equal(values.sort(dim=1).values, torch.arange(KEYS).expand_as(values)), "no value tells who asks"


def test_dictionaries_are_split_whole_and_always_the_same() -> None:
    data = load("dictionary-lookup", task="node")
    parts = [data.splits[name] // (2 * KEYS) for name in ("train", "valid", "test")]
    assert [part.unique().numel() for part in parts] == list(SPLIT.values())
    assert torch.cat([part.unique() for part in parts]).unique().numel() == sum(SPLIT.values())
    assert torch.equal(torch.cat(list(data.splits.values())).sort().values, (data.graph.y >= 0).nonzero().view(-1))
    torch.manual_seed(7)
    assert torch.equal(dictionary_lookup().x, data.graph.x)
