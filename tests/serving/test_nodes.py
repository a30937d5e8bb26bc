"""Node runs that answer by name: the run's own predictions, and new nodes as if they had been there from the start."""

from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from graphkit.errors import CheckpointError, DataError, RequestError
from graphkit.models.node.base import NodeModel
from graphkit.predict import load, main
from graphkit.run import run
from graphkit.serving.nodes import INDUCTIVE, ServedNodes

NAMES = [f"n {number:02d}" for number in range(30)]
NEW = ("n 04b", "a first one")  # they would stand between the others, and before them
CITIES = ("Oslo", "Rome", "")
HEADER = ("node", "age", "member", "city", "joined", "income")
LATER = 6
"""Edges of the new nodes."""


def world() -> tuple[dict[str, tuple[Any, ...]], list[tuple[str, str, float]], dict[str, str]]:
    """Features by name, edges with weights, and teams; the new nodes are in all but the teams."""
    generator = np.random.default_rng(0)
    names = [*NAMES, *NEW]
    features = {}
    for place, name in enumerate(names):
        age = "" if place in (3, 11, 31) else round(float(generator.normal(40, 9)), 2)
        joined = date(2020, 1, 1 + place % 28).isoformat()
        features[name] = (age, ("yes", "no")[place % 3 == 0], CITIES[place % 3], joined, 1000 + 10 * place)
    edges = {}
    for _ in range(70):
        u, v = generator.choice(30, 2, replace=False).tolist()
        edges.setdefault((min(u, v), max(u, v)), round(float(generator.uniform(0.5, 2)), 2))
    for u, v in ((30, 3), (30, 4), (17, 30), (31, 30), (31, 8), (2, 9)):
        edges[u, v] = 1.25
    teams = {name: "red" if place % 2 else "blue" for place, name in enumerate(NAMES)}
    return features, [(names[u], names[v], weight) for (u, v), weight in edges.items()], teams


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nodes")
    features, edges, teams = world()
    write(folder / "features.csv", HEADER, [(name, *features[name]) for name in NAMES])
    write(folder / "new.csv", HEADER, [(name, *features[name]) for name in NEW])
    write(folder / "edges.csv", ("source", "target"), [edge[:2] for edge in edges[:-LATER]])
    write(folder / "weighted.csv", ("source", "target", "weight"), edges[:-LATER])
    write(folder / "new-edges.csv", ("source", "target", "weight"), edges[-LATER:])
    write(folder / "labels.csv", ("node", "team"), list(teams.items()))
    return folder


