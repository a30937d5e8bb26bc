"""Data in memory gives the numbers of files with the same content."""

from pathlib import Path

import networkx
import numpy as np
import pandas
import pytest
import scipy.sparse
import torch
from torch_geometric.data import Data as PyGData

import graphkit.predict
from graphkit.conf.schema import Data
from graphkit.data.own.files import OwnFiles
from graphkit.data.own.graph import OwnGraph
from graphkit.data.own.memory import take
from graphkit.errors import CheckpointError, RequestError
from graphkit.run import dry_run, run

NODES = 40
ENDS = np.array([(v, (v + step) % NODES) for v in range(NODES) for step in (1, 2)])
WEIGHT = np.linspace(0.5, 2.5, len(ENDS)).astype(np.float32)
X = np.random.default_rng(0).normal(size=(NODES, 3)).astype(np.float32)
Y = np.arange(NODES) % 2


def files(folder: Path) -> dict[str, str]:
    frames = {
        "edges": pandas.DataFrame({"source": ENDS[:, 0], "target": ENDS[:, 1], "weight": WEIGHT.astype(float)}),
        "features": pandas.DataFrame(X.astype(float), columns=["a", "b", "c"]).rename_axis("node").reset_index(),
        "labels": pandas.DataFrame({"node": range(NODES), "label": Y}),
    }
    for name, frame in frames.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    return {name: str(folder / f"{name}.csv") for name in frames}


def pyg() -> PyGData:
    data = PyGData(x=torch.from_numpy(X), edge_index=torch.from_numpy(ENDS.T.copy()), y=torch.from_numpy(Y))
    data.edge_weight = torch.from_numpy(WEIGHT)
    return data


def frames() -> dict:
    index = pandas.Index(range(NODES), name="node")
    return {
        "edges": pandas.DataFrame({"to": ENDS[:, 1], "weight": WEIGHT, "from": ENDS[:, 0]}),
        "features": pandas.DataFrame(X, index=index),
        "labels": pandas.Series(Y, index=index, name="label"),
    }


def graph() -> networkx.Graph:
    club = networkx.Graph()
    for node in range(NODES):
        club.add_node(node, **{"a": float(X[node, 0]), "b": float(X[node, 1]), "c": float(X[node, 2]), "label": int(Y[node])})
    club.add_weighted_edges_from((u, v, float(w)) for (u, v), w in zip(ENDS.tolist(), WEIGHT, strict=True))
    return club


def arrays() -> dict:
    matrix = scipy.sparse.csr_array((WEIGHT, (ENDS[:, 0], ENDS[:, 1])), shape=(NODES, NODES))
    return {"edges": matrix, "features": X, "labels": torch.from_numpy(Y)}


def listed() -> dict:
    return {"edges": np.column_stack([ENDS, WEIGHT]), "features": scipy.sparse.csr_array(X), "labels": Y}


KINDS = {"pyg": pyg, "frames": frames, "networkx": graph, "scipy": arrays, "arrays": listed}


def read(data: object) -> OwnGraph:
    settings, memory = take(data, ("data.edges", "data.labels"))
    return OwnFiles(None, memory).graph(Data(**settings))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_same_graph_in_every_form(kind: str, tmp_path: Path) -> None:
    expected, own = OwnFiles().graph(Data(**files(tmp_path))), read(KINDS[kind]())
    assert own.names == expected.names
    for key in ("edge_index", "edge_weight", "x", "y"):
        assert torch.equal(getattr(own.data, key), getattr(expected.data, key)), key


