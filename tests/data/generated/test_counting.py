"""The counting benchmark: sizes, labels, scales, splits."""

from functools import cache

import networkx as nx
import pytest
import torch

from graphkit.data.catalog import DATASETS
from graphkit.data.generated.counting import FAMILIES, PATTERNS, counting_set, counting_source

SCALES = {"triangle": 3.07, "tailed-triangle": 25.95, "star": 17.78, "4-cycle": 6.94}
"""Standard deviations of the published 5,000 graphs."""


@cache
def made(pattern, level="graph", seed=0):
    return counting_set(pattern, level=level, num_graphs=200, seed=seed)


def graph(data, number):
    start, stop = data.ptr[number], data.ptr[number + 1]
    inside = (data.edge_index[0] >= start) & (data.edge_index[0] < stop)
    found = nx.Graph((data.edge_index[:, inside] - start).t().tolist())
    found.add_nodes_from(range(int(stop - start)))
    return found, inside


def test_sizes_and_splits():
    data = made("triangle")
    assert data.ptr.diff().tolist() == [nodes for nodes, _ in FAMILIES for _ in range(50)]
    edges = {10: 20, 15: 30, 20: 30, 30: 45}
    for number in range(0, 200, 23):
        found, _ = graph(data, number)
        assert found.number_of_edges() == edges[len(found)] and max(dict(found.degree).values()) <= 6
        assert nx.number_of_selfloops(found) == 0
    assert {name: part.numel() for name, part in data.splits.items()} == {"train": 60, "valid": 40, "test": 100}
    assert torch.cat(list(data.splits.values())).sort().values.tolist() == list(range(200))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_labels_are_counts_over_the_scale(pattern):
    data = made(pattern)
    assert data.y.dtype == torch.float32 and data.y.shape == (200,)
    counts = data.y.double() * data.scale
    assert torch.allclose(counts, counts.round(), atol=1e-3) and abs(float(data.y.std(correction=0)) - 1) < 1e-5
    if pattern == "triangle":
        for number in range(0, 200, 17):
            assert round(float(counts[number])) == sum(nx.triangles(graph(data, number)[0]).values()) // 3


@pytest.mark.parametrize("pattern", SCALES)
def test_scales_are_near_the_published_ones(pattern):
    assert abs(made(pattern).scale / SCALES[pattern] - 1) < 0.15


@pytest.mark.slow
@pytest.mark.parametrize("pattern", SCALES)
def test_scales_of_the_whole_set(pattern):
    assert abs(counting_set(pattern).scale / SCALES[pattern] - 1) < 0.04


def test_counts_per_node_and_edge_add_up():
    whole, nodes, edges = (made("5-cycle", level) for level in ("graph", "node", "edge"))
    assert torch.equal(whole.edge_index, nodes.edge_index) and nodes.scale == edges.scale == whole.scale
    assert nodes.y.shape == (int(whole.ptr[-1]),) and edges.y.shape == (whole.edge_index.size(1),)
    for number in range(0, 200, 31):
        _, inside = graph(whole, number)
        per_graph = float(whole.y[number])
        assert abs(float(nodes.y[whole.ptr[number] : whole.ptr[number + 1]].sum()) / 5 - per_graph) < 1e-4
        assert abs(float(edges.y[inside].sum()) / 2 / 5 - per_graph) < 1e-4


def test_the_data_set_has_all_patterns_of_the_same_graphs():
    source = counting_source(200)
    assert source.kind == "numbers" and source.target_names == PATTERNS
    for column, pattern in enumerate(PATTERNS):
        assert torch.equal(source.graphs.y[:, column], made(pattern).y)
    assert torch.equal(source.graphs.edge_index, made("star").edge_index) and torch.equal(source.graphs.ptr, made("star").ptr)
    keys = source.graphs.edge_index[0] * source.graphs.num_nodes + source.graphs.edge_index[1]
    assert bool((keys.diff() > 0).all())
    assert all(torch.equal(part, made("star").splits[name]) for name, part in source.splits.items())
    assert DATASETS["counting"].protocols["graph"].metrics == ("mae", *(f"mae:{pattern}" for pattern in PATTERNS))


def test_seeds():
    assert torch.equal(made("star").edge_index, counting_set("star", num_graphs=200).edge_index)
    assert not torch.equal(made("star").edge_index[:, :500], made("star", seed=1).edge_index[:, :500])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"pattern": "7-cycle"}, "pattern must be one of triangle"),
        ({"pattern": "star", "level": "node"}, "star is counted per graph alone"),
        ({"pattern": "star", "level": "pair"}, "level one of graph"),
        ({"pattern": "star", "num_graphs": 30}, "multiple of 4, got 30"),
    ],
)
def test_wrong_arguments(arguments, says):
    with pytest.raises(ValueError, match=says):
        counting_set(**arguments)
