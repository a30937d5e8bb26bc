"""TEDDY and STABLE over shares, on karate for a moment: rows, page, record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import poisoning, sparsification

SMALL = ["--dataset", "karate", "--seeds", "1", "--epochs", "2"]


@pytest.mark.parametrize(
    ("command", "shares", "rows"),
    [(sparsification, ["0.5"], 3), (poisoning, ["0", "0.3"], 2)],
    ids=["sparsification", "poisoning"],
)
def test_a_row_per_share(command, shares, rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setitem(sparsification.VARIANTS, "edges, weights, teacher", {"weights": 0.5, "distill": 1.0, "dense_epochs": 1})
    assert command.main([*SMALL, "--shares", *shares, "--write", "--out", str(tmp_path)]) == 0
    record = json.loads((tmp_path / "karate-gcn.json").read_text())
    assert len(record["rows"]) == rows and record["epochs"] == 2
    page = (tmp_path / "README.md").read_text()
    assert page.count("\n| ") == rows + 1 and page.strip() in capsys.readouterr().out


def test_a_wrong_request_is_told(capsys):
    assert sparsification.main(["--dataset", "ogbl-ddi", "--shares", "0.5"]) == 2
    assert "error:" in capsys.readouterr().err
