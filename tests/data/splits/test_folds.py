import numpy as np
import pytest
import torch

from graphkit.data.splits.folds import all_but, nested_split, split_graphs, stratified_folds
from graphkit.errors import DataError


def test_folds_part_the_graphs_and_keep_the_shares_of_the_classes() -> None:
    y = torch.tensor([0] * 70 + [1] * 33)
    folds = stratified_folds(y)
    assert sorted(torch.cat(folds).tolist()) == list(range(103))
    assert all(int((y[fold] == 0).sum()) == 7 and int((y[fold] == 1).sum()) in (3, 4) for fold in folds)
    assert [fold.tolist() for fold in folds] == [fold.tolist() for fold in stratified_folds(y)]
    assert folds[0].tolist() != stratified_folds(y, seed=1)[0].tolist()


def test_folds_of_numbers_and_of_rare_classes() -> None:
    for y in (torch.randn(23, 2), torch.arange(23)):
        folds = stratified_folds(y, 5)
        assert sorted(torch.cat(folds).tolist()) == list(range(23)) and {len(fold) for fold in folds} == {4, 5}
    with pytest.raises(DataError, match="4 graphs are too few for 10 folds: give more graphs"):
        stratified_folds(torch.tensor([0, 1, 0, 1]))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The least populated class")
def test_folds_are_those_of_scikit_learn() -> None:
    from sklearn.model_selection import KFold, StratifiedKFold

    source = np.random.default_rng(0)
    for count, classes in ((60, 2), (103, 3), (188, 2), (41, 4)):
        y = source.integers(classes, size=count)
        wanted = [test.tolist() for _, test in StratifiedKFold(10, shuffle=True, random_state=0).split(y, y)]
        assert [fold.tolist() for fold in stratified_folds(torch.from_numpy(y))] == wanted
        wanted = [sorted(test.tolist()) for _, test in KFold(10, shuffle=True, random_state=3).split(y)]
        assert [fold.tolist() for fold in stratified_folds(torch.from_numpy(y).float().view(-1, 1), seed=3)] == wanted


@pytest.mark.parametrize("number", range(4))
def test_the_nested_split_shares_no_graph(number: int) -> None:
    folds = [torch.tensor([3, 4]), torch.tensor([0]), torch.tensor([6, 1]), torch.tensor([2])]  # 5 and 7 are in none
    splits = nested_split(folds, number, 8)
    assert splits["test"].tolist() == folds[number].tolist() and splits["valid"].tolist() == folds[(number + 1) % 4].tolist()
    assert splits["train"].tolist() == sorted(set(range(8)) - set(splits["test"].tolist()) - set(splits["valid"].tolist()))


def test_all_but() -> None:
    assert all_but(torch.tensor([3, 0]), 5).tolist() == [1, 2, 4] and all_but(
        torch.tensor([], dtype=torch.long), 2
    ).tolist() == [0, 1]


def test_shares() -> None:
    y = torch.tensor([0] * 20 + [1] * 10)
    splits = split_graphs(y, (0.7, 0.1, 0.2), torch.Generator().manual_seed(0))
    assert sorted(torch.cat(list(splits.values())).tolist()) == list(range(30))
    assert {name: y[ids].bincount().tolist() for name, ids in splits.items()} == {
        "train": [14, 7],
        "valid": [2, 1],
        "test": [4, 2],
    }
    numbers = split_graphs(torch.randn(30, 1), (0.7, 0.1, 0.2), torch.Generator().manual_seed(0))
    assert [ids.numel() for ids in numbers.values()] == [21, 3, 6]
    with pytest.raises(DataError, match="too few graphs: the valid split would be empty"):
        split_graphs(torch.tensor([0, 1, 0, 1]), (0.7, 0.1, 0.2), torch.Generator().manual_seed(0))
