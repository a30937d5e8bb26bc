"""What the classes of data say of themselves, against counts by hand."""

from dataclasses import replace

import pytest

from graphkit.data.dataset import Dataset
from tests.data.test_validate import JUDGED, interaction_data, link_data, node_data


def test_a_graph_for_node_classification():
    dataset = replace(node_data(), node_names=tuple("abcde"), class_names=("even", "odd", "never seen"))
    facts = dataset.facts()
    assert (facts["nodes"], facts["message_passing_edges"], facts["splits"]) == (5, 4, {"train": 2, "valid": 1, "test": 1})
    assert dataset.names() == {"nodes": tuple("abcde"), "classes": ("even", "odd", "never seen")}
    assert dataset.sizes() == {"nodes": 5, "features": 2, "classes": 3}
    assert node_data(x=None).sizes() == {"nodes": 5, "classes": 2}


def test_a_graph_for_link_prediction():
    dataset = replace(link_data(), node_names=tuple("abcde"))
    held_out = {"positive": 1, "negative": 1}
    splits = {"train": {"positive": 1}, "valid": held_out, "test": held_out}
    assert dataset.facts() == {"nodes": 5, "message_passing_edges": 4, "splits": splits}
    assert dataset.names() == {"nodes": tuple("abcde"), "classes": ()}
    assert dataset.sizes() == {"nodes": 5, "features": 2}


def test_interactions():
    dataset = replace(interaction_data(), user_names=("ann", "bob"), item_names=tuple("xyz"))
    assert dataset.facts() == {"nodes": 5, "message_passing_edges": 2, "splits": {"train": 1, "valid": 1, "test": 1}}
    assert dataset.names() == {"users": ("ann", "bob"), "items": ("x", "y", "z")}
    assert dataset.sizes() == {"users": 2, "items": 3} and (dataset.num_users, dataset.num_items) == (2, 3)


def test_the_base_is_no_data_set_and_assumes_no_graph():
    with pytest.raises(TypeError, match="abstract"):
        Dataset(**JUDGED)
    assert not {"graph", "data", "num_nodes", "splits"} & set(dir(Dataset)) and "graph" not in Dataset.__annotations__
