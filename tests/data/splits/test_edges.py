import networkx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphkit.data.splits.edges import both_directions, split_edges, split_edges_as_ncn, undirected_pairs
from graphkit.data.splits.nodes import split_nodes, split_nodes_by_count
from graphkit.errors import DataError
from tests.data.oracle import check_graph, check_link_split, pairs_of


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@st.composite
def messy_edges(draw):
    """Edge lists with duplicates, both directions, self-loops and isolated nodes."""
    num_nodes = draw(st.integers(12, 40))
    node = st.integers(0, num_nodes - 1)
    path = [(v, v + 1) for v in range(10)]
    extra = draw(st.lists(st.tuples(node, node), max_size=40))
    return torch.tensor(path + extra + extra[:3] + [(v, u) for u, v in extra[:5]]).T, num_nodes


@settings(max_examples=60, deadline=None)
@given(messy_edges(), st.integers(0, 2**31))
@pytest.mark.parametrize("protocol", ["shares", "ncn"])
def test_no_split_leaks(protocol, graph, seed):
    edge_index, num_nodes = graph
    whole = {pair for pair in pairs_of(edge_index) if len(pair) == 2}
    if protocol == "ncn":
        train_graph, splits = split_edges_as_ncn(edge_index, num_nodes, generator(seed))
    else:
        train_graph, splits = split_edges(edge_index, num_nodes, (0.7, 0.1, 0.2), generator(seed))
    check_link_split(train_graph, splits, whole, num_nodes)
    held = {name: len(splits[name].positive.T) for name in ("valid", "test")}
    asked = {name: len(splits[name].negative.T) for name in ("valid", "test")}
    tenth, fifth = len(whole) // 10, len(whole) // 5
    if protocol == "ncn":
        assert held == {"valid": fifth // 2, "test": fifth} and asked == {"valid": fifth, "test": fifth}
    else:
        assert held == {"valid": tenth, "test": fifth} and asked == {"valid": fifth, "test": fifth}


@pytest.mark.parametrize("split", [split_edges_as_ncn, lambda *args: split_edges(*args[:2], (0.6, 0.2, 0.2), args[2])])
def test_a_seed_repeats_and_another_differs(split):
    edge_index = torch.tensor(list(networkx.gnm_random_graph(60, 200, seed=1).edges())).T
    first, again, other = (split(edge_index, 60, generator(seed)) for seed in (3, 3, 4))
    for name in ("train", "valid", "test"):
        assert torch.equal(first[1][name].positive, again[1][name].positive)
        assert not torch.equal(first[1][name].positive, other[1][name].positive)
    assert torch.equal(first[1]["test"].negative, again[1]["test"].negative)
    assert not torch.equal(first[1]["test"].negative, other[1]["test"].negative)


def test_shares_that_miss_an_integer_by_rounding_count_as_that_integer():
    edge_index = torch.tensor(list(networkx.gnm_random_graph(40, 100, seed=1).edges())).T
    _, splits = split_edges(edge_index, 40, (0.42, 0.29, 0.29), generator())  # 0.29 * 100 is 28.999999999999996
    assert [part.positive.size(1) for part in splits.values()] == [42, 29, 29]


@pytest.mark.parametrize("num_edges", [0, 1, 4, 9])
def test_a_graph_too_small_to_split_is_refused(num_edges):
    edge_index = torch.stack([torch.arange(num_edges), torch.arange(num_edges) + 1])
    with pytest.raises(DataError, match="too small to hold out"):
        split_edges(edge_index, 20, (0.7, 0.1, 0.2), generator())


def test_a_graph_without_enough_non_edges_is_refused():
    complete = torch.tensor(list(networkx.complete_graph(10).edges())).T
    with pytest.raises(DataError, match="complete"):
        split_edges(complete, 10, (0.7, 0.1, 0.2), generator())
    with pytest.raises(DataError, match="16 distinct non-edges are asked for, .* has 3"):
        split_edges(complete[:, 3:], 10, (0.7, 0.1, 0.2), generator())


@settings(max_examples=30, deadline=None)
@given(messy_edges())
def test_undirected_pairs_and_both_directions(graph):
    edge_index, num_nodes = graph
    pairs = undirected_pairs(edge_index, num_nodes)
    assert pairs.T.tolist() == sorted(sorted(pair) for pair in {pair for pair in pairs_of(edge_index) if len(pair) == 2})
    both = both_directions(pairs, num_nodes)
    check_graph(both, num_nodes)
    assert set(pairs_of(both)) == set(pairs_of(pairs))


def test_nodes_are_split_class_by_class_and_unlabeled_ones_left_out():
    labels = torch.tensor([0] * 20 + [1] * 10 + [-1] * 5)
    splits = split_nodes(labels, (0.5, 0.2, 0.3), generator())
    counts = {name: [(labels[nodes] == c).sum().item() for c in (0, 1, -1)] for name, nodes in splits.items()}
    assert counts == {"train": [10, 5, 0], "valid": [4, 2, 0], "test": [6, 3, 0]}
    everyone = torch.cat(list(splits.values()))
    assert sorted(everyone.tolist()) == list(range(30))
    assert all(torch.equal(nodes, nodes.sort().values) for nodes in splits.values())
    assert not torch.equal(splits["train"], split_nodes(labels, (0.5, 0.2, 0.3), generator(1))["train"])


def test_too_few_labels_to_split_are_refused():
    with pytest.raises(DataError, match="the valid split would be empty"):
        split_nodes(torch.tensor([0, 1, 0, 1]), (0.7, 0.1, 0.2), generator())


def test_a_split_by_count_holds_the_nodes_it_must():
    labels = torch.arange(40) % 2
    splits = split_nodes_by_count(labels, per_class=3, num_valid=10, generator=generator(), always=(5, 8))
    assert {5, 8} <= set(splits["train"].tolist())
    assert torch.bincount(labels[splits["train"]]).tolist() == [3, 3]
    assert [nodes.numel() for nodes in splits.values()] == [6, 10, 24]
    assert sorted(torch.cat(list(splits.values())).tolist()) == list(range(40))
