"""Graph and image runs that answer by name: the run's own predictions, and new graphs as if they were of the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import networkx
import numpy as np
import pytest

from graphkit.errors import DataError, RequestError
from graphkit.predict import load, main
from graphkit.run import run
from tests.serving.test_nodes import answer, refusal, write

SIZES = [3 + place % 5 for place in range(40)]
NAMES = [f"g{place:02d}" for place in range(40)]
ELEMENTS = ("C", "N", "O")


def molecule(place: int) -> networkx.Graph:
    """A ring or a path with an element, a charge and kinds of bonds, which a loop makes."""
    size = SIZES[place]
    graph = networkx.cycle_graph(size) if place % 2 else networkx.path_graph(size)
    for node in graph:
        graph.nodes[node].update(element=ELEMENTS[(node + place) % 3], charge=float((node * place) % 4))
    for u, v in graph.edges:
        graph.edges[u, v]["bond"] = float((u + v + place) % 2)
    return graph


def line(place: int, *, label: bool) -> dict[str, Any]:
    graph = molecule(place)
    features = [
        [*(float(attributes["element"] == one) for one in ELEMENTS), attributes["charge"]]
        for _, attributes in graph.nodes(data=True)
    ]
    row = {"graph": NAMES[place], "edges": [[u, v] for u, v in graph.edges], "features": features}
    row["edge_features"] = [[bond] for _, _, bond in graph.edges(data="bond")]
    return row | ({"label": "ring" if place % 2 else "path"} if label else {})


def lines(path: Path, places: list[int], *, label: bool = True) -> Path:
    path.write_text("\n".join(json.dumps(line(place, label=label)) for place in places))
    return path


def folder(path: Path, places: list[int]) -> Path:
    path.mkdir()
    for place in places:
        networkx.write_graphml(molecule(place), path / f"{NAMES[place]}.graphml")
    return path


def tables(path: Path, places: list[int], *, label: bool) -> dict[str, str]:
    path.mkdir()
    graphs = [(NAMES[place], *(("ring" if place % 2 else "path",) if label else ())) for place in places]
    edges = [(NAMES[place], u, v, bond) for place in places for u, v, bond in molecule(place).edges(data="bond")]
    nodes = [(NAMES[place], node, *row) for place in places for node, row in enumerate(line(place, label=False)["features"])]
    return {
        "graphs": str(write(path / "graphs.csv", ("graph", "label")[: 1 + label], graphs)),
        "edges": str(write(path / "edges.csv", ("graph", "source", "target", "bond"), edges)),
        "features": str(write(path / "features.csv", ("graph", "node", *"cnoq"), nodes)),
    }


def trained(out: Path, model: Any = "gin", data: Any = None, **settings: Any) -> Path:
    given = {"model": model, "data": data, "train": {"epochs": 2, "batch_size": 16, "lr": 0.02}, **settings}
    return run("graph", "custom" if data else "planted-graphs", out=str(out), device="cpu", **given).folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on all graphs but the last four, from JSON lines."""
    out = tmp_path_factory.mktemp("graphs")
    return trained(out, data={"graphs": str(lines(out / "graphs.jsonl", list(range(36))))})


def chances(served: Any, names: list[str] | None = None) -> np.ndarray:
    return np.array(
        [[value for key, value in row.items() if key.startswith(("prob", "predicted "))] for row in served.predict(names)]
    )


def single(row: dict[str, Any]) -> dict[str, Any]:
    """A row as JSON has it: the shortest numbers that are the same in single precision."""
    return {key: float(str(np.float32(value))) if isinstance(value, float) else value for key, value in row.items()}


