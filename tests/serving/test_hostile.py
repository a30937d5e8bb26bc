"""What other programs make of our files, and we of files that are not ours."""

import csv
from pathlib import Path

import numpy as np
import pytest

from graphkit.errors import CheckpointError
from graphkit.predict import load, main
from graphkit.run import run
from tests.training.test_digests import make_old


def test_odd_lists_of_an_old_run(tmp_path: Path):
    """Without digests the lists are looked at: nothing but one sentence, and no answer from other data."""
    folder = run("recommend", "planted-interactions", "mostpop", out=str(tmp_path / "runs"), device="cpu").folder
    path = folder / "seed-0" / "predictions.npz"
    with np.load(path) as arrays:
        whole = dict(arrays)
    expected = load(folder, seed=0).top("7")
    make_old(folder)
    assert load(folder, seed=0).top("7") == expected
    odd = (
        np.array(3),
        np.array(["x"]),
        np.zeros((0,)),
        whole["valid_items"] + 10**9,
        whole["valid_items"] * 0.5,
        np.ones(4, int),
    )
    contents = [{**whole, name: value} for name in ("valid_users", "valid_items") for value in odd] + [{}]
    for content in contents:
        np.savez(path, **content)
        with pytest.raises(CheckpointError, match="predictions.npz is damaged|the data of .* has changed"):
            load(folder, seed=0)
    np.save(folder / "seed-0" / "plain.npy", np.ones(3))
    for data in (b"no archive", b"", (folder / "seed-0" / "plain.npy").read_bytes(), b"PK\x03\x04" + bytes(40)):
        path.write_bytes(data)
        with pytest.raises(CheckpointError, match="predictions.npz is damaged"):
            load(folder, seed=0)


def test_cells_that_a_spreadsheet_would_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    names = ["=1+1", "@x", "-2", "'quoted", "plain", "+3"]
    path = tmp_path / "taken.csv"
    with path.open("w", newline="") as file:
        rows = [(user, item) for a, user in enumerate(names) for b, item in enumerate(names) if (a + b) % 3]
        csv.writer(file).writerows([("user", "item"), *rows])
    data = {"interactions": str(path), "split": [0.4, 0.3, 0.3]}
    folder = run("recommend", "custom", "mostpop", data=data, out=str(tmp_path / "runs"), device="cpu").folder
    assert main([f"run={folder}", "users=all", f"out={tmp_path / 'top.csv'}", "seen=show"]) == 0
    capsys.readouterr()
    assert main([f"run={folder}", "user=-2", "seen=show", "format=csv"]) == 0
    printed = capsys.readouterr().out
    for text in ((tmp_path / "top.csv").read_text(), printed):
        found = list(csv.DictReader(text.splitlines()))
        cells = {row[key] for row in found for key in ("user", "item")}
        assert cells >= {"'=1+1", "'@x", "'-2", "''quoted", "plain", "'+3"}
        assert {row["item"].removeprefix("'") for row in found} == set(names)
    assert {row["user"].removeprefix("'") for row in csv.DictReader((tmp_path / "top.csv").read_text().splitlines())} == set(
        names
    )
