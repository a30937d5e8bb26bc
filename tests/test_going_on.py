"""A run goes on with, and answers from, the data it was made on: bit for bit, or exit 2 with one sentence."""

import csv
import hashlib
import io
import json
import os
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from graphkit import predict, run
from graphkit.data.generated import embedded
from graphkit.errors import CheckpointError, RequestError

FILMS = ("Alien", "Brazil", "=Crash", "Dune", "Eraserhead", "Fargo", "Gilda", "Heat")
WIDE = "node with a very long name " * 40


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "home")
    return tmp_path / "home"


def write(path: str, rows: list) -> str:
    with Path(path).open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def own_graph() -> dict[str, str]:
    """A graph of 30 nodes with features and labels, one name very long."""
    names = [f"n{number}" for number in range(29)] + [WIDE]
    edges = [(names[a], names[b]) for a in range(30) for b in (a + 1, a + 7) if b < 30]
    rows = [(name, number % 5 - 2, (number * number) % 7) for number, name in enumerate(names)]
    return {
        "edges": write("edges.csv", [("source", "target"), *edges]),
        "features": write("features.csv", [("node", "a", "b"), *rows]),
        "labels": write("labels.csv", [("node", "team"), *((name, "=red" if a % 2 else "blue") for name, a, _ in rows)]),
    }


