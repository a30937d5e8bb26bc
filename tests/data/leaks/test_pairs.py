"""Leaks of pairs: each is planted in a clean split and found, with counts and names; random splits against plain sets."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from graphkit.data import check_leaks
from graphkit.data.dataset import LinkData, Pairs
from graphkit.data.leaks.pairs import ScoredPairs, check_pairs
from graphkit.data.leaks.report import LeakReport
from tests.tasks.links import planted

NAMES = tuple(f"n{number}" for number in range(41))


@pytest.fixture
def clean() -> LinkData:
    return planted(node_names=NAMES)


def with_edges(data: LinkData, added: Tensor) -> LinkData:
    return replace(data, graph=replace(data.graph, edge_index=torch.cat([data.graph.edge_index, added], dim=1)))


def with_pairs(data: LinkData, split: str, **parts: Tensor) -> LinkData:
    return replace(data, splits={**data.splits, split: replace(data.splits[split], **parts)})


def only(report: LeakReport) -> tuple[str, int, str]:
    (found,) = report.findings
    return found.kind, found.count, str(found)


def by_name(pairs: Tensor) -> str:
    return ", ".join(f"n{u} - n{v}" for u, v in pairs.t().tolist())


def test_a_clean_split_says_so(clean: LinkData) -> None:
    report = clean.leaks()
    assert report.clean and report.to_text().endswith("\nno leak found\n") and len(report.looked_for) == 5
    assert report.notes[0].startswith("all 108 training pairs are edges of the message graph: leave those of a batch out")
    assert report.to_dict() == {
        "clean": True,
        "looked_for": list(report.looked_for),
        "skipped": dict(report.skipped),
        "notes": list(report.notes),
        "findings": [],
    }


def test_held_out_edges_in_the_message_graph(clean: LinkData) -> None:
    leaked = clean.splits["test"].positive[:, :2]
    report = with_edges(clean, torch.cat([leaked, leaked.flip(0)], dim=1)).leaks()
    assert only(report) == (
        "supervision edges in the message graph",
        2,
        f"2 of 20 test pairs are edges of the message graph that they are scored on: {by_name(leaked)}",
    )
    assert report.to_text().endswith("\n1 leak found\n")


def test_edges_in_the_other_direction(clean: LinkData) -> None:
    leaked = clean.splits["valid"].positive[:, 3:9].flip(0)
    kind, count, told = only(with_edges(clean, leaked).leaks())
    assert (kind, count) == ("reversed duplicates", 6)
    assert "from the second node to the first" in told and told.endswith(", ...")
    kind, count, told = only(with_pairs(clean, "test", positive=clean.splits["valid"].positive[:, :4].flip(0)).leaks())
    assert (kind, count) == ("reversed duplicates", 4) and "4 test pairs are valid pairs with the two nodes exchanged" in told


def test_copies_that_target_removal_leaves(clean: LinkData) -> None:
    train = clean.splits["train"].positive
    again = train[:, 5:6]
    report = with_edges(clean, again).leaks()
    assert only(report)[:2] == ("multi-edges left after target removal", 1)
    assert by_name(again) in only(report)[2] and "to take one copy out leaves the others" in only(report)[2]
    # a split that has taken its training pairs out of the graph, of which one comes twice
    disjoint = {"train": ScoredPairs(train[:, 49:], train[:, :50])}
    assert only(check_pairs(disjoint, 41))[:2] == ("multi-edges left after target removal", 1)
    disjoint = {"train": ScoredPairs(train[:, 49:].flip(0), train[:, :50])}
    assert only(check_pairs(disjoint, 41))[:2] == ("reversed duplicates", 1)
    assert check_pairs(disjoint, 41, directed=True).clean
    assert check_pairs({"train": ScoredPairs(train[:, 50:], train[:, :50])}, 41).notes == ()


def test_pairs_in_two_splits(clean: LinkData) -> None:
    kind, count, told = only(with_pairs(clean, "test", positive=clean.splits["valid"].positive[:, :3]).leaks())
    assert (kind, count) == ("pairs in two splits", 3) and told.startswith("3 of 3 test pairs are valid pairs, too: n")


@pytest.mark.parametrize("reverse", [False, True])
def test_positives_among_negatives(clean: LinkData, reverse: bool) -> None:
    wrong = clean.splits["test"].positive[:, :2]
    negative = torch.cat([clean.splits["valid"].negative, wrong.flip(0) if reverse else wrong], dim=1)
    kind, count, told = only(with_pairs(clean, "valid", negative=negative).leaks())
    assert (kind, count) == ("positives among negatives", 2) and told.startswith("2 of 42 valid negatives are test positives: ")
    known = ScoredPairs(torch.tensor([[0, 1], [1, 0]]), torch.tensor([[0], [2]]), torch.tensor([[1], [0]]))
    assert only(check_pairs({"test": known}, 3))[2] == "1 of 1 test negatives are edges of a message graph: 1 - 0"


def test_negatives_that_two_splits_share_are_noted(clean: LinkData) -> None:
    report = with_pairs(clean, "test", negative=clean.splits["valid"].negative[:, :7].flip(0)).leaks()
    assert report.clean and report.notes[1] == "7 of 40 valid negatives are test negatives, too"


def test_features_that_hold_the_edges() -> None:
    data = planted()
    everything = torch.cat([part.positive for part in data.splits.values()], dim=1)
    x = torch.zeros(41, 41).index_put((everything[0], everything[1]), torch.tensor(1.0))
    report = replace(data, graph=replace(data.graph, x=x)).leaks()
    assert [(one.kind, one.count) for one in report.findings] == [
        ("held-out edges readable from features", n) for n in (12, 20)
    ]
    train = data.splits["train"].positive
    x = torch.zeros(41, 41).index_put((train[0], train[1]), torch.tensor(1.0))
    assert replace(data, graph=replace(data.graph, x=x)).leaks().clean


@pytest.mark.parametrize("directed", [False, True])
def test_counts_are_those_of_plain_sets(directed: bool) -> None:
    generator = torch.Generator().manual_seed(1)

    def draw(count: int) -> Tensor:
        return torch.randint(12, (2, count), generator=generator)

    splits = {split: ScoredPairs(draw(30), draw(9), draw(11)) for split in ("train", "valid", "test")}
    found: dict[str, int] = {}
    for one in check_pairs(splits, 12, directed=directed).findings:
        found[one.kind] = found.get(one.kind, 0) + one.count

    def plain(pairs: Tensor) -> list[tuple[int, int]]:
        return [(u, v) if directed else (min(u, v), max(u, v)) for u, v in pairs.t().tolist()]

    def ordered(pairs: Tensor) -> list[tuple[int, int]]:
        return [(u, v) for u, v in pairs.t().tolist()]

    expected = dict.fromkeys(("graph", "reversed", "copies", "two", "negatives"), 0)
    names = list(splits)
    for split, part in splits.items():
        edges = set(ordered(part.edge_index))
        for u, v in ordered(part.positive):
            expected["copies" if split == "train" else "graph"] += (u, v) in edges
            expected["reversed"] += not directed and (u, v) not in edges and (v, u) in edges
        for other in names[: names.index(split)]:
            same, alike = set(ordered(splits[other].positive)), set(plain(splits[other].positive))
            both = list(zip(ordered(part.positive), plain(part.positive), strict=True))
            expected["two"] += sum(exact in same for exact, _ in both)
            expected["reversed"] += sum(exact not in same and key in alike for exact, key in both)
        known = {key for other in splits.values() for key in plain(torch.cat([other.positive, other.edge_index], dim=1))}
        expected["negatives"] += sum(key in known for key in plain(part.negative))
    assert min(count for kind, count in expected.items() if kind != "reversed" or not directed) > 0
    kinds = {
        "graph": "supervision edges in the message graph",
        "reversed": "reversed duplicates",
        "copies": "multi-edges left after target removal",
        "two": "pairs in two splits",
        "negatives": "positives among negatives",
    }
    assert {kinds[kind]: count for kind, count in expected.items() if count} == found


def test_a_split_without_negatives(clean: LinkData) -> None:
    assert check_leaks(replace(clean, splits={**clean.splits, "test": Pairs(clean.splits["test"].positive)})).clean
