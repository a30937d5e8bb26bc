import csv
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphkit.training import table
from graphkit.training.table import as_text, cells, disarmed, write_table


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=6)))
def test_exact_names_come_back_and_none_is_a_formula(names: list[str]):
    safe = disarmed(as_text(names)).tolist()
    assert [cell.removeprefix("'") for cell in safe] == names
    for name, cell in zip(names, safe, strict=True):
        assert cell == (f"'{name}" if name[:1] and name[0] in "=+-@\t\r'" else name)


def test_every_kind_of_column():
    for kind in (np.array(["=a", "b"]), np.array(["=a", "b"], dtype=object), as_text(["=a", "b"])):
        assert cells(kind) == ["'=a", "b"]
    assert cells(np.array([-1, 2])) == [-1, 2]  # numbers are no formulas
    assert cells(np.array([0.1, -3e-9], dtype=np.float32)) == ["0.1", "-3e-09"]
    assert cells(np.array([0.1])) == ["0.1"]


def test_blocks_make_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(table, "_BLOCK", 3)
    names, scores = [f"n,{number}\n" for number in range(8)], np.linspace(0, 1, 8, dtype=np.float32)
    write_table(tmp_path / "t.csv", {"=name": as_text(names), "score": scores, "rank": np.arange(8)})
    header, *rows = csv.reader(io.StringIO((tmp_path / "t.csv").read_bytes().decode(), newline=""))
    assert header == ["'=name", "score", "rank"]
    assert [(name, np.float32(score), int(rank)) for name, score, rank in rows] == list(
        zip(names, scores, range(8), strict=True)
    )


def test_what_fails_leaves_the_earlier_file(tmp_path: Path):
    path = tmp_path / "t.csv"
    path.write_text("old")
    with pytest.raises(ValueError, match="shorter"):
        write_table(path, {"a": np.arange(3), "b": np.arange(2)})
    with pytest.raises(OSError, match="no/t.csv"):
        write_table(tmp_path / "no" / "t.csv", {"a": np.arange(3)})
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
