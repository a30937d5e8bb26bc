import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

import graphkit
from graphkit import predict as door
from graphkit.errors import CheckpointError, RequestError
from graphkit.models.recommend.lightgcn import LightGCN
from graphkit.predict import load, main
from graphkit.run import run
from graphkit.serving import served as serving
from tests.training.test_digests import make_old, reseal

TINY = {"train": {"lr": 0.02, "batch_size": 512, "epochs": 2}, "device": "cpu"}
FILMS = ("Alien", "Brazil", "Crash, the film", "Dune", "Eraserhead", "Fargo", "Gilda", "Heat")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def trained(runs: Path) -> Path:
    """Two seeds of LightGCN on planted interactions."""
    model = {"name": "lightgcn", "hidden_channels": 8, "num_layers": 2}
    return run("recommend", "planted-interactions", model, seeds=2, out=str(runs), **TINY).folder


@pytest.fixture(scope="module")
def ratings(runs: Path) -> Path:
    """Eight users and eight films: even users like the first four, odd ones the others."""
    rows = [(f"user {u}", FILMS[4 * (u % 2) + i]) for u in range(8) for i in range(4) if (u // 2 + i) % 4]
    path = runs / "ratings.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("user", "film"), *rows])
    return path


@pytest.fixture(scope="module")
def named(runs: Path, ratings: Path) -> Path:
    """A model without training, on own interactions with names."""
    data = {"interactions": str(ratings), "item_column": "film", "split": [0.4, 0.3, 0.3]}
    return run("recommend", "custom", "itemknn", data=data, out=str(runs), device="cpu").folder


def arrays(folder: Path, seed: int = 0) -> dict[str, np.ndarray]:
    with np.load(folder / f"seed-{seed}" / "predictions.npz") as stored:
        return dict(stored)


def copied(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "run"))


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    code = main(list(arguments))
    printed = capsys.readouterr()
    assert code == 0, printed.err
    return printed.out


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(list(arguments)) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith("error: ") and printed.err.count("\n") == 1
    return printed.err.removeprefix("error: ").strip()


# --------------------------------------------------------------------------------------------------------------- asking


def test_asking_and_mistakes_need_no_torch(tmp_path: Path):
    node = tmp_path / "node"
    node.mkdir()
    code = f"""if True:
        import sys, yaml
        from pathlib import Path
        from graphkit.conf.arguments import split
        from graphkit.conf.compose import compose
        from graphkit.conf.request import check
        from graphkit.data.catalog import DATASETS
        from graphkit.predict import main
        config = compose(check(split(["task=node", "dataset=karate"]).assignments, DATASETS)).config
        Path({str(node / "config.yaml")!r}).write_text(yaml.safe_dump(config))
        requests = [["--help"], ["--version"], ["usr=3"], ["run=no", "user=1"], [{f"run={node}"!r}, "user=1"]]
        print([main(request) for request in requests], file=sys.stderr)
        print([name for name in sys.modules if name in ("torch", "torch_geometric", "lightning_fabric")], file=sys.stderr)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.splitlines()[-2:] == ["[0, 0, 2, 2, 2]", "[]"], done.stderr
    assert "Traceback" not in done.stderr
    assert f"error: {node} is a run of task=node: give one of nodes=all|A,B|FILE (task=node), not user=" in done.stderr
    assert "error: no is no run folder (it has no config.yaml): check run=..." in done.stderr
    assert done.stdout.startswith("usage: python -m graphkit.predict")
    assert done.stdout.endswith(f"graphkit {graphkit.__version__}\n")


# ---------------------------------------------------------------------------------------------- the same as in the run


@pytest.mark.parametrize("seed", [0, 1])
def test_lists_are_those_of_the_run_bit_for_bit(trained: Path, seed: int):
    state = torch.get_rng_state()
    served = load(trained, seed=seed)
    assert torch.equal(torch.get_rng_state(), state)
    stored = arrays(trained, seed)
    (rows,) = served.rows(stored["valid_users"].tolist())
    assert np.array_equal(rows["user"].astype(int).reshape(-1, 20)[:, 0], stored["valid_users"])
    assert np.array_equal(rows["item"].astype(int).reshape(-1, 20), stored["valid_items"])
    assert rows["score"].tobytes() == stored["valid_scores"].tobytes()
    place = 7
    alone = served.top(str(stored["valid_users"][place]), k=5)
    assert [int(item) for item, _ in alone] == stored["valid_items"][place, :5].tolist()
    assert [score for _, score in alone] == stored["valid_scores"][place, :5].tolist()


@pytest.mark.parametrize("model", ["ease", "gf-cf", "ials", "ultragcn"])
def test_every_kind_of_model_comes_back(runs: Path, model: str):
    """Models that learn while they are fitted learn again; iALS starts at random, UltraGCN is trained."""
    if model == "ials":
        pytest.importorskip("implicit")
    settings = {"name": model, **({"hidden_channels": 8} if model == "ultragcn" else {})}
    precision = "bf16-mixed" if model == "ultragcn" else "32-true"  # evaluated in full precision
    settings_of_run = {**TINY, "train": {**TINY["train"], "epochs": 1}, "precision": precision}
    folder = run("recommend", "planted-interactions", settings, out=str(runs), **settings_of_run).folder
    stored = arrays(folder)
    (rows,) = load(folder).rows(stored["valid_users"].tolist())
    assert np.array_equal(rows["item"].astype(int).reshape(-1, 20), stored["valid_items"])
    assert rows["score"].tobytes() == stored["valid_scores"].tobytes()


def test_the_best_seed_by_validation_answers(trained: Path, tmp_path: Path):
    per_seed = json.loads((trained / "result.json").read_text())["metrics"]["valid"]["recall@20"]["per_seed"]
    assert per_seed[0] != per_seed[1]
    best = per_seed.index(max(per_seed))
    assert load(trained).seed == best
    folder = copied(trained, tmp_path)
    text = (folder / "result.json").read_text()
    record = json.loads(text)
    record["metrics"]["valid"]["recall@20"]["per_seed"] = per_seed[::-1]
    (folder / "result.json").write_text(json.dumps(record))
    with pytest.raises(CheckpointError, match="result.json is truncated or was changed"):
        load(folder)
    reseal(folder, "result.json")
    assert load(folder).seed == 1 - best
    record["metrics"]["valid"]["recall@20"]["per_seed"] = [3.0, 3.0]
    (folder / "result.json").write_text(json.dumps(record))
    reseal(folder, "result.json")
    assert load(folder).seed == 0


# --------------------------------------------------------------------------------------------------------------- lists


def test_seen_items_are_those_of_the_training_graph(trained: Path):
    served = load(trained, seed=0)
    users, items, *_ = served.embeddings()
    interactions = served._model.interactions.to_dense().bool()
    scores = (users @ items.t()).double()
    everything = served.top("7", k=500, seen="show")
    assert [int(item) for item, _ in everything] == scores[7].argsort(descending=True, stable=True).tolist()
    hidden = served.top("7", k=500)
    assert [pair for pair in everything if not interactions[7, int(pair.item)]] == hidden
    assert len(hidden) == 500 - int(interactions[7].sum()) < 500


def test_names(named: Path, capsys: pytest.CaptureFixture[str]):
    found = json.loads(answer(capsys, f"run={named}", "user=user 0,user 3", "seen=show", "top=8", "format=json"))
    assert [entry["user"] for entry in found["lists"]] == ["user 0", "user 3"]
    assert [{one["item"] for one in entry["top"]} for entry in found["lists"]] == [set(FILMS)] * 2
    assert (found["run"], found["seed"], found["seen"], found["index"]) == (str(named), 0, "show", "exact")
    mistake = refusal(capsys, f"run={named}", "user=user 33")
    assert mistake == "no user 'user 33' among 8; nearest: user 3, user 0, user 1"
    assert refusal(capsys, f"run={named}", "items=Dune,Heet") == "no item 'Heet' among 8; nearest: Heat"


def test_fold_in(named: Path, trained: Path, capsys: pytest.CaptureFixture[str]):
    served = load(named)
    model = served._model
    given = [2, 0]  # names are sorted: Alien, Brazil, Crash, ...
    scores = model.fold_in([torch.tensor(given)])[0]
    for seen in ("hide", "show"):
        ranked = served.fold_in(["Crash, the film", "Alien", "Alien"], k=3, seen=seen)
        left = [item for item in range(8) if seen == "show" or item not in given]
        best = sorted(left, key=lambda item: (-float(scores[item]), item))[:3]
        assert [item for item, _ in ranked] == [FILMS[item] for item in best]
        assert [score for _, score in ranked] == scores[best].tolist()
    printed = answer(capsys, f"run={named}", "items=Crash, the film", "format=csv", "top=1")
    assert re.fullmatch(r"user,rank,item,score\n,1,\w+,\S+\n", printed)
    planted = load(trained)
    scores = planted._model.fold_in([torch.tensor([3, 23, 43])])[0]
    best = planted.fold_in([3, 23, 43], k=1)[0]
    assert int(best.item) == int(scores.index_fill(0, torch.tensor([3, 23, 43]), -torch.inf).argmax())


def test_a_model_without_fold_in_says_so(trained: Path, monkeypatch: pytest.MonkeyPatch):
    def without(self: LightGCN, items: object) -> None:
        raise NotImplementedError("This cannot embed users that it was not fitted with.")

    monkeypatch.setattr(LightGCN, "embed_users", without)
    with pytest.raises(RequestError, match="cannot embed users that it was not fitted with. Ask for a known one by user="):
        load(trained).fold_in(["3"])


def test_text(named: Path, trained: Path, capsys: pytest.CaptureFixture[str]):
    printed = answer(capsys, f"run={trained}", "user=7", "top=2", "seed=1")
    best = load(trained, seed=1).top("7", k=2)
    assert printed.startswith("user 7\n") and re.search(r"rank +item +score\n", printed)
    assert re.search(rf"\n +1 +{best[0].item} +{best[0].score:.6g}\n +2 +{best[1].item} ", printed)
    assert "recall" not in printed
    everything = ",".join(f'"{film}"' if "," in film else film for film in FILMS)
    printed = answer(capsys, f"run={named}", f"items={everything}")
    assert printed == "new user\nno item is left: seen=show ranks those that the user has\n\n"


# --------------------------------------------------------------------------------------------------------------- files


def test_lists_of_all_users(trained: Path, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(serving, "BLOCK", 128)  # four blocks
    path = tmp_path / "top.csv"
    said = answer(capsys, f"run={trained}", "users=all", f"out={path}", "top=3")
    assert said == f"wrote the best 3 items of 500 users, 1,500 rows, to {path}\n"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["user"] for row in rows[::3]] == [str(user) for user in range(500)]
    served = load(trained)
    for user in (0, 127, 128, 499):
        expected = [(str(rank), item, score) for rank, (item, score) in enumerate(served.top(user, k=3), start=1)]
        found = [(row["rank"], row["item"], float(np.float32(row["score"]))) for row in rows if row["user"] == str(user)]
        assert found == expected


def test_lists_of_some_users(named: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "some.txt").write_text("\ufeffuser 5\n\nuser 2\n", encoding="utf-8")  # as some editors begin a file
    asked = [f"run={named}", f"users={tmp_path / 'some.txt'}", f"out={tmp_path / 'top.csv'}"]
    facts = json.loads(answer(capsys, *asked, "format=json"))
    rows = list(csv.DictReader((tmp_path / "top.csv").read_text().splitlines()))
    assert (facts["users"], facts["rows"]) == (2, len(rows))
    assert list(dict.fromkeys(row["user"] for row in rows)) == ["user 5", "user 2"]
    (tmp_path / "some.txt").write_text("user 5\nuser 9\n")
    assert f"users={tmp_path / 'some.txt'}, line 2: no user 'user 9'" in refusal(capsys, *asked)
    (tmp_path / "some.txt").write_text("user 5\n" + "\x1b[2J" * 100_000 + "\n")
    message = refusal(capsys, *asked)
    assert "line 2: no user '\\x1b[2J" in message and "(400,000 characters)" in message and len(message) < 500
    (tmp_path / "some.txt").write_text("\ufeffuser 5\n")
    assert json.loads(answer(capsys, *asked, "format=json"))["users"] == 1
    (tmp_path / "some.txt").write_text("\n")
    assert "it is empty" in refusal(capsys, *asked)
    os.mkfifo(tmp_path / "pipe")
    assert "cannot read it (it is no ordinary file)" in refusal(capsys, asked[0], f"users={tmp_path / 'pipe'}", asked[2])
    assert "cannot read it (No such file" in refusal(capsys, asked[0], "users=none.txt", asked[2])
    assert "there is no folder" in refusal(capsys, *asked[:2], f"out={tmp_path / 'no' / 'top.csv'}")


def test_names_with_quotes(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    users, items = ("'tis", '"Q"', "o'neil", "[x"), ("it's", "'a'", "{b", "c")
    rows = [(user, item) for u, user in enumerate(users) for i, item in enumerate(items) if u != i]
    with (tmp_path / "ratings.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("user", "item"), *rows])
    data = {"interactions": str(tmp_path / "ratings.csv"), "split": [0.4, 0.3, 0.3]}
    folder = run("recommend", "custom", "mostpop", data=data, out=str(tmp_path / "runs"), device="cpu").folder
    for user in users:
        found = json.loads(answer(capsys, f"run={folder}", f"user={user}", "format=json"))
        assert [one["user"] for one in found["lists"]] == [user]
    assert json.loads(answer(capsys, f"run={folder}", "items='a'", "format=json"))["lists"][0]["user"] is None


def test_embeddings(trained: Path, named: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "emb.npz"
    said = answer(capsys, f"run={trained}", "export=embeddings", f"out={path}")
    assert said == f"wrote embeddings of 500 users and 500 items, 8 channels, to {path}\n"
    with np.load(path) as stored:
        scores = stored["users"] @ stored["items"].T
        assert stored["user_names"].tolist() == stored["item_names"].tolist() == [str(number) for number in range(500)]
    best = load(trained).top("7", k=1, seen="show")[0]
    assert scores[7].argmax() == int(best.item) and scores[7].max() == pytest.approx(best.score)
    mistake = refusal(capsys, f"run={named}", "export=embeddings", f"out={path}")
    assert mistake.startswith("ItemKNN scores without embeddings")


# --------------------------------------------------------------------------------------------------------------- index


def test_an_index_reports_its_recall(trained: Path, named: Path, capsys: pytest.CaptureFixture[str]):
    pytest.importorskip("faiss")
    asked = [f"run={trained}", "user=7,8", "top=5", "index=faiss", "index_kind=ivf", "index_sample=100", "format=json"]
    found = json.loads(answer(capsys, *asked, "index_effort=500"))
    assert found["recall"] == {"value": 1.0, "top": 5, "users": 100}
    exact = load(trained)
    assert [[one["item"] for one in entry["top"]] for entry in found["lists"]] == [
        [item for item, _ in exact.top(user, k=5)] for user in (7, 8)
    ]
    narrow = json.loads(answer(capsys, *asked, "index_effort=1"))
    assert 0 < narrow["recall"]["value"] < 1
    printed = answer(capsys, *asked[:4], "index_sample=100", "seen=show")
    assert re.search(r"recall@5 of the hnsw index against exact search: (1\.0000|0\.\d{4}), over 100 users\n$", printed)
    assert "ItemKNN scores without embeddings" in refusal(capsys, f"run={named}", "user=user 1", "index=faiss")


def test_fold_in_through_an_index(trained: Path):
    pytest.importorskip("faiss")
    served = load(trained)
    exact = served.fold_in(["3", "23", "43"], k=4)
    served.build_index("ivf", effort=500)
    assert [item for item, _ in served.fold_in(["3", "23", "43"], k=4)] == [item for item, _ in exact]
    with pytest.raises(RequestError, match="there is no index to measure"):
        load(trained).recall()


# ------------------------------------------------------------------------------------------------- runs that cannot do


def test_runs_without_weights(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert refusal(capsys, f"run={trained}", "user=7", "seed=2") == f"seed=2: {trained} has 0, 1"
    folder = copied(trained, tmp_path)
    weights = folder / "seed-0" / "best.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1])
    assert f"{weights} is truncated or was changed" in refusal(capsys, f"run={folder}", "user=7", "seed=0")
    weights.unlink()
    assert f"{weights} is missing" in refusal(capsys, f"run={folder}", "user=7", "seed=0")
    shutil.copy(trained / "seed-1" / "best.safetensors", weights)
    (folder / "result.json").unlink()
    assert refusal(capsys, f"run={folder}", "user=7").startswith(f"{folder} has no finished weights")


def test_files_of_another_run(trained: Path, tmp_path: Path):
    folder = copied(trained, tmp_path)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["model"]["num_layers"] = 1
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(CheckpointError, match="config.yaml is truncated or was changed"):
        load(folder)
    (folder / "digests.json").unlink()  # as folders were before there were digests
    with pytest.raises(CheckpointError, match="other settings"):
        load(folder)
    (folder / "config.yaml").write_text("task: {name: recommend}\n")
    with pytest.raises(CheckpointError, match="truncated"):
        load(folder)


def test_the_weights_alone_do(trained: Path, tmp_path: Path):
    folder = copied(trained, tmp_path)
    expected = load(trained, seed=0).top("7")
    for name in ("predictions.npz", "last.ckpt"):
        (folder / "seed-0" / name).unlink()
    assert load(folder, seed=0).top("7") == expected
    for broken in (b"no archive", b""):
        (folder / "seed-0" / "predictions.npz").write_bytes(broken)
        with pytest.raises(CheckpointError, match="predictions.npz is truncated or was changed"):
            load(folder, seed=0)


def test_data_that_moved_or_changed(named: Path, ratings: Path, tmp_path: Path):
    moved = Path(shutil.copy(ratings, tmp_path / "moved.csv"))
    assert load(named, interactions=str(moved)).top("user 0") == load(named).top("user 0")
    lines = moved.read_text().splitlines()
    moved.write_text("\n".join([*lines, f"user 0,{FILMS[7]}", f"user 2,{FILMS[6]}", f"user 4,{FILMS[5]}"]) + "\n")
    with pytest.raises(
        CheckpointError, match=r"data.interactions=.*moved.csv is not the file that the run read .\d+ bytes, not"
    ):
        load(named, interactions=str(moved))
    old = copied(named, tmp_path)
    (old / "data.json").unlink()
    make_old(old)
    with pytest.raises(CheckpointError, match="the data of .* has changed since the run"):
        load(old, interactions=str(moved))


def test_what_libraries_print_does_not_reach_stdout(named: Path, capsys, monkeypatch: pytest.MonkeyPatch):
    def chatty(*arguments: object, **settings: object) -> serving.Served:
        print("hello from a library")
        return load(*arguments, **settings)

    monkeypatch.setattr(door, "load", chatty)
    assert main([f"run={named}", "user=user 1", "format=json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out) and "hello" in printed.err