def own_ratings(path: str = "ratings.csv") -> str:
    rows = [(f"user {u}", FILMS[4 * (u % 2) + i]) for u in range(8) for i in range(4) if (u // 2 + i) % 4]
    return write(path, [("user", "item"), *rows])


def node_run(**settings) -> Path:
    data = {**own_graph(), "split": [0.4, 0.3, 0.3]}
    return run.run(
        "node", "custom", "gcn", data=data, device="cpu", train={"epochs": 3, **settings.pop("train", {})}, **settings
    ).folder


def ranking_run(path: str | None = None, model: str = "itemknn", **settings) -> Path:
    data = {"interactions": path or own_ratings(), "split": [0.4, 0.3, 0.3]}
    return run.run("recommend", "custom", model, data=data, device="cpu", **settings).folder


def cut_short(folder: Path, seed: int = 0) -> Path:
    """As if the run had been killed before its last seed."""
    (folder / "result.json").unlink()
    shutil.rmtree(folder / f"seed-{seed}")
    return folder


def outcome(folder: Path, seed: int = 0) -> list[bytes]:
    names = ("best.safetensors", "predictions.npz", "predictions.csv")
    return [(folder / f"seed-{seed}" / name).read_bytes() for name in names]


def predictions(folder: Path, seed: int = 0) -> list[bytes]:
    """What does not say which path the data had."""
    return outcome(folder, seed)[1:]


def refusal(capsys: pytest.CaptureFixture[str], door, *arguments: str) -> str:
    assert door.main(list(arguments)) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and "Traceback" not in printed.err
    (error,) = [line for line in printed.err.splitlines() if line.startswith("error: ")]
    return error.removeprefix("error: ")


def piped(path: Path | str, content: bytes, opened: list) -> str:
    """A FIFO that gives its content once."""
    os.mkfifo(path)

    def feed() -> None:
        with Path(path).open("wb") as pipe:
            opened.append(path)
            pipe.write(content)

    threading.Thread(target=feed, daemon=True).start()
    return str(path)


# ---------------------------------------------------------------------------------------------- what the folder knows


def test_the_folder_knows_its_data():
    folder = node_run()
    record = json.loads((folder / "data.json").read_text())
    assert record["sizes"] == {"nodes": 30, "features": 2, "classes": 2}
    for key, source in record["files"].items():
        content = Path(f"{key}.csv").read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        expected = {"typed": f"{key}.csv", "path": str(Path.cwd() / f"{key}.csv"), "size": len(content), "sha256": digest}
        assert source == {**expected, "pipe": False}
    assert yaml.safe_load((folder / "config.yaml").read_text())["data"]["edges"] == "edges.csv"
    names = json.loads((folder / "names" / "nodes.json").read_text())
    assert len(names) == 30 and names[-1] == WIDE.strip()
    assert json.loads((folder / "names" / "classes.json").read_text()) == ["=red", "blue"]
    assert (folder / "names" / "nodes.json").stat().st_size < 2 * sum(map(len, names))
    digests = json.loads((folder / "digests.json").read_text())["files"]
    assert {"data.json", "names/nodes.json", "names/classes.json"} <= set(digests)


def test_names_of_users_and_items_and_of_published_files():
    folder = ranking_run()
    assert json.loads((folder / "names" / "items.json").read_text()) == sorted(FILMS)
    assert json.loads((folder / "names" / "users.json").read_text()) == [f"user {u}" for u in range(8)]
    embedded_run = run.run("node", "karate", train={"epochs": 1}).folder
    assert json.loads((embedded_run / "data.json").read_text()) == {
        "dataset": "karate", "root": None, "files": {}, "published": {}, "sizes": {"nodes": 34, "features": 34, "classes": 2},
    }  # fmt: skip


# --------------------------------------------------------------------------------------------------------------- resume


def test_resume_from_another_folder_and_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The run folder copied, the working directory another one, the files where they were."""
    folder = node_run(seeds=2)
    whole = outcome(folder, 1)
    copy = Path(shutil.copytree(folder, tmp_path / "copied"))
    cut_short(copy, 1)
    monkeypatch.chdir(tmp_path)
    assert run.run(resume=str(copy)).seeds == (0, 1)
    assert outcome(copy, 1) == whole


def test_resume_with_moved_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = node_run(seeds=2)
    whole = outcome(folder, 1)
    cut_short(folder, 1)
    (tmp_path / "moved").mkdir()
    for name in ("edges.csv", "labels.csv"):
        Path(name).rename(tmp_path / "moved" / name)
    told = refusal(capsys, run, f"resume={folder}")
    assert told.startswith(f"data.edges={Path.cwd() / 'edges.csv'} is not there") and "data.edges=FILE" in told
    moved = [f"data.{key}={tmp_path / 'moved' / key}.csv" for key in ("edges", "labels")]
    assert run.main([f"resume={folder}", *moved]) == 0
    capsys.readouterr()
    assert outcome(folder, 1) == whole
    assert yaml.safe_load((folder / "config.yaml").read_text())["data"]["edges"] == "edges.csv"  # the run is the same one
    assert refusal(capsys, run, f"resume={folder}", "data.interactions=x.csv").endswith("was run without it, leave it out")
    assert run.main([f"resume={folder}"]) == 0  # a finished run is reported without its data


@pytest.mark.parametrize("key", ["edges", "features", "labels"])
@pytest.mark.parametrize("grows", [True, False])
def test_resume_with_a_changed_file(key: str, grows: bool, capsys: pytest.CaptureFixture[str]):
    folder = cut_short(node_run())
    path = Path(f"{key}.csv")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"\nn1,", b"\nn1, ") if grows else content.replace(b"\nn1,", b"\nn2,"))
    told = refusal(capsys, run, f"resume={folder}")
    assert told.startswith(f"data.{key}={path.absolute()} is not the file that the run read (")
    assert "bytes, not" in told if grows else "SHA-256" in told
    assert not (folder / "seed-0").exists()
    path.write_bytes(content)
    assert run.run(resume=folder).seeds == (0,)


def test_more_epochs_beside_resume(capsys: pytest.CaptureFixture[str]):
    folder = node_run(seeds=2)
    longer = node_run(seeds=2, train={"epochs": 7}, out="longer")
    assert run.main([f"resume={folder}", "train.epochs=7", "format=json"]) == 0
    record = json.loads(capsys.readouterr().out)
    expected = json.loads((longer / "result.json").read_text())
    for key in ("metrics", "best_epochs", "settings", "config_digest"):
        assert record[key] == expected[key]
    assert [outcome(folder, seed) for seed in (0, 1)] == [outcome(longer, seed) for seed in (0, 1)]
    assert "can only add to them" in refusal(capsys, run, f"resume={folder}", "train.epochs=6")
    assert "leave out train.lr" in refusal(capsys, run, f"resume={folder}", "train.lr=6")


def test_a_data_set_that_is_another_one_now(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    folder = cut_short(run.run("node", "karate", train={"epochs": 2}).folder)
    whole = embedded.karate()
    monkeypatch.setattr(embedded, "karate", lambda: replace(whole, x=whole.x[:, :30]))
    assert "data set 'karate' has 30 features, the run was made on 34" in refusal(capsys, run, f"resume={folder}")


# ---------------------------------------------------------------------------------------------------------------- pipes


def test_a_pipe_is_read_once_for_all_seeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    plain, opened = node_run(seeds=3), []
    content = Path("edges.csv").read_bytes()
    data = {"features": "features.csv", "labels": "labels.csv", "split": [0.4, 0.3, 0.3]}
    data["edges"] = piped("pipe", content, opened)
    folder = run.run("node", "custom", "gcn", data=data, device="cpu", train={"epochs": 3}, seeds=3, out="piped").folder
    assert [predictions(folder, seed) for seed in range(3)] == [predictions(plain, seed) for seed in range(3)]
    source = json.loads((folder / "data.json").read_text())["files"]["edges"]
    assert (source["pipe"], source["size"], source["sha256"]) == (True, len(content), hashlib.sha256(content).hexdigest())
    cut_short(folder, 2)
    told = refusal(capsys, run, f"resume={folder}")
    assert told.startswith("data.edges: the run read it from pipe, a pipe") and told.endswith("with data.edges=FILE")
    again = piped("again", content, opened)
    assert run.main([f"resume={folder}", f"data.edges={again}"]) == 0
    assert predictions(folder, 2) == predictions(plain, 2)
    capsys.readouterr()
    assert opened == ["pipe", "again"]
    cut_short(folder, 2)
    other = piped("other", content.replace(b"n3", b"n4"), opened)
    assert "data.edges=other is not the file that the run read" in refusal(
        capsys, run, f"resume={folder}", f"data.edges={other}"
    )


def test_interactions_from_a_pipe(capsys: pytest.CaptureFixture[str]):
    path = own_ratings()
    plain = ranking_run(path, seeds=2)
    folder = ranking_run(piped("pipe", Path(path).read_bytes(), []), seeds=2, out="piped")
    assert [predictions(folder, seed) for seed in range(2)] == [predictions(plain, seed) for seed in range(2)]
    assert "pipe, which gives its content once" in refusal(capsys, predict, f"run={folder}", "user=user 1")
    assert predict.load(folder, interactions=path).top("user 1") == predict.load(plain).top("user 1")


# -------------------------------------------------------------------------------------------------------------- predict


def test_predict_compares_the_interactions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    folder = ranking_run()
    expected = predict.load(folder).top("user 1")
    copy = shutil.copytree(folder, tmp_path / "copied")
    monkeypatch.chdir(tmp_path)
    assert predict.load(copy).top("user 1") == expected
    ratings = tmp_path / "home" / "ratings.csv"
    moved = ratings.rename(tmp_path / "moved.csv")
    assert f"data.interactions={ratings} is not there" in refusal(capsys, predict, f"run={copy}", "user=user 1")
    assert predict.load(copy, interactions="moved.csv").top("user 1") == expected
    moved.write_text(moved.read_text() + "user 0,Heat\n")
    told = refusal(capsys, predict, f"run={copy}", "user=user 1", "data.interactions=moved.csv")
    assert told.startswith("data.interactions=moved.csv is not the file that the run read (")


def test_out_replaces_nothing_that_the_answer_is_made_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = ranking_run()
    Path("some.csv").write_text("user 1\n")
    Path("link.csv").symlink_to("ratings.csv")
    before = {path: path.read_bytes() for path in (*folder.rglob("*.*"), *Path().glob("*.csv")) if path.is_file()}
    for name in ("metrics.csv", "predictions.csv", "seed-0/predictions.csv", "seed-0/new.csv", "names/x.csv"):
        if name != "predictions.csv":
            told = refusal(capsys, predict, f"run={folder}", "users=all", f"out={folder / name}")
            assert "that is a file of the run itself" in told or "there is no folder" in told
    for name in ("ratings.csv", "./ratings.csv", "link.csv", str(Path("ratings.csv").absolute())):
        assert "the answer is read from that file" in refusal(capsys, predict, f"run={folder}", "users=all", f"out={name}")
    assert "the answer is read from" in refusal(capsys, predict, f"run={folder}", "users=some.csv", "out=some.csv")
    assert all(path.read_bytes() == content for path, content in before.items())
    assert predict.main([f"run={folder}", "users=some.csv", f"out={folder / 'top.csv'}"]) == 0


# ------------------------------------------------------------------------------------------------------ predictions.csv


def rows_of(folder: Path, seed: int = 0) -> list[dict[str, str]]:
    with (folder / f"seed-{seed}" / "predictions.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def exact(cell: str) -> str:
    return cell.removeprefix("'")


def test_predictions_of_nodes_by_name():
    folder = node_run()
    names, classes = (json.loads((folder / "names" / f"{kind}.json").read_text()) for kind in ("nodes", "classes"))
    labels = dict(csv.reader(Path("labels.csv").read_text().splitlines()))
    with np.load(folder / "seed-0" / "predictions.npz") as arrays:
        rows = rows_of(folder)
        assert [exact(row["node"]) for row in rows] == names
        for number, row in enumerate(rows):
            (split,) = [name for name in ("train", "valid", "test") if number in arrays[f"{name}_nodes"]]
            assert row["split"] == split
            assert exact(row["label"]) == labels[names[number] if number < 29 else WIDE]
            assert exact(row["predicted"]) == classes[arrays["predicted"][number]]
            shares = [np.float32(row[f"probability of {name}"]) for name in classes]
            assert shares == arrays["probabilities"][number].tolist()
    assert {row["label"] for row in rows} == {"'=red", "blue"}  # no spreadsheet runs it


def test_predictions_of_links_by_name():
    data = {"edges": own_graph()["edges"], "split": [0.6, 0.2, 0.2]}
    folder = run.run("link", "custom", "gae", data=data, device="cpu", train={"epochs": 2}).folder
    names = json.loads((folder / "names" / "nodes.json").read_text())
    expected = []
    with np.load(folder / "seed-0" / "predictions.npz") as arrays:
        for split in ("valid", "test"):
            for kind in ("positive", "negative"):
                pairs, scores = arrays[f"{split}_{kind}_pairs"], arrays[f"{split}_{kind}_scores"]
                for (a, b), score in zip(pairs.T.tolist(), scores, strict=True):
                    expected.append((names[a], names[b], split, kind, score))
    found = [(exact(r["source"]), exact(r["target"]), r["split"], r["kind"], np.float32(r["score"])) for r in rows_of(folder)]
    assert found == expected and len(found) > 20


@pytest.mark.parametrize("protocol", ["validation", "lightgcn"])
def test_predictions_of_items_by_name(protocol: str):
    folder = ranking_run(overrides=[f"task.protocol={protocol}"])
    users, items = (json.loads((folder / "names" / f"{kind}.json").read_text()) for kind in ("users", "items"))
    expected = []
    with np.load(folder / "seed-0" / "predictions.npz") as arrays:
        for split in ("valid", "test") if protocol == "validation" else ("test",):
            for place, user in enumerate(arrays[f"{split}_users"]):
                ranked = zip(arrays[f"{split}_items"][place], arrays[f"{split}_scores"][place], strict=True)
                expected += [(users[user], k, items[item], s, split) for k, (item, s) in enumerate(ranked, 1) if item >= 0]
    found = [(r["user"], int(r["rank"]), exact(r["item"]), np.float32(r["score"]), r["split"]) for r in rows_of(folder)]
    assert found == expected and any(row["item"] == "'=Crash" for row in rows_of(folder))


def test_predictions_without_names_go_by_number():
    folder = run.run("node", "karate", train={"epochs": 1}).folder
    rows = rows_of(folder)
    assert [row["node"] for row in rows] == [str(number) for number in range(34)]
    assert {row["split"] for row in rows} == {"train", "valid", "test"}


# ------------------------------------------------------------------------------------------------------- folders' names


def test_names_that_are_no_text(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    odd = os.fsdecode(b"odd-\xff")
    shutil.copytree(node_run(), odd)
    stderr = io.TextIOWrapper(io.BytesIO(), "utf-8", errors="backslashreplace", write_through=True)  # as the interpreter's own
    monkeypatch.setattr("sys.stderr", stderr)
    for door, asked in ((run, [f"resume={odd}"]), (predict, [f"run={odd}", "user=1"]), (run, [f"out={odd}", "dataset=karate"])):
        assert door.main(asked) == 2
    lines = stderr.buffer.getvalue().decode().splitlines()
    assert len(lines) == 3 and all(line.startswith("error: ") and "UTF-8" in line for line in lines)
    assert capsys.readouterr().out == ""
    with pytest.raises(RequestError, match="UTF-8"):
        run.run(resume=odd)
    with pytest.raises(CheckpointError, match="run='odd-.udcff': the folder's name is not UTF-8, rename it"):
        predict.load(odd)