def write(path: Path, header: tuple[str, ...], rows: list[tuple[Any, ...]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def trained(files: Path, name: str, *, edges: str = "edges.csv", data: Any = None, model: Any = None, **settings: Any) -> Path:
    given = {"edges": str(files / edges), "features": str(files / "features.csv"), "labels": str(files / "labels.csv")}
    given |= {"split": [0.5, 0.25, 0.25], **(data or {})}
    chosen, train = {"name": name, **(model or {})}, {"epochs": 3, "lr": 0.05}
    return run("node", "custom", chosen, data=given, train=train, out=str(files / "runs"), device="cpu", **settings).folder


@pytest.fixture(scope="module")
def sage(files: Path) -> Path:
    return trained(files, "sage")


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    code = main([*arguments])
    printed = capsys.readouterr()
    assert code == 0, printed.err
    return printed.out


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main([*arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1, printed.err
    return printed.err.removeprefix("error: ").strip()


# ------------------------------------------------------------------------------------------------------- the run's nodes


def test_predictions_are_those_of_the_run_bit_for_bit(sage: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    served = load(sage)
    with np.load(sage / "seed-0" / "predictions.npz") as stored:
        for name in ("logits", "probabilities", "predicted"):
            assert np.array_equal(served._arrays[name], stored[name])
        probabilities, predicted = stored["probabilities"], stored["predicted"]
    (row,) = served.predict([NAMES[7]])
    classes = ("blue", "red")
    assert row["node"] == NAMES[7] and row["label"] == "red" and row["split"] in ("train", "valid", "test")
    assert row["predicted"] == classes[predicted[7]]
    assert [row[f"probability of {one}"] for one in classes] == probabilities[7].tolist()
    assert len(served.predict()) == 30
    answer(capsys, f"run={sage}", "nodes=all", f"out={tmp_path / 'all.csv'}")
    assert (tmp_path / "all.csv").read_bytes() == (sage / "seed-0" / "predictions.csv").read_bytes()


def test_what_is_asked_by_names_or_a_file_and_how_it_is_printed(
    sage: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = f"{NAMES[5]},{NAMES[2]}"
    (tmp_path / "list.txt").write_text(asked.replace(",", "\n"))
    as_json = answer(capsys, f"run={sage}", f"nodes={asked}", "format=json")
    assert as_json == answer(capsys, f"run={sage}", f"nodes={tmp_path / 'list.txt'}", "format=json")
    told = json.loads(as_json)
    assert told["seed"] == 0 and [row["node"] for row in told["nodes"]] == asked.split(",")
    as_csv = answer(capsys, f"run={sage}", f"nodes={asked}", "format=csv").splitlines()
    with (sage / "seed-0" / "predictions.csv").open() as file:
        lines = file.read().splitlines()
    assert as_csv == [lines[0], lines[6], lines[3]]
    assert NAMES[5] in answer(capsys, f"run={sage}", f"nodes={asked}")
    assert refusal(capsys, f"run={sage}", "nodes=n 1").startswith("no node 'n 1' among 30; nearest: ")
    assert refusal(capsys, f"run={sage}", "nodes=new").startswith("no node 'new' among 30")
    assert refusal(capsys, f"run={sage}", "node=3").endswith("(task=node), not node=")
    assert "that is a file of the run itself" in refusal(
        capsys, f"run={sage}", "nodes=all", f"out={sage / 'seed-0' / 'predictions.csv'}"
    )


def test_labels_that_are_not_the_run_s_are_refused(files: Path, sage: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text((files / "labels.csv").read_text().replace("red", "green"))
    with pytest.raises(CheckpointError, match="is not the file that the run read"):
        load(sage, data={"labels": labels})


# -------------------------------------------------------------------------------------------------------------- new nodes


def by_hand(served: ServedNodes, names: list[str]) -> np.ndarray:
    """Features of nodes by a loop over cells, with means and deviations of the training nodes in the file."""
    features, _, _ = world()
    epoch = date(1970, 1, 1)

    def raw(name: str) -> list[float]:
        age, member, city, joined, income = features[name]
        one_hot = [float(city == other) for other in sorted(CITIES)]
        days = float((date.fromisoformat(joined) - epoch).days)
        return [float(age) if age != "" else np.nan, float(member == "yes"), *one_hot, days, float(income)]

    train = [NAMES[number] for number in served._opened.dataset.splits["train"].tolist()]
    table = np.array([raw(name) for name in train], dtype=np.float32).astype(np.float64)
    filled = np.where(np.isnan(table), np.nanmean(table, axis=0), table)
    rows = []
    for name in names:
        row = np.array(raw(name), dtype=np.float32).astype(np.float64)
        gap = np.isnan(row)
        row = np.where(gap, np.nanmean(table, axis=0), row)
        for column in (0, 5, 6):  # numbers; the others are zeros and ones
            row[column] = (row[column] - filled[:, column].mean()) / filled[:, column].std()
        rows.append([*row, float(gap[0])])
    return np.array(rows, dtype=np.float32)


def from_the_start(served: ServedNodes, *, directed: bool, weighted: bool) -> dict[str, list[float]]:
    """Probabilities by name of the model on the whole graph, all nodes in the order in which a reader puts them."""
    names = sorted([*NAMES, *NEW])
    _, edges, _ = world()
    pairs = {}
    for u, v, weight in edges:
        pairs[names.index(u), names.index(v)] = weight
        if not directed:
            pairs[names.index(v), names.index(u)] = weight
    dense = torch.zeros(len(names), len(names))  # rows are targets
    for (u, v), weight in pairs.items():
        dense[v, u] = weight if weighted else 1.0
    model: NodeModel = served._opened.model
    model.eval()
    with torch.no_grad():
        p = model(torch.from_numpy(by_hand(served, names)), dense.to_sparse_csr()).softmax(1)
    return dict(zip(names, p.tolist(), strict=True))


def probabilities(served: ServedNodes, names: list[str]) -> list[list[float]]:
    return [[row["probability of blue"], row["probability of red"]] for row in served.predict(names)]


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("sage", {}),
        ("gcn", {"model": {"norm": "batch"}}),
        ("gcn", {"edges": "weighted.csv"}),
        ("gat", {}),
        ("sheaf", {}),
        ("dir-gnn", {"data": {"directed": True}}),
        pytest.param("trees", {"model": {"projection_channels": 0, "least_leaf": 2, "iterations": 5}}, marks=pytest.mark.slow),
        ("prototype", {"model": {"backbone": "sage"}}),
    ],
)
def test_new_nodes_are_as_if_they_had_been_there_from_the_start(
    name: str, settings: dict[str, Any], files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = trained(files, name, **settings)
    served = load(folder)
    before = probabilities(served, NAMES)
    larger = served.with_nodes(files / "new.csv", files / "new-edges.csv")
    directed, weighted = "data" in settings, "edges" in settings
    expected = from_the_start(served, directed=directed, weighted=weighted)
    names = [*NAMES, *NEW]
    np.testing.assert_allclose(probabilities(larger, names), [expected[one] for one in names], atol=2e-6)
    assert larger.num_new == 2 and larger.predict([NEW[0]])[0] | {"split": "", "label": ""} == larger.predict([NEW[0]])[0]
    assert probabilities(served, NAMES) == before  # the run's own graph is as it was
    if name != "trees":  # whose leaves may not notice
        changed = np.abs(np.array(probabilities(larger, NAMES)) - before).max(axis=1) > 1e-6
        assert changed[[3, 4, 8, 9]].any() and (len(NAMES) == changed.sum() or not changed.all())
    # in two steps, rows in memory, and through the door
    features, edges, _ = world()
    rows = [dict(zip(HEADER, (one, *features[one]), strict=True)) for one in NEW]
    ends = [dict(zip(("source", "target", "weight"), edge, strict=True)) for edge in edges[-LATER:]]
    again = served.with_nodes(rows).with_nodes(edges=ends)
    np.testing.assert_allclose(probabilities(again, names), [expected[one] for one in names], atol=2e-6)
    found = answer(
        capsys, f"run={folder}", "nodes=new", f"features={files / 'new.csv'}", f"edges={files / 'new-edges.csv'}", "format=json"
    )
    assert [row["node"] for row in json.loads(found)["nodes"]] == [*NEW] and json.loads(found)["new"] == 2
    assert [row["probability of red"] for row in json.loads(found)["nodes"]] == pytest.approx(
        [expected[n][1] for n in NEW], abs=1e-5
    )


@pytest.mark.parametrize(
    ("name", "settings", "says"),
    [
        ("linkx", {}, "model=linkx has learned a vector for each node of the graph it was trained on"),
        ("fastrp", {}, "model=fastrp reads random projections that are drawn"),
        ("trees", {}, "model.projection_channels=0 does not"),
        pytest.param("x-node", {}, "model=x-node reads contexts that were measured", marks=pytest.mark.slow),
        ("hei", {"model": {"backbone": "linkx"}}, "model=hei has learned a vector for each node"),
        ("sage", {"data": {"embed": "fastrp", "embed_channels": 8}}, "the features of data.embed=fastrp are made of the run's"),
        ("gcn", {"transform": "teddy"}, "transform=teddy has changed the run's graph"),
    ],
)
def test_who_knows_its_own_nodes_alone_says_so(name: str, settings: dict[str, Any], says: str, files: Path) -> None:
    with pytest.raises(RequestError, match="take a run on given features of a model that reads them") as caught:
        load(trained(files, name, **settings)).with_nodes(files / "new.csv")
    assert says in str(caught.value) and all(one in str(caught.value) for one in INDUCTIVE)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("n 04b,", "n 04,", "node 'n 04' is in the run's graph already: give another id"),
        ("Oslo", "Paris", "no category 'Paris' in the run's column 'city', which has (gap), Oslo, Rome"),
        (",1300", ",", "a gap, and the run's column 'income' has none"),
        (",1300", ",much", "expected a finite number within float32's range, as in the run's column 'income', found 'much'"),
        (",1300", ",1e99", "expected a finite number within float32's range"),
        ("2020-01-03", "tomorrow", "expected an ISO date, as in the run's column 'joined', found 'tomorrow'"),
        (",no,", ",perhaps,", "expected true or false, as in the run's column 'member', found 'perhaps'"),
        (
            "income",
            "salary",
            "has no column 'income': give all that the run's features have, age, member, city, joined, income",
        ),
    ],
)
def test_mistakes_in_the_table_of_new_nodes(old: str, new: str, says: str, files: Path, sage: Path, tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    text = (files / "new.csv").read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(DataError) as caught:
        load(sage).with_nodes(path)
    assert says in str(caught.value) and str(path) in str(caught.value)


def test_columns_in_another_order_with_others_beside_them(files: Path, sage: Path, tmp_path: Path) -> None:
    features, _, _ = world()
    order = (5, 3, 0, 1, 4, 2)
    rows = [tuple((name, *features[name])[place] for place in order) + ("tall",) for name in NEW]
    path = write(tmp_path / "new.csv", (*(HEADER[place] for place in order), "note"), rows)
    served = load(sage)
    names = [*NEW]
    assert probabilities(served.with_nodes(path), names) == probabilities(served.with_nodes(files / "new.csv"), names)


def test_mistakes_in_new_edges(files: Path, sage: Path, tmp_path: Path) -> None:
    served = load(sage)
    path = write(tmp_path / "edges.csv", ("source", "target"), [(NAMES[0], "nobody")])
    with pytest.raises(DataError, match="line 2, column 2: no node 'nobody' among 30"):
        served.with_nodes(edges=path)
    with pytest.raises(DataError, match="no node 'n 04b' among 30"):
        served.with_nodes(edges=files / "new-edges.csv")
    with pytest.raises(DataError, match="No such file"):
        served.with_nodes(tmp_path / "none.csv")
    with pytest.raises(DataError, match="all rows need the same columns"):
        served.with_nodes([{"node": "x", "age": 3}, {"node": "y"}])


def test_a_data_set_that_has_a_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run("node", "karate", "gcn", train={"epochs": 1}, out=str(tmp_path), device="cpu").folder
    served = load(folder)
    x = served._opened.dataset.graph.x
    twin = write(tmp_path / "new.csv", ("node", *map(str, range(x.size(1)))), [("copy", *x[5].tolist())])
    neighbors = served._opened.dataset.graph.edge_index
    ends = [("copy", str(v)) for v in neighbors[1][neighbors[0] == 5].tolist()]
    larger = served.with_nodes(twin, write(tmp_path / "edges.csv", ("source", "target"), ends))
    names = [key for key in larger.columns if key.startswith("probability")]
    mine, own = larger.predict(["copy", "5"])
    assert [mine[name] for name in names] == pytest.approx(
        [own[name] for name in names], abs=1e-6
    )  # a twin, with its neighbors
    short = write(tmp_path / "short.csv", ("node", "1"), [("copy", 1.0)])
    assert "has 1 columns of features" in refusal(capsys, f"run={folder}", "nodes=new", f"features={short}")