def test_a_run_gives_the_numbers_of_the_command_line_and_goes_on_with_the_same_data_alone(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    asked = {"train": {"epochs": 2}, "seeds": 2, "device": "cpu"}
    of_files = run("node", "custom", "gcn", data=files(tmp_path), **asked)
    data = pyg()
    of_memory = run("node", model="gcn", data=data, **asked)
    assert of_memory.metrics == of_files.metrics
    longer = run(resume=str(of_memory.folder), data=data, train={"epochs": 3})
    assert longer.metrics == run(resume=str(of_files.folder), train={"epochs": 3}).metrics
    with pytest.raises(
        CheckpointError, match=r"the run read it from memory \(edges, features, labels, Data\): give the same in Python"
    ):
        run(resume=str(of_memory.folder), train={"epochs": 4})
    data.x[3, 1] += 1
    with pytest.raises(
        CheckpointError, match="data.features=memory: edges, features, labels, Data is not the file that the run read"
    ):
        run(resume=str(of_memory.folder), data=data, train={"epochs": 4})


def test_the_masks_of_pyg_are_the_split(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = pyg()
    order = torch.randperm(NODES, generator=torch.Generator().manual_seed(0))
    for name, part in zip(("train_mask", "val_mask", "test_mask"), order.split([20, 8, 12]), strict=True):
        data[name] = torch.zeros(NODES, dtype=torch.bool).index_fill(0, part, True)
    own = read(data)
    assert own.nodes is not None
    assert {name: part.tolist() for name, part in own.nodes.items()} == {
        "train": sorted(order[:20].tolist()), "valid": sorted(order[20:28].tolist()), "test": sorted(order[28:].tolist()),
    }  # fmt: skip
    facts = dry_run("node", data=data)
    assert "labeled nodes are split by the masks of the data" in facts["protocol"] and facts["splits"]["train"] == 20


def test_interactions_in_memory(tmp_path: Path) -> None:
    rows = [(u, (u * k) % 7, 1 + (u + k) % 5) for u in range(6) for k in range(1, 5)]
    frame = pandas.DataFrame(rows, columns=["user", "item", "rating"])
    frame.to_csv(tmp_path / "r.csv", index=False)
    expected, _ = OwnFiles().interactions(Data(interactions=str(tmp_path / "r.csv"), min_rating=3.0))
    for given in (frame, frame.to_numpy()):
        settings, memory = take(given, ("data.interactions",))
        taken, _ = OwnFiles(None, memory).interactions(Data(**settings, min_rating=3.0))
        assert sorted(zip(taken.users.texts(), taken.items.texts(), strict=True)) == sorted(
            zip(expected.users.texts(), expected.items.texts(), strict=True)
        )
        assert taken.low == expected.low


def test_a_run_on_interactions_in_memory_answers_with_the_same_alone(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    frame = pandas.DataFrame([(u, (u * k) % 11) for u in range(1, 12) for k in range(1, 9)], columns=["user", "item"])
    result = run("recommend", model="mostpop", data=frame, device="cpu")
    served = graphkit.predict.load(result.folder, interactions=frame)
    assert len(served.top("3", k=2)) == 2
    with pytest.raises(CheckpointError, match="the run read it from memory"):
        graphkit.predict.load(result.folder)
    with pytest.raises(CheckpointError, match="is not the file that the run read"):
        graphkit.predict.load(result.folder, interactions=frame[1:])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"edges": object()}, "data.edges is a object: give a path, PyG Data"),
        ({"edges": np.zeros((3, 7))}, r"data.edges is an array of shape \[3, 7\]: give \[2, E\]"),
        ({"edges": ENDS, "labels": np.zeros((3, 2))}, r"data.labels is of shape \[3, 2\]: give one label per node"),
        ({"edges": ENDS, "features": np.array([["a"]])}, "data.features is an array that holds no numbers"),
        ({"edges": ENDS, "labels": scipy.sparse.eye_array(3)}, "data.labels is a sparse matrix"),
        (
            {"edges": ENDS, "features": pandas.DataFrame(X)},
            "data.features: cannot tell which column of the frame holds the ids",
        ),
        ({"edges": scipy.sparse.coo_array(np.ones((2, 3)))}, "is a matrix of 2 x 3, no graph: give a square one"),
    ],
)
def test_what_has_no_meaning_is_refused(data: dict, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        read(data)


def test_gaps_dates_and_truth_of_a_frame() -> None:
    frame = pandas.DataFrame(
        {
            "node": range(4),
            "age": [1.5, None, 3.0, 4.0],
            "since": pandas.to_datetime(["1970-01-02", "1970-01-03", None, "1970-01-01"]),
            "active": [True, False, True, True],
            "team": pandas.array(["b", "a", None, "b"], dtype="string"),
        }
    )
    x = read({"edges": ENDS[:3, :] % 4, "features": frame}).data.x
    assert x.nan_to_num(nan=-1.0).tolist() == [
        [1.5, 1, 1, 0, 0, 1], [-1, 2, 0, 0, 1, 0], [3, -1, 1, 1, 0, 0], [4, 0, 1, 0, 0, 1],
    ]  # fmt: skip
