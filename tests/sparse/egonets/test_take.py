"""Bags of chosen graphs, copied by blocks, against bags built from scratch of these graphs alone."""

import pytest
import torch

from graphkit.sparse import GraphBatch
from graphkit.sparse.egonets import (
    BagPairs,
    BagSample,
    edge_deleted_bags,
    ego_bags,
    node_deleted_bags,
    path_bags,
    whole_bags,
)
from tests.sparse.egonets import oracle
from tests.sparse.test_graph_batch import CHOICES, assert_same, parts

BUILDS = {
    "ego": lambda *given: ego_bags(*given, 1),
    "whole": whole_bags,
    "node-deleted": node_deleted_bags,
    "edge-deleted": edge_deleted_bags,
    "path": lambda *given: path_bags(*given, 2, 1),
}
ROOTED = ("across", "uu", "vv", "vu", "own")
ARRAYS = ("node_ptr", "bag_ptr", "ptr", "node", "bag", "graph", "roots", "removed", "total", "is_root", "within_entry", "scale")


def both(policy, graphs, directed=False):
    edge_index, ptr = oracle.batch(directed)
    edge_index = torch.unique(edge_index, dim=1)
    edges, _, bounds = parts(edge_index, ptr, graphs)
    return BUILDS[policy](edge_index, ptr).take(torch.tensor(graphs, dtype=torch.long)), BUILDS[policy](edges, bounds)


def assert_equal(one, other, names):
    for name in names:
        first, second = getattr(one, name), getattr(other, name)
        assert (first is None) == (second is None) and (first is None or torch.equal(first, second)), name


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("graphs", CHOICES.values(), ids=CHOICES)
@pytest.mark.parametrize("policy", BUILDS)
def test_taken_bags_equal_bags_built_from_scratch(policy, graphs, directed):
    taken, built = both(policy, graphs, directed)
    assert_equal(taken, built, ARRAYS)
    rooted = ROOTED if policy in ("ego", "whole", "node-deleted") else ()
    for name in ("adj", "within", "spread_bags", "spread_nodes", *rooted):
        assert_same(getattr(taken, name), getattr(built, name))
    if rooted:
        assert_equal(taken, built, ("root", "bag_of", "own_row", "across_entry"))
    if policy != "edge-deleted":
        assert torch.equal(taken.distance, built.distance)
    assert taken.square == built.square


@pytest.mark.parametrize("graphs", CHOICES.values(), ids=CHOICES)
@pytest.mark.parametrize("policy", BUILDS)
def test_taken_pairs_equal_pairs_built_from_scratch(policy, graphs):
    edge_index, ptr = oracle.batch()
    edge_index = torch.unique(edge_index, dim=1)
    edges, _, bounds = parts(edge_index, ptr, graphs)
    taken = BagPairs(BUILDS[policy](edge_index, ptr)).take(torch.tensor(graphs, dtype=torch.long))
    built = BagPairs(BUILDS[policy](edges, bounds))
    assert_equal(taken, built, ("order", "node", "pairs"))
    assert taken.runs == built.runs and taken.num_pairs == built.num_pairs
    for name in ("spread_nodes", "spread_pairs", "entries", "loops"):
        assert_same(getattr(taken, name), getattr(built, name))
    assert torch.equal(taken.find(*taken.pairs), torch.arange(taken.num_pairs))


def test_a_sample_keeps_its_counts():
    edge_index, ptr = oracle.batch()
    bags = ego_bags(edge_index, ptr, 1, sample=BagSample(2))
    taken = bags.take(torch.tensor([3, 1, 3]))
    assert taken.total.tolist() == [9, 1, 9] and taken.bag_ptr.tolist() == [0, 2, 3, 5]
    assert torch.equal(taken.scale, bags.scale[[3, 1, 3]])
    assert taken.describe() == f"5 bags of 3 graphs, {taken.num_rows} rows; drawn from 19 bags (26.3%)."
    with pytest.raises(ValueError, match="a sample lacks"):
        _ = taken.across


def test_a_batch_takes_its_index_along():
    edge_index, ptr = oracle.batch()
    batch = GraphBatch.of(edge_index, ptr)
    bags = ego_bags(batch.adj, ptr, 2)
    part = batch.with_index(bags).take(torch.tensor([4, 0]))
    assert part.index.num_graphs == 2 and torch.equal(part.index.node_ptr, part.ptr)
    assert torch.equal(part.index.adj.col, part.adj.col)
    with pytest.raises(ValueError, match="out of range"):
        bags.take(torch.tensor([5]))


def test_blocks_of_graphs_are_those_of_the_taken_graphs():
    taken, built = both("whole", [3, 0, 3])
    assert torch.equal(taken.blocks.adjacency, built.blocks.adjacency)
    h = torch.randn(taken.num_rows, 2)
    assert torch.equal(taken.blocks.pad(h), built.blocks.pad(h))
