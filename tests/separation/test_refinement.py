"""Color refinement against dictionaries, and the classes of the hierarchy on pairs whose verdicts are known."""

import itertools

import networkx as nx
import pytest
import torch

from graphkit.data.generated.pairs import fuerer
from graphkit.data.graph import Graph
from graphkit.layers import PRESETS
from graphkit.separation.collection import Collection
from graphkit.separation.refinement import CLASSES, Refinement, graph_colors, row_colors
from tests.separation import oracle


def graph(edges, num_nodes):
    pairs = torch.tensor(sorted(edges), dtype=torch.long).view(-1, 2).t()
    return Graph(edge_index=torch.cat([pairs, pairs.flip(0)], dim=1), num_nodes=num_nodes)


def batch(graphs):
    ptr = torch.tensor([0, *(one.num_nodes for one in graphs)]).cumsum(0)
    return torch.cat([one.edge_index + start for one, start in zip(graphs, ptr[:-1], strict=True)], dim=1), ptr


def trees_and_rings():
    """Graphs of 1 to 6 nodes, some without edges, with isolated nodes, disconnected, regular."""
    atlas = nx.graph_atlas_g()
    chosen = [atlas[k] for k in (1, 2, 5, 14, 31, 38, 52, 94, 105, 153, 174, 175)]
    regular = [nx.disjoint_union(nx.cycle_graph(3), nx.cycle_graph(3)), nx.cycle_graph(6), nx.circular_ladder_graph(3)]
    return [graph(one.edges, len(one)) for one in [*chosen, *regular, nx.complete_bipartite_graph(3, 3)]]


AGGREGATIONS = [
    ("uL",),
    ("uL", "vL"),
    ("uL", "vv"),
    ("uL", "vG"),
    ("uL", "vL", "vv"),
    ("uL", "vGL"),
    ("uL", "uu", "vu", "uG", "uv"),
]


def check(graphs, aggregations, policy, order="VS", hops=None, **options):
    test = Refinement(aggregations, policy, order, hops, **options)
    ours = graph_colors(test, *batch(graphs)).tolist()
    theirs = oracle.Refined(graphs, aggregations, policy, order, hops, **options)
    assert oracle.same_partition(ours, theirs.graph_colors)
    bags = test.bags(*batch(graphs))
    rows = [(g, b, v) for g, found in enumerate(theirs.bags) for b, (_, kept, _) in enumerate(found) for v in sorted(kept)]
    if policy != "edge-deleted":  # whose bags come in another order
        assert oracle.same_partition(row_colors(test, bags).tolist(), [theirs.color[row] for row in rows])


@pytest.mark.parametrize("aggregations", AGGREGATIONS, ids="-".join)
@pytest.mark.parametrize(("policy", "hops"), [("node-marking", None), ("distance", None), ("ego+", 1), ("ego", 2)])
def test_colors_equal_the_oracle(aggregations, policy, hops):
    for order in ("VS", "SV"):
        check(trees_and_rings(), aggregations, policy, order, hops)


@pytest.mark.parametrize("policy", ["plain", "node-deleted", "edge-deleted"])
@pytest.mark.parametrize("aggregations", [("uL",), ("uL", "vG"), ("uL", "vGL")], ids="-".join)
def test_bags_without_marks_equal_the_oracle(aggregations, policy):
    for order in ("VS", "SV"):
        check(trees_and_rings(), aggregations, policy, order)


@pytest.mark.parametrize("name", ["lfwl", "slfwl", "fwl"])
@pytest.mark.parametrize("order", ["VS", "SV"])
def test_products_of_pairs_equal_the_oracle(name, order):
    check(trees_and_rings(), (name,), "distance", order)
    check([fuerer("01 12 02 23 34 42", twisted=twisted) for twisted in (False, True)], (name,), "distance", order)


def test_root_pools_equal_the_oracle():
    check(trees_and_rings(), ("uL",), "ego+", hops=2, inner="root")
    marked = Refinement(("uL",), "ego", hops=2, inner="root", roots=True)
    plus = Refinement(("uL",), "ego+", hops=2, inner="root")
    graphs = batch(trees_and_rings())
    assert oracle.same_partition(graph_colors(marked, *graphs).tolist(), graph_colors(plus, *graphs).tolist())


def test_products_of_pairs_need_whole_graphs():
    with pytest.raises(ValueError, match="fwl needs bags of whole graphs"):
        graph_colors(Refinement(("fwl",), "ego", hops=1), *batch(trees_and_rings()))
    with pytest.raises(ValueError, match="unknown aggregation 'uX'"):
        graph_colors(Refinement(("uX",)), *batch(trees_and_rings()))


@pytest.mark.parametrize("name", CLASSES)
def test_relabeled_graphs_have_equal_colors(name):
    graphs = [one for one in trees_and_rings() if one.num_nodes > 4]
    edge_index, ptr = batch(graphs + graphs)
    half = len(graphs)
    generator = torch.Generator().manual_seed(0)
    order = torch.cat([start + torch.randperm(size, generator=generator) for start, size in zip(ptr, ptr.diff(), strict=False)])
    fixed = torch.arange(int(ptr[half]))
    order[: fixed.numel()] = fixed
    colors = graph_colors(CLASSES[name], order[edge_index], ptr)
    assert colors[:half].tolist() == colors[half:].tolist()
    assert len(set(colors.tolist())) > 5


def test_presets_aggregate_as_classes_do():
    names = {"swl": "swl-vs", "swl-sv": "swl-sv", "pswl": "pswl-vs", "pswl-sv": "pswl-sv", "gswl": "gswl", "sswl": "sswl"}
    for preset, test in names.items():
        assert (PRESETS[preset].aggregations, PRESETS[preset].order) == (CLASSES[test].aggregations, CLASSES[test].order)


def test_collections_hold_each_graph_once():
    graphs = trees_and_rings()[4:9]
    from graphkit.data.graph_pairs import GraphPair

    together = [GraphPair(f"{a}{b}", "all", graphs[a], graphs[b]) for a, b in itertools.combinations(range(3), 2)]
    apart = GraphPair("34", "other", graphs[3], graphs[4])
    collection = Collection([*together, apart])
    assert len(collection.graphs) == 5 and collection.places.tolist() == [[0, 1], [0, 2], [1, 2], [3, 4]]
    assert [group.tolist() for group in collection.groups] == [[0, 1, 2], [3, 4]]
    batches = list(collection.batches(lambda one: one.num_nodes, 1))
    assert [one.graphs.tolist() for one in batches] == [[0, 1, 2], [3, 4]]
    (whole,) = collection.batches(lambda one: one.num_nodes, 1000)
    assert torch.equal(whole.edge_index, batch(graphs)[0]) and torch.equal(whole.ptr, batch(graphs)[1])
    moved = whole.relabeled(torch.Generator().manual_seed(0))
    for start, stop in itertools.pairwise(whole.ptr.tolist()):
        parts = [one.edge_index[:, (one.edge_index[0] >= start) & (one.edge_index[0] < stop)] for one in (whole, moved)]
        mine, theirs = (nx.Graph((part - start).t().tolist()) for part in parts)
        assert nx.is_isomorphic(mine, theirs)
    assert not torch.equal(moved.edge_index, whole.edge_index)
