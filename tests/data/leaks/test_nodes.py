"""Leaks of nodes: each is planted and found; what is no leak stays unmentioned."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from graphkit.data import load
from graphkit.data.leaks.nodes import check_nodes
from graphkit.data.leaks.report import LeakReport

NODES = 60
SPLITS = {"train": torch.arange(30), "valid": torch.arange(30, 45), "test": torch.arange(45, 60)}
Y = torch.arange(NODES) % 3


def draw() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    edges = torch.randint(NODES, (2, 240), generator=generator)
    return torch.randn(NODES, 8, generator=generator), torch.cat([edges, edges.flip(0)], dim=1)


def check(x: Tensor | None, edges: Tensor | None, **changes) -> LeakReport:
    return check_nodes(**{"splits": SPLITS, "num_nodes": NODES, "edge_index": edges, "x": x, "y": Y, **changes})


def only(report: LeakReport) -> tuple[str, str]:
    (found,) = report.findings
    return found.kind, str(found)


def test_a_clean_split_says_so() -> None:
    x, edges = draw()
    report = check(x, edges)
    assert report.clean and report.looked_for == (
        "nodes in two splits",
        "duplicate nodes across splits",
        "labels readable from features",
    )
    assert check(None, edges).skipped == {"labels readable from features": "there are no features"}
    assert set(check(None, None).skipped) == {"duplicate nodes across splits", "labels readable from features"}
    assert "labels readable from features" in check(x, edges, y=Y.float()).skipped
    assert set(check(torch.zeros(NODES, 0), None).skipped) == set(check(None, None).skipped)


def test_a_node_in_two_splits() -> None:
    x, edges = draw()
    names = [f"p{number}" for number in range(NODES)]
    report = check(x, edges, splits={**SPLITS, "test": torch.arange(42, 60)}, names=names)
    assert only(report) == ("nodes in two splits", "3 of 18 test nodes are valid nodes, too: p42, p43, p44")


def test_a_node_that_is_there_twice() -> None:
    x, edges = draw()
    copied = x.clone()
    copied[50] = x[7]
    told = "1 of 15 test nodes have the features of a train node: 50 - 7"
    assert only(check(copied, None)) == ("duplicate nodes across splits", told)
    assert check(copied, edges).clean  # it has other neighbors
    twin = edges[:, (edges != 50).all(dim=0)]
    of_seven = twin[:, twin[0] == 7][1]
    twin = torch.cat([twin, torch.stack([torch.full_like(of_seven, 50), of_seven])], dim=1)
    twin = torch.cat([twin, torch.stack([of_seven, torch.full_like(of_seven, 50)])], dim=1)
    assert "have the features and neighbors of a train node: 50 - 7" in only(check(copied, twin))[1]
    assert "have the neighbors of a train node: 50 - 7" in only(check(None, twin))[1]
    assert check(x, twin).clean  # it has other features
    assert check(torch.zeros(NODES, 4), None).clean  # features that nearly all nodes share tell none apart


@pytest.mark.parametrize("leak", ["number", "one-hot", "category", "scaled"])
def test_labels_in_the_features(leak: str) -> None:
    x, edges = draw()
    column = {
        "number": Y[:, None].float(),
        "one-hot": torch.nn.functional.one_hot(Y).float(),
        "category": torch.tensor([7.0, -1.0, 3.0])[Y][:, None],
        "scaled": -3 * Y[:, None] + 0.5 * torch.rand(NODES, 1, generator=torch.Generator().manual_seed(1)),
    }[leak]
    kind, told = only(check(torch.cat([x, column], dim=1), edges, class_names=["red", "green", "blue"]))
    assert kind == "labels readable from features"
    assert told.startswith("single columns of features tell all 3 classes of 60 labeled nodes apart: red by column 9, green by")
    noisy = torch.cat([x, column], dim=1)
    noisy[0, 8:], noisy[1, 8:] = noisy[1, 8:].clone(), noisy[0, 8:].clone()
    assert check(noisy, edges).clean


def test_a_column_that_says_nothing_tells_no_class() -> None:
    y = torch.arange(NODES) // 30  # nodes that tie are sorted by number, and so by class
    assert check(torch.ones(NODES, 1), None, y=y).clean
    assert not check(y[:, None].float(), None, y=y).clean


def test_few_nodes_may_be_told_apart_by_chance() -> None:
    x, y = (
        torch.tensor([[31.0], [30.0], [44.0], [33.0], [25.0], [26.0], [29.0], [21.0]]),
        torch.tensor([0, 0, 0, 0, 1, 1, 1, 1]),
    )
    splits = {"train": torch.arange(0, 8, 2), "test": torch.arange(1, 8, 2)}
    assert check_nodes(splits, 8, x=x, y=y).clean
    assert not check_nodes(
        splits, 16, x=x.repeat(2, 1) + torch.tensor([0.0, 0.1]).repeat_interleave(8)[:, None], y=y.repeat(2)
    ).clean


def test_unlabeled_nodes_do_not_count() -> None:
    x, edges = draw()
    y = Y.clone()
    y[3:9] = -1
    told = torch.cat([x, torch.where(y < 0, 1, y)[:, None]], dim=1)
    assert not check(told, edges, y=y).clean and check(x, edges, y=torch.full_like(Y, -1)).clean


def test_graphs_and_images_in_two_splits() -> None:
    images = load("planted-patches", task="image")
    assert images.leaks().clean
    train, test = images.splits["train"], images.splits["test"]
    images.pixels[test[0]] = images.pixels[train[3]]
    images.splits["test"] = torch.cat([test, train[:1]])
    kinds = [str(one) for one in images.leaks().findings]
    count = len(test) + 1
    assert kinds == [
        f"1 of {count} test images are train images, too: {train[0]}",
        f"1 of {count} test images have the pixels of a train image: {test[0]} - {train[3]}",
    ]
    graphs = load("planted-graphs", task="graph")
    assert graphs.leaks().clean
    graphs.splits["test"] = torch.cat([graphs.splits["test"], graphs.splits["valid"][:2]])
    assert [one.count for one in graphs.leaks().findings] == [2]
