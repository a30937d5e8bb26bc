"""Dictionaries to look up keys in: what a node hears must depend on both ends of an edge."""

from __future__ import annotations

import torch
from torch.nn.functional import one_hot

from graphkit.data.graph import Graph
from graphkit.data.sources import DataRequest, GraphSource

KEYS = 10
"""Keys of a dictionary, and values."""
SPLIT = {"train": 300, "valid": 100, "test": 100}
"""Dictionaries of each part."""
_SEED = 0  # the collection does not depend on a run's seed, so that seeds differ in weights alone


def read(request: DataRequest) -> GraphSource:
    """`dictionary_lookup`, whatever the seed, split by dictionaries.

    Args:
        request: What was asked for.
    """
    graph = dictionary_lookup()
    asks = torch.arange(graph.num_nodes).view(-1, 2, KEYS)[:, 1]
    parts = asks.split(list(SPLIT.values()))
    return GraphSource(graph, nodes={name: part.flatten() for name, part in zip(SPLIT, parts, strict=True)})


def dictionary_lookup() -> Graph:
    """Dictionaries side by side, each a complete bipartite graph from its entries to the nodes that ask for a key.

    A dictionary has KEYS entries (key, value), the values a random permutation, and KEYS asking nodes, one per key. Every entry
    sends an edge to every asking node, whose class is the value of its key. All asking nodes hear from the same entries: a
    model that sends the same to all of them is right once in KEYS times.

    Returns:
        500 dictionaries of 20 nodes, entries first. `x` [10000, 20] is one-hot: the key, then the value, zeros for who asks.
        `y` is -1 for entries. Always the same ones.

    Source: Brody, Alon and Yahav, How Attentive are Graph Attention Networks?, ICLR 2022.
    """
    count = sum(SPLIT.values())
    generator = torch.Generator().manual_seed(_SEED)
    values = torch.rand(count, KEYS, generator=generator).argsort(dim=1)
    keys = one_hot(torch.arange(KEYS)).expand(count, KEYS, KEYS)
    entries = torch.cat([keys, one_hot(values)], dim=2)
    asks = torch.cat([keys, torch.zeros_like(keys)], dim=2)
    x = torch.stack([entries, asks], dim=1).reshape(-1, 2 * KEYS).float()
    nodes = torch.arange(2 * KEYS * count).view(count, 2, KEYS)
    source = nodes[:, 0].unsqueeze(1).expand(count, KEYS, KEYS)
    target = nodes[:, 1].unsqueeze(2).expand(count, KEYS, KEYS)
    y = torch.stack([torch.full_like(values, -1), values], dim=1).flatten()
    return Graph(x=x, edge_index=torch.stack([source.flatten(), target.flatten()]), y=y, num_nodes=nodes.numel())
