"""The whole way: a recommendation from the command line to its files."""

import json

import numpy as np
import pytest

from graphkit.run import main

ASKED = [
    "task=recommend",
    "dataset=planted-interactions",
    "train.lr=0.02",
    "train.batch_size=512",
    "device=cpu",
    "progress=false",
]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_lightgcn_finds_the_communities(elsewhere, capsys):
    assert main([*ASKED, "train.epochs=3", "train.eval_every=3", "format=json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["metric"] == "recall@20" and result["metrics"]["test"]["recall@20"]["mean"] > 85
    assert "held-out ones in no graph" in result["protocol"]
    (folder,) = (elsewhere / "runs").iterdir()
    arrays = np.load(folder / "seed-0" / "predictions.npz")
    assert arrays["test_items"].shape == (len(arrays["test_users"]), 20)


def test_selecting_on_test_is_said(capsys):
    assert main([*ASKED, "train.epochs=1", "task.protocol=lightgcn"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "the epoch is SELECTED ON TEST" in printed
    valid, test = printed.split("recall@20")[1].split()[:2]
    assert valid == test


def test_a_run_repeats(capsys):
    asked = [*ASKED, "train.epochs=4", "format=json", "model.hidden_channels=8"]
    assert main(asked) == 0
    whole = json.loads(capsys.readouterr().out)
    assert main(asked) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["metrics"] == whole["metrics"]


def test_dry_run(capsys):
    assert main([*ASKED, "--dry-run", "format=json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["message_passing_edges"] == 2 * facts["splits"]["train"]
    assert facts["batches_per_epoch"] == -(-facts["splits"]["train"] // 512)


def test_own_interactions(elsewhere, capsys):
    rows = [f"{user},{item},{(user * 7 + item) % 11}" for user in range(40) for item in range(30) if (user + item) % 3 == 0]
    (elsewhere / "ratings.csv").write_text("\n".join(["user,film,when", *rows]) + "\n")
    own = ["dataset=custom", "data.interactions=ratings.csv", "data.item_column=film", "data.time_column=when"]
    asked = [*ASKED[:1], *own, *ASKED[2:], "train.epochs=1", "model=lightgcn"]
    assert main([*asked, "format=json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert "by time at one date for all" in result["protocol"] and result["split"] == "time_split=global"
    assert main([*asked, "data.time_split=user"]) == 0
    assert "metric, time_split=user" in capsys.readouterr().out
    folder = max((elsewhere / "runs").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    assert "<th>split (time_split=user)</th>" in (folder / "report.html").read_text()
    assert main([*ASKED[:1], *own[:2], "train.epochs=1"]) == 2
    assert "needs one column 'item'" in capsys.readouterr().err


def test_items_that_training_lacks_are_told(elsewhere, capsys):
    rows = [f"{user},{item},{item}" for user in range(12) for item in range(9)] + [f"{user},new{user},10" for user in range(12)]
    (elsewhere / "taken.csv").write_text("\n".join(["user,item,when", *rows]) + "\n")
    own = ["task=recommend", "dataset=custom", "data.interactions=taken.csv", "model=mostpop"]
    own += ["data.time_column=when", "data.time_split=user"]
    assert main([*own, "format=json"]) == 0
    printed = capsys.readouterr()
    assert "note: Without any training interaction: 14 of 21 items.\n" in printed.err  # of each user's ten the latest three
    assert json.loads(printed.out)["notes"][0] == "Without any training interaction: 14 of 21 items."


def test_ease_that_is_too_large_is_a_wrong_request(capsys):
    assert main([*ASKED[:2], "model=ease", "model.max_memory_gb=0.0009"]) == 2
    assert "error: ease inverts a dense matrix of 500 x 500 items, which needs 0.001 GB" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.data("LightGCN")
def test_ease_on_gowalla_says_beforehand_what_it_needs(data_root, capsys):
    assert main(["task=recommend", "dataset=gowalla", "model=ease", f"data.root={data_root}"]) == 2
    assert "40,981 x 40,981 items, which needs 6.72 GB of memory" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.data("LightGCN")
def test_ease_on_lastfm(data_root, capsys):
    """A closed form that knows who takes what together finds far more than what is popular."""
    found = {}
    for model in ("ease", "mostpop"):
        assert main(["task=recommend", "dataset=lastfm", f"model={model}", f"data.root={data_root}", "format=json"]) == 0
        printed = capsys.readouterr()
        found[model] = json.loads(printed.out)["metrics"]["test"]["recall@20"]["mean"]
        assert "note: Without any training interaction: 14 of 1,892 users and " in printed.err
    assert found["ease"] > 1.5 * found["mostpop"] > 0
