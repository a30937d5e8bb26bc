"""The protocols of link prediction by name, on a small own graph, against plain statements about edges."""

from __future__ import annotations

from pathlib import Path

import networkx
import pytest
import torch

from graphkit.data import load
from graphkit.data.dataset import LinkData
from graphkit.errors import DataError, RequestError
from tests.data.oracle import check_graph, check_link_split, pairs_of

GRAPH = networkx.disjoint_union(networkx.gnm_random_graph(40, 120, seed=1), networkx.path_graph(4))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Edges with weights and times, the day of edge k being k // 4; the first edge is named again later and backwards."""
    folder = tmp_path_factory.mktemp("own")
    rows = [f"{u},{v},{1 + k % 3},2024-01-{1 + k // 4:02d}" for k, (u, v) in enumerate(GRAPH.edges())]
    first = next(iter(GRAPH.edges()))
    rows.append(f"{first[1]},{first[0]},1,2024-02-20")
    (folder / "edges.csv").write_text("\n".join(["source,target,weight,day", *rows]))
    (folder / "features.csv").write_text("\n".join(["node,a,b", *(f"{v},{v % 7},{v % 5}" for v in GRAPH)]))
    return folder


def loaded(folder: Path, protocol: str, **options) -> LinkData:
    given = {"edges": folder / "edges.csv", "features": folder / "features.csv", **options}
    return load("custom", task="link", protocol=protocol, **given)


def whole(nodes=None) -> set[frozenset[int]]:
    return {frozenset(edge) for edge in GRAPH.edges() if nodes is None or set(edge) <= nodes}


@pytest.mark.parametrize(("protocol", "metric"), [("ncn", "hits@100"), ("random", "roc-auc"), ("auto", "roc-auc")])
def test_random_splits_part_the_edges(folder: Path, protocol: str, metric: str) -> None:
    data = loaded(folder, protocol)
    check_link_split(data.graph.edge_index, data.splits, whole(), 44)
    assert data.metric == metric == data.metrics[0] and data.test_graph is None
    assert ("NCN's 70/10/20" in data.protocol) == (protocol == "ncn")
    assert data.splits["valid"].positive.size(1) == 12 and data.splits["test"].positive.size(1) == 24


def test_buddy_takes_the_largest_component_and_sees_validation_edges_at_test(folder: Path) -> None:
    data = loaded(folder, "buddy")
    kept = max(networkx.connected_components(GRAPH), key=len)
    names = sorted(map(str, kept), key=int)
    assert list(data.node_names) == names and data.graph.num_nodes == len(names) < 44
    own = {name: place for place, name in enumerate(names)}
    expected = {frozenset(own[str(v)] for v in edge) for edge in whole(kept)}
    check_link_split(data.graph.edge_index, data.splits, expected, len(names))
    assert all(part.negative is None or part.negative.size(1) == part.positive.size(1) for part in data.splits.values())
    assert data.test_graph is not None and data.graph.edge_weight is not None
    check_graph(data.test_graph.edge_index, len(names))
    seen = {*pairs_of(data.splits["train"].positive), *pairs_of(data.splits["valid"].positive)}
    assert set(pairs_of(data.test_graph.edge_index)) == seen
    weights = {frozenset(edge): 1 + k % 3 for k, edge in enumerate(GRAPH.edges())}
    for graph in (data.graph, data.test_graph):
        for edge, weight in zip(graph.edge_index.t().tolist(), graph.edge_weight.tolist(), strict=True):
            assert weights[frozenset(int(names[v]) for v in edge)] == weight
    assert data.graph.x.shape == (len(names), 2) and data.facts()["message_passing_edges_at_test"] == 2 * len(seen)


def test_time_holds_out_the_latest_edges(folder: Path) -> None:
    data = loaded(folder, "time", time_column="day", weight_column="3")
    check_link_split(data.graph.edge_index, data.splits, whole(), 44)
    day = {frozenset(edge): k // 4 for k, edge in enumerate(GRAPH.edges())}
    days = {name: [day[pair] for pair in pairs_of(part.positive)] for name, part in data.splits.items()}
    assert max(days["train"]) < min(days["valid"]) <= max(days["valid"]) < min(days["test"])
    assert all(found == sorted(found) for found in days.values())
    count = len(day)
    starts = [sorted(day.values())[count - count // 10 - count // 5], sorted(day.values())[count - count // 5]]
    assert [min(days["valid"]), min(days["test"])] == starts
    again = loaded(folder, "auto", time_column="day")
    assert torch.equal(again.splits["test"].positive, data.splits["test"].positive)
    assert "Edges are held out by time" in data.protocol and "day" in " ".join(data.notes)


def test_heart_ranks_each_edge_against_its_own_negatives(folder: Path) -> None:
    data, again = (
        loaded(folder, "heart"),
        load("custom", task="link", protocol="heart", seed=5, edges=folder / "edges.csv", features=folder / "features.csv"),
    )
    train, valid, test = (data.splits[name] for name in ("train", "valid", "test"))
    assert torch.equal(test.negative, again.splits["test"].negative) and torch.equal(
        train.positive, again.splits["train"].positive
    )
    known = set(pairs_of(train.positive))
    for part, barred in ((valid, known), (test, known | set(pairs_of(valid.positive)))):
        count = part.num_candidates
        assert part.own_negatives and count % 2 == 0 and part.negative.size(1) == count * part.positive.size(1) > 0
        for p, pair in enumerate(part.positive.t().tolist()):
            own = part.negative[:, p * count : (p + 1) * count].t().tolist()
            assert all(edge[0] == pair[0] for edge in own[: count // 2])
            assert all(edge[1] == pair[1] for edge in own[count // 2 :])
            assert not {*map(frozenset, own)} & {*barred, frozenset(pair)} and all(u != v for u, v in own)
    assert data.metric == "mrr" and f"{test.num_candidates:,} (test)" in data.protocol


@pytest.mark.parametrize(
    ("protocol", "options", "error", "message"),
    [
        ("ogb", {}, RequestError, "task.protocol=ogb: data set 'custom' has no split of OGB"),
        ("time", {}, RequestError, "task.protocol=time needs the times of edges: give data.time_column=COLUMN"),
        ("random", {"time_column": "day"}, RequestError, "data.time_column goes with task.protocol=time, not with random"),
        ("ncn", {"split": [0.8, 0.1, 0.1]}, RequestError, "task.protocol=ncn has shares of its own: leave out data.split"),
        ("hart", {}, RequestError, "unknown protocol 'hart': did you mean heart?"),
        (
            "time",
            {"time_column": "weight"},
            DataError,
            "123 undirected edges of 3 different times leave 82 for train, 0 for valid",
        ),
        ("time", {"time_column": "when"}, DataError, "has no column 'when'"),
    ],
)
def test_what_does_not_go_together_is_refused(folder: Path, protocol, options, error, message) -> None:
    with pytest.raises(error, match=message):
        loaded(folder, protocol, **options)


def test_other_tasks_have_one_protocol() -> None:
    with pytest.raises(RequestError, match="protocol=heart: the data of task=node has one protocol, leave it out"):
        load("karate", task="node", protocol="heart")