def test_predictions_are_those_of_the_run_bit_for_bit(whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    served = load(whole)
    with np.load(whole / "seed-0" / "predictions.npz") as stored:
        for name in ("scores", "probabilities", "predicted"):
            assert np.array_equal(served._arrays[name], stored[name])
    answer(capsys, f"run={whole}", "graphs=all", f"out={tmp_path / 'all.csv'}")
    assert (tmp_path / "all.csv").read_bytes() == (whole / "seed-0" / "predictions.csv").read_bytes()
    told = json.loads(answer(capsys, f"run={whole}", "graphs=g03,g01", "format=json"))
    assert [(row["graph"], row["label"]) for row in told["graphs"]] == [("g03", "ring"), ("g01", "ring")]
    assert refusal(capsys, f"run={whole}", "graphs=g0").startswith("no graph 'g0' among 36; nearest: ")


@pytest.mark.parametrize("form", ["lines", "folder", "tables"])
def test_new_graphs_are_as_if_they_were_of_the_run(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Old graphs given as new ones get the run's own answers, in whatever form the run had its graphs."""
    old, new = list(range(36)), [36, 37, 38, 39]
    if form == "lines":
        data = {"graphs": str(lines(tmp_path / "old.jsonl", old))}
    elif form == "folder":
        labels = write(tmp_path / "labels.csv", ("graph", "label"), [(NAMES[place], "ab"[place % 2]) for place in old])
        data = {"graphs": str(folder(tmp_path / "old", old)), "labels": str(labels)}
    else:
        data = tables(tmp_path / "old", old, label=True)
    served = load(trained(tmp_path, {"name": "gin", "hidden_channels": 8}, data))
    asked = [5, 2, *new]
    if form == "lines":
        asked_again: tuple[Any, dict[str, Any]] = lines(tmp_path / "new.jsonl", asked, label=False), {}
    elif form == "folder":
        asked_again = folder(tmp_path / "new", asked), {}
    else:
        given = tables(tmp_path / "new", asked, label=False)
        asked_again = given.pop("graphs"), given
    found = served.with_graphs(asked_again[0], **asked_again[1])
    known = [NAMES[5], NAMES[2]]
    np.testing.assert_allclose(chances(found, known), chances(served, known), atol=1e-6)
    assert {(row["split"], row["label"]) for row in found.predict()} == {("", "")}
    assert found.names.array.tolist() == sorted(NAMES[place] for place in asked) and found.num_new == 6
    alone = found.predict([NAMES[37]])[0]
    beside = [f"{key}={value}" for key, value in asked_again[1].items()]
    told = json.loads(answer(capsys, f"run={served._opened.folder}", f"new={asked_again[0]}", *beside, "format=json"))
    by_name = {row["graph"]: row for row in told["graphs"]}
    assert told["new"] == 6 and by_name[NAMES[37]] == single(alone)


def test_the_forms_agree(whole: Path, tmp_path: Path) -> None:
    """A graph is the same graph in each form, for a run that knows numbers alone."""
    served, new = load(whole), [36, 39]
    given = tables(tmp_path / "tables", new, label=False)
    by_tables = served.with_graphs(given.pop("graphs"), **given)
    by_lines = served.with_graphs(lines(tmp_path / "new.jsonl", new, label=True))
    np.testing.assert_allclose(chances(by_tables), chances(by_lines), atol=1e-6)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"edges": [[0, 1]], "features": [[1], [0]]}, "1 features of its nodes, and 4 in the run's graphs: give as many"),
        ({"edges": [[0, 1]], "num_nodes": 2}, "0 features of its nodes, and 4 in the run's graphs: give as many"),
        (
            {"edges": [[0, 1]], "features": [[1, 0, 0, 1]] * 2},
            "0 features of its edges, and 1 in the run's graphs: give as many",
        ),
        ({"edges": [[0, 5]], "features": [[1, 0, 0, 1]] * 2}, "line 1: the graph has 2 nodes: its edges name node 5"),
    ],
)
def test_mistakes_in_new_graphs(row: dict[str, Any], says: str, whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "new.jsonl"
    path.write_text(json.dumps(row))
    with pytest.raises(DataError) as caught:
        load(whole).with_graphs(path)
    assert says in str(caught.value)


def test_mistakes_in_folders_and_files(whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = list(range(30))
    labels = write(tmp_path / "labels.csv", ("graph", "label"), [(NAMES[place], "ab"[place % 2]) for place in old])
    served = load(trained(tmp_path, data={"graphs": str(folder(tmp_path / "old", old)), "labels": str(labels)}))
    strange = molecule(3)
    strange.nodes[0]["element"] = "Xe"
    (tmp_path / "new").mkdir()
    networkx.write_graphml(strange, tmp_path / "new" / "s.graphml")
    with pytest.raises(
        DataError, match="attribute 'element' of its nodes is 'Xe', and in the run's graphs it is one of C, N, O"
    ):
        served.with_graphs(tmp_path / "new")
    with pytest.raises(RequestError, match="there is no such file or folder"):
        served.with_graphs(tmp_path / "nothing")
    path = lines(tmp_path / "new.jsonl", [1], label=False)
    says = "is a file of JSON lines, which goes without it, leave it out"
    assert refusal(capsys, f"run={whole}", f"new={path}", f"edges={path}").endswith(says)
    with pytest.raises(RequestError, match="are made of the run's graphs"):
        load(trained(tmp_path, data={"graphs": str(lines(tmp_path / "o.jsonl", old)), "embed": "fastrp"})).with_graphs(path)


def test_numbers_and_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def rows(targets: list[list[float | None]], name: str) -> str:
        path = tmp_path / name
        given = [{**line(place, label=False), "targets": targets[place]} for place in range(36)]
        path.write_text("\n".join(map(json.dumps, given)))
        return str(path)

    numbers = trained(tmp_path, data={"graphs": rows([[size + 0.5] for size in SIZES], "numbers.jsonl")})
    served = load(numbers)
    with np.load(numbers / "seed-0" / "predictions.npz") as stored:
        assert np.array_equal([row["predicted target"] for row in served.predict()], stored["predicted"][:, 0])
    assert served.predict(["g04"])[0]["target"] == "7.5"
    new = served.with_graphs(lines(tmp_path / "new.jsonl", [4], label=False))
    assert new.predict()[0]["predicted target"] == pytest.approx(served.predict(["g04"])[0]["predicted target"], abs=1e-5)
    assert "predicts numbers, which have no probabilities" in refusal(
        capsys, f"run={numbers}", "graphs=all", "calibrate=temperature"
    )
    labels = [[place % 2, None if place % 5 == 0 else place % 3 == 0] for place in range(36)]
    several = load(
        trained(tmp_path, data={"graphs": rows([[a, None if b is None else int(b)] for a, b in labels], "labels.jsonl")})
    )
    with np.load(several._opened.folder / "seed-0" / "predictions.npz") as stored:
        assert np.array_equal(chances(several), stored["probabilities"])
    calibrated = several.calibrated()
    t, p = calibrated.calibration["temperature"], chances(several).astype(np.float64)
    expected = p ** (1 / t) / (p ** (1 / t) + (1 - p) ** (1 / t))
    np.testing.assert_allclose(chances(calibrated), expected, atol=1e-5)


def test_a_model_that_draws_subgraphs_takes_new_graphs_too(whole: Path, tmp_path: Path) -> None:
    data = {"graphs": str(lines(tmp_path / "old.jsonl", list(range(30))))}
    served = load(trained(tmp_path, {"name": "ds", "sample": 0.5, "hidden_channels": 8}, data))
    assert served._opened.model.sampled
    found = chances(served.with_graphs(lines(tmp_path / "new.jsonl", [36, 37], label=False)))
    assert found.shape == (2, 2) and np.allclose(found.sum(axis=1), 1.0)


def test_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = {"epochs": 1, "batch_size": 64}
    folder = run("image", model="cbc", train=train, out=str(tmp_path), device="cpu").folder
    served = load(folder)
    with np.load(folder / "seed-0" / "predictions.npz") as stored:
        for name in ("scores", "probabilities", "predicted"):
            assert np.array_equal(served._arrays[name], stored[name])
    answer(capsys, f"run={folder}", "images=all", f"out={tmp_path / 'all.csv'}")
    assert (tmp_path / "all.csv").read_bytes() == (folder / "seed-0" / "predictions.csv").read_bytes()
    assert main([f"run={folder}", "images=3,5", "calibrate=temperature"]) == 0
    assert "expected calibration error: validation" in " ".join(capsys.readouterr().out.split())
