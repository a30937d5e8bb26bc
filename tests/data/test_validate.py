from dataclasses import replace

import pytest
import torch
from torch_geometric.data import Data

from graphkit.data.dataset import Dataset, Pairs
from graphkit.data.validate import check_dataset
from graphkit.errors import DataError


def dataset(task: str = "node", **changes) -> Dataset:
    data = Data(
        x=torch.ones(5, 2),
        edge_index=torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]),
        y=torch.tensor([0, 1, 0, 1, 0]),
        num_nodes=5,
    )
    data.update(changes)
    pair = torch.tensor([[0], [1]])
    splits = {
        "link": {"train": Pairs(pair), "valid": Pairs(pair, pair), "test": Pairs(pair, pair)},
        "node": {"train": torch.tensor([0, 1]), "valid": torch.tensor([2]), "test": torch.tensor([3])},
    }[task]
    return Dataset("toy", task, data, splits, "accuracy", ("accuracy",), "")


@pytest.mark.parametrize("task", ["node", "link"])
def test_a_sound_data_set_passes(task):
    check_dataset(dataset(task))


def nan_features() -> torch.Tensor:
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
        check_dataset(dataset(**changes))


@pytest.mark.parametrize(
    ("task", "part", "says"),
    [
        ("node", torch.tensor([7]), "the valid split names node 7"),
        ("node", torch.tensor([], dtype=torch.long), "the valid split is empty"),
        ("link", Pairs(torch.tensor([[0], [9]])), "the valid split names node 9"),
        ("link", Pairs(torch.tensor([[0], [1]]), torch.tensor([[-2], [1]])), "the valid split names node -2"),
        ("link", Pairs(torch.empty(2, 0, dtype=torch.long)), "the valid split is empty"),
    ],
)
def test_splits_are_checked(task, part, says):
    sound = dataset(task)
    with pytest.raises(DataError, match=says):
        check_dataset(replace(sound, splits={**sound.splits, "valid": part}))


def test_a_users_own_name_is_told():
    broken = replace(dataset(x=nan_features()), node_names=("a", "b", "c", "d", "e"))
    with pytest.raises(DataError, match="feature 1 of node d is nan"):
        check_dataset(broken)
