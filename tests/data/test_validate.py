from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from graphkit.data.dataset import InteractionData, LinkData, NodeData, Pairs
from graphkit.data.graph import Graph
from graphkit.errors import DataError

JUDGED: dict[str, Any] = {"name": "toy", "protocol": "", "metric": "accuracy", "metrics": ("accuracy",)}


def graph(**changes: Any) -> Graph:
    parts = {
        "x": torch.ones(5, 2),
        "edge_index": torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]),
        "y": torch.tensor([0, 1, 0, 1, 0]),
        "num_nodes": 5,
    }
    return Graph(**(parts | changes))


def node_data(**changes: Any) -> NodeData:
    splits = {"train": torch.tensor([0, 1]), "valid": torch.tensor([2]), "test": torch.tensor([3])}
    return NodeData(**JUDGED, graph=graph(**changes), splits=splits)


def link_data() -> LinkData:
    pair = torch.tensor([[0], [1]])
    return LinkData(
        **JUDGED, graph=graph(), splits={"train": Pairs(pair), "valid": Pairs(pair, pair), "test": Pairs(pair, pair)}
    )


def interaction_data() -> InteractionData:
    bipartite = Graph(edge_index=torch.tensor([[0, 2], [2, 0]]), num_nodes=5, num_users=2, num_items=3)
    splits = {name: torch.tensor([[user], [item]]) for name, user, item in (("train", 0, 0), ("valid", 1, 2), ("test", 1, 1))}
    return InteractionData(**JUDGED, graph=bipartite, splits=splits)


@pytest.mark.parametrize("dataset", [node_data(), link_data(), interaction_data()])
def test_a_sound_data_set_passes(dataset: NodeData | LinkData | InteractionData):
    dataset.check()


def nan_features() -> Tensor:
    x = torch.ones(5, 2)
    x[3, 1] = float("nan")
    return x


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"edge_index": torch.empty(2, 0, dtype=torch.long)}, "its graph is empty"),
        ({"num_nodes": 0}, "its graph is empty"),
        ({"edge_index": torch.tensor([[0, 5], [5, 0]])}, "the graph names node 5, but node ids go from 0 to 4"),
        ({"edge_index": torch.tensor([[0, -1], [-1, 0]])}, "the graph names node -1"),
        ({"x": nan_features()}, "feature 1 of node 3 is nan"),
        ({"x": nan_features().nan_to_num(float("inf")) * float("inf")}, "feature 0 of node 0 is inf"),
        ({"x": torch.ones(4, 2)}, r"features are of shape \(4, 2\) for 5 nodes"),
        ({"x": torch.ones(5)}, r"features are of shape \(5,\)"),
        ({"y": torch.tensor([0, 1])}, "it has 2 labels for 5 nodes"),
        ({"y": torch.zeros(5, dtype=torch.long)}, "all training labels are of one class"),
        ({"y": None}, "it has no labels"),
    ],
)
def test_what_no_model_could_use_is_refused(changes, says):
    with pytest.raises(DataError, match=says):
        node_data(**changes).check()


@pytest.mark.parametrize(
    ("dataset", "part", "says"),
    [
        (node_data(), torch.tensor([7]), "the valid split names node 7"),
        (node_data(), torch.tensor([], dtype=torch.long), "the valid split is empty"),
        (link_data(), Pairs(torch.tensor([[0], [9]])), "the valid split names node 9"),
        (link_data(), Pairs(torch.tensor([[0], [1]]), torch.tensor([[-2], [1]])), "the valid split names node -2"),
        (link_data(), Pairs(torch.empty(2, 0, dtype=torch.long)), "the valid split is empty"),
        (link_data(), Pairs(torch.tensor([[0], [1]]), torch.empty(2, 0, dtype=torch.long)), "the valid split is empty"),
        (interaction_data(), torch.tensor([[2], [0]]), "the valid split names user 2, but user ids go from 0 to 1"),
        (interaction_data(), torch.tensor([[0], [3]]), "the valid split names item 3, but item ids go from 0 to 2"),
        (interaction_data(), torch.empty(2, 0, dtype=torch.long), "the valid split is empty"),
    ],
)
def test_splits_are_checked(dataset: Any, part: Any, says: str):
    with pytest.raises(DataError, match=says):
        replace(dataset, splits={**dataset.splits, "valid": part}).check()


def test_a_users_own_name_is_told():
    broken = replace(node_data(x=nan_features()), node_names=("a", "b", "c", "d", "e"))
    with pytest.raises(DataError, match="feature 1 of node d is nan"):
        broken.check()
