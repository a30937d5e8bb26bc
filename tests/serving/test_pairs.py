"""Link runs that answer by name, against the run's own predictions and plain loops over dense matrices."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from graphkit.data.dataset import Pairs
from graphkit.errors import CheckpointError, DataError, RequestError, RunError
from graphkit.predict import load, main
from graphkit.run import run
from graphkit.serving import pairs as serving
from graphkit.serving.pairs import ServedPairs
from tests.tasks.links import make_task, planted
from tests.training.test_digests import make_old

NAMES = [f"n {number:02d}" for number in range(36)]
TINY = {"train": {"epochs": 2, "batch_size": 32}, "device": "cpu"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four groups of nine: edges, and features of the nodes."""
    folder = tmp_path_factory.mktemp("links")
    generator = torch.Generator().manual_seed(0)
    group = torch.arange(36) // 9
    chance = torch.where(group[:, None] == group, 0.6, 0.05)
    edges = (torch.rand(36, 36, generator=generator) < chance).triu(1).nonzero().tolist()
    with (folder / "edges.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("source", "target"), *((NAMES[u], NAMES[v]) for u, v in edges)])
    with (folder / "features.csv").open("w", newline="") as file:
        x = torch.randn(36, 3, generator=generator) + group[:, None]
        rows = ((name, *row) for name, row in zip(NAMES, x.tolist(), strict=True))
        csv.writer(file).writerows([("node", "a", "b", "c"), *rows])
    return folder


def trained(files: Path, model: str, *, features: bool, **settings: object) -> Path:
    data = {"edges": str(files / "edges.csv")} | ({"features": str(files / "features.csv")} if features else {})
    chosen = {"name": model, **({"hidden_channels": 8} if model in ("ncn", "gae") else {})}
    return run("link", "custom", chosen, data=data, out=str(files / "runs"), **TINY, **settings).folder


@pytest.fixture(scope="module")
def counted(files: Path) -> Path:
    return trained(files, "aa", features=False)


@pytest.fixture(scope="module")
def ncn(files: Path) -> Path:
    return trained(files, "ncn", features=True)


@pytest.fixture(scope="module")
def bound(files: Path) -> Path:
    return trained(files, "gae", features=False)


def adamic_adar(adjacency: np.ndarray) -> np.ndarray:
    degree = adjacency.sum(1)
    weight = np.array([1 / np.log(d) if d > 1 else 0.0 for d in degree])
    return np.array([[sum(weight[adjacency[i] * adjacency[j] > 0]) for j in range(36)] for i in range(36)])


def dense(pairs: np.ndarray) -> np.ndarray:
    adjacency = np.zeros((36, 36))
    adjacency[pairs[0], pairs[1]] = adjacency[pairs[1], pairs[0]] = 1.0
    return adjacency


def training_graph(served: ServedPairs) -> np.ndarray:
    return served._adj.to_dense(torch.float64).numpy()


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    code = main([*arguments])
    printed = capsys.readouterr()
    assert code == 0, printed.err
    return printed.out


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert main([*arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    return [line.removeprefix("error: ") for line in printed.err.splitlines()]


# --------------------------------------------------------------------------------------------------------------- scores


@pytest.mark.parametrize("model", ["counted", "ncn", "bound"])
def test_scores_are_those_of_the_run(model: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = request.getfixturevalue(model)
    monkeypatch.setattr(serving, "_PAIRS", 50)  # blocks that end within a source
    monkeypatch.setattr(serving, "_ROWS", 7)
    served = load(folder)
    with np.load(folder / "seed-0" / "predictions.npz") as stored:
        pairs, scores = stored["test_positive_pairs"], stored["test_positive_scores"]
        others, lower = stored["valid_negative_pairs"], stored["valid_negative_scores"]
    found = served.score([(NAMES[u], NAMES[v]) for u, v in pairs.T])
    assert [one.score for one in found] == pytest.approx(scores.tolist(), abs=1e-5)
    assert {one.known for one in found} == {"test"} and [one.source for one in found] == [NAMES[u] for u in pairs[0]]
    found = served.score([(NAMES[v], NAMES[u]) for u, v in others.T])
    assert [one.score for one in found] == pytest.approx(lower.tolist(), abs=1e-5) and {one.known for one in found} == {""}
    u, v = int(pairs[0, 0]), int(pairs[1, 0])
    shown = {one.node: one.score for one in served.top(NAMES[u], 35, seen="show")}
    assert len(shown) == 35 and NAMES[u] not in shown and shown[NAMES[v]] == pytest.approx(float(scores[0]), abs=1e-5)


@pytest.mark.parametrize("seen", ["hide", "show"])
def test_lists_are_those_of_a_plain_loop(counted: Path, seen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "_SCORES", 5 * 36)  # 8 blocks of nodes
    served = load(counted)
    scores = adamic_adar(training_graph(served))
    links = dense(np.concatenate([pairs.positive.numpy() for pairs in served._opened.dataset.splits.values()], axis=1))
    expected = []
    for i in range(36):
        left = [j for j in range(36) if j != i and (seen == "show" or not links[i, j])]
        best = sorted(left, key=lambda j: (-scores[i, j], j))[:4]
        expected += [(NAMES[i], rank, NAMES[j], scores[i, j]) for rank, j in enumerate(best, start=1)]
        assert served.top(NAMES[i], 4, seen=seen) == [(NAMES[j], pytest.approx(scores[i, j])) for j in best]
    blocks = list(served.rows(None, 4, seen=seen))
    found = [row for block in blocks for row in zip(*(column.tolist() for column in block.values()), strict=True)]
    assert len(blocks) == 8 and list(blocks[0]) == ["source", "rank", "target", "score"]
    assert found == [(*row[:3], pytest.approx(row[3])) for row in expected]
    assert [row["source"][0] for row in served.rows([7, 3], 1)] == [NAMES[7]]


def test_a_score_that_is_no_number(counted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served = load(counted)
    monkeypatch.setattr(served, "_head", lambda features: features[0].squeeze(1) * torch.nan)
    with pytest.raises(RunError, match="scores pairs with NaN"):
        served.top(NAMES[0])


# ------------------------------------------------------------------------------------------------------------ new edges


@pytest.mark.parametrize("model", ["counted", "ncn"])
def test_new_edges_are_as_if_they_had_been_there(model: str, request: pytest.FixtureRequest) -> None:
    served = load(request.getfixturevalue(model))
    old = training_graph(served)
    u, v = (int(end) for end in np.argwhere(np.triu(old == 0, 1))[5])
    known = np.argwhere(old)[0]
    new = served.with_edges([(NAMES[v], NAMES[u]), (NAMES[known[0]], NAMES[known[1]])])
    graph = old.copy()
    graph[u, v] = graph[v, u] = 1.0
    assert new.num_new == 1 and np.array_equal(training_graph(new), graph) and np.array_equal(training_graph(served), old)
    others = np.argwhere(np.triu(graph == 0, 1))
    asked = [(NAMES[i], NAMES[j]) for i, j in others]
    found = np.array([one.score for one in new.score(asked)])
    model_of = new._model
    with served._trainer.evaluating():
        x = served._opened.task.inputs(model_of)[0]
        expected = model_of(x, new._adj, torch.from_numpy(others.T.copy()))
    assert found == pytest.approx(expected.numpy(), abs=1e-5)
    assert not np.allclose(found, [one.score for one in served.score(asked)])
    if model == "counted":
        assert found == pytest.approx(adamic_adar(graph)[others[:, 0], others[:, 1]])
    assert NAMES[v] not in {one.node for one in new.top(NAMES[u], 36)}
    assert new.score([(NAMES[u], NAMES[v])])[0].known == "new"
    i, j = (int(end) for end in others[9])
    assert new.with_edges([(NAMES[i], NAMES[j])]).num_new == 2


def test_embeddings_of_nodes_take_no_new_edges(bound: Path, files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = refusal(capsys, f"run={bound}", f"node={NAMES[3]}", f"edges={files / 'edges.csv'}")
    assert told == [
        "edges=: model=gae has learned an embedding for each node, since the data has no features, and those belong to the "
        "graph it was trained on: train again with the new edges, or take data.features= or a model without embeddings (cn, "
        "aa, ra, katz, ppr, nbfnet)"
    ]


def test_weights_of_new_edges(tmp_path: Path) -> None:
    rows = [(f"{u}", f"{v}", 1 + (u * v) % 3) for u in range(12) for v in range(u + 1, 12) if (u + v) % 3]
    with (tmp_path / "edges.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("source", "target", "weight"), *rows])
    data = {"edges": str(tmp_path / "edges.csv")}
    served = load(run("link", "custom", "cn", data=data, out=str(tmp_path), **TINY).folder)
    with pytest.raises(RequestError, match="edges=: the edges of the run's graph have weights: give a third column 'weight'"):
        served.with_edges([("0", "3")])
    new = served.with_edges([("0", "3", 2.5)]).with_edges([("1", "2", 0.5)])
    dense_new = new._adj.to_dense(torch.float32)
    assert (float(dense_new[0, 3]), float(dense_new[3, 0]), float(dense_new[2, 1])) == (2.5, 2.5, 0.5)
    dense_new[[0, 3, 1, 2], [3, 0, 2, 1]] = 0
    assert torch.equal(dense_new, served._adj.to_dense(torch.float32))


# -------------------------------------------------------------------------------------------------------------- the door


def test_lists_and_tables_on_stdout(counted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    served = load(counted)
    found = json.loads(answer(capsys, f"run={counted}", f"node={NAMES[1]},{NAMES[30]}", "top=3", "format=json"))
    assert [entry["source"] for entry in found["lists"]] == [NAMES[1], NAMES[30]]
    assert [(one["target"], one["score"]) for one in found["lists"][1]["top"]] == served.top(NAMES[30], 3)
    assert (found["run"], found["seed"], found["seen"], found["new_edges"]) == (str(counted), 0, "hide", 0)
    assert answer(capsys, f"run={counted}", f"node={NAMES[1]}", "top=1").startswith(f"node {NAMES[1]}\n\n rank   target")
    table = tmp_path / "pairs.csv"
    (u, *_), (v, *_) = served._opened.dataset.splits["test"].positive.tolist()
    table.write_text(f"{NAMES[u]},{NAMES[v]}\n")
    (row,) = json.loads(answer(capsys, f"run={counted}", f"pairs={table}", "format=json"))["pairs"]
    assert (row["source"], row["target"], row["known"]) == (NAMES[u], NAMES[v], "test")
    assert f"\n {NAMES[u]}     {NAMES[v]} " in answer(capsys, f"run={counted}", f"pairs={table}")
    printed = answer(capsys, f"run={counted}", f"pairs={table}", "format=csv")
    assert printed.splitlines()[0] == "source,target,score,known"
    assert answer(capsys, f"run={counted}", f"pairs={table}", f"out={tmp_path / 'scores.csv'}") == (
        f"wrote scores of pairs, 1 rows, to {tmp_path / 'scores.csv'}\n"
    )
    assert (tmp_path / "scores.csv").read_text() == printed


def test_lists_of_many_nodes(counted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "top.csv"
    said = answer(capsys, f"run={counted}", "nodes=all", f"out={path}", "top=2")
    assert said == f"wrote the best 2 new links of 36 nodes, 72 rows, to {path}\n"
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [row["source"] for row in rows[::2]] == NAMES and rows[3]["rank"] == "2"
    (tmp_path / "some.txt").write_text(f"{NAMES[9]}\n{NAMES[4]}\n")
    facts = json.loads(
        answer(capsys, f"run={counted}", f"nodes={tmp_path / 'some.txt'}", f"out={path}", "top=2", "format=json")
    )
    assert (facts["nodes"], facts["rows"], facts["out"]) == (2, 4, str(path))
    assert "there is no folder" in refusal(capsys, f"run={counted}", "nodes=all", f"out={tmp_path / 'no' / 'top.csv'}")[0]
    asked = [f"run={counted}", "nodes=all", f"edges={tmp_path / 'e.csv'}", f"out={tmp_path / 'e.csv'}"]
    assert "the answer is read from that file" in refusal(capsys, *asked)[0]


# ------------------------------------------------------------------------------------------------------------- bad input


def test_pairs_that_cannot_be_scored(counted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, asked = tmp_path / "pairs.csv", [f"run={counted}", f"pairs={tmp_path / 'pairs.csv'}"]
    table.write_text(f"source,target\n{NAMES[0]},{NAMES[0]}\n{NAMES[0]},{NAMES[35]}\n{NAMES[4]},{NAMES[4]}\n")
    assert refusal(capsys, *asked) == [
        f"{table}, line 2, column 1: '{NAMES[0]}' and '{NAMES[0]}': a pair needs two different nodes",
        f"{table}, line 4, column 1: '{NAMES[4]}' and '{NAMES[4]}': a pair needs two different nodes",
    ]
    table.write_text(f"{NAMES[0]},{NAMES[1]}\n{NAMES[0]},n 36\n")
    assert refusal(capsys, *asked)[0].startswith(f"{table}, line 2, column 2: no node 'n 36' among 36; nearest: n 03")
    table.write_text("")
    assert refusal(capsys, *asked) == [
        f"{table} holds no pair: one pair per row is needed, source and target separated by a comma"
    ]
    table.unlink()
    assert "cannot be read (No such file or directory)" in refusal(capsys, *asked)[0]
    served = load(counted)
    (u, *_), (v, *_) = served._opened.dataset.splits["train"].positive.tolist()
    table.write_text(f"{NAMES[v]},{NAMES[u]}\n")
    assert refusal(capsys, *asked) == [
        f"{table}, line 1, column 1: '{NAMES[v]}' and '{NAMES[u]}': the model was trained on this edge, its score is no "
        "prediction: leave it out, or give seen=show"
    ]
    assert ",train\n" in answer(capsys, *asked, "seen=show", "format=csv")
    for wrong, says in (([], "holds no pair"), ([("n 36", NAMES[0])], "no node"), ([(NAMES[1], NAMES[1])], "two different")):
        with pytest.raises(DataError, match=says):
            served.score(wrong)
    assert refusal(capsys, f"run={counted}", "node=n 36")[0].startswith("no node 'n 36' among 36; nearest:")


def test_a_graph_that_changed_since_the_run(files: Path, counted: Path, tmp_path: Path, capsys) -> None:
    content = (files / "edges.csv").read_bytes()
    moved = tmp_path / "edges.csv"
    moved.write_bytes(content)
    expected = load(counted).top(NAMES[2])
    (files / "edges.csv").rename(files / "away.csv")
    try:
        assert load(counted, data={"edges": moved}).top(NAMES[2]) == expected
        assert "is not there, and the run read it" in refusal(capsys, f"run={counted}", f"node={NAMES[2]}")[0]
        moved.write_bytes(content + f"{NAMES[0]},{NAMES[35]}\r\n".encode())
        told = refusal(capsys, f"run={counted}", f"node={NAMES[2]}", f"data.edges={moved}")
        assert "edges.csv is not the file that the run read" in told[0]
    finally:
        (files / "away.csv").rename(files / "edges.csv")


def test_pairs_of_an_old_run_that_are_others_now(files: Path, tmp_path: Path) -> None:
    folder = trained(files, "cn", features=False)
    make_old(folder)
    path = folder / "seed-0" / "predictions.npz"
    with np.load(path) as arrays:
        whole = dict(arrays)
    assert load(folder).top(NAMES[2])
    np.savez(path, **{**whole, "test_positive_pairs": whole["test_positive_pairs"][:, ::-1]})
    with pytest.raises(
        CheckpointError, match="the data of .* has changed since the run: put it back as it was, or train again"
    ):
        load(folder)
    path.write_bytes(b"no archive")
    with pytest.raises(CheckpointError, match="predictions.npz is damaged"):
        load(folder)


def test_a_run_on_data_in_memory(tmp_path: Path) -> None:
    edges = np.array([(u, v) for u in range(12) for v in range(u + 1, 12) if (u + v) % 3])
    folder = run("link", "custom", "cn", data={"edges": edges}, out=str(tmp_path), **TINY).folder
    assert len(load(folder, data={"edges": edges}).top(3)) > 0
    with pytest.raises(CheckpointError, match="the run read it from memory"):
        load(folder)


def test_a_split_without_negatives_is_refused_when_the_run_begins() -> None:
    data = planted()
    nothing = Pairs(data.splits["test"].positive, torch.zeros(2, 0, dtype=torch.int64))
    with pytest.raises(RequestError, match="the test split of data set 'planted' has no negative pairs to rank against"):
        make_task(replace(data, splits={**data.splits, "test": nothing}))
