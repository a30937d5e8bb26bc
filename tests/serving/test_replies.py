"""What is printed of lists and tables: numbers as JSON and CSV have them, names that a terminal does not obey."""

from __future__ import annotations

import json

import numpy as np
import pytest

from graphkit.serving.replies import Lists, Rows, Written
from graphkit.training.table import as_text

LISTS = Lists(
    of="user",
    what="item",
    lists=[("ann", [("=1", 2.5), ("x\x1b[2J", -np.inf)]), (None, [])],
    called="user",
    nothing="nothing is left",
    facts={"seed": 0},
    notes=("a note",),
)
ROWS = Rows(
    key="pairs",
    columns={"source": as_text(["a", "b"]), "score": np.array([0.1, -np.inf], dtype=np.float32)},
    facts={"seed": 0},
)


def test_json_has_no_infinity_and_the_shortest_digits() -> None:
    found = json.loads(LISTS.page("json"), parse_constant=pytest.fail)
    assert found == {
        "seed": 0,
        "lists": [
            {"user": "ann", "top": [{"item": "=1", "score": 2.5}, {"item": "x\x1b[2J", "score": None}]},
            {"user": None, "top": []},
        ],
    }
    pairs = json.loads(ROWS.page("json"), parse_constant=pytest.fail)["pairs"]
    assert pairs == [{"source": "a", "score": 0.1}, {"source": "b", "score": None}]


def test_csv_is_safe_in_a_spreadsheet_and_notes_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert LISTS.page("csv").splitlines() == ["user,rank,item,score", "ann,1,'=1,2.5", "ann,2,x\x1b[2J,-inf"]
    assert capsys.readouterr().err == "a note\n"
    assert ROWS.page("csv") == "source,score\na,0.1\nb,-inf\n"


def test_text_shows_names_on_one_line() -> None:
    page = LISTS.page("text")
    assert page.startswith("user ann\n") and "\x1b" not in page and "x\\x1b[2J" in page
    assert page.endswith("new user\nnothing is left\n\na note\n")
    assert [line.split() for line in ROWS.page("text").splitlines()[3:5]] == [["a", "0.1"], ["b", "-inf"]]


def test_what_was_written() -> None:
    reply = Written(sentence="wrote it", facts={"out": "a.csv"}, notes=("a note",))
    assert reply.page("text") == "wrote it\na note\n" and json.loads(reply.page("json")) == {"out": "a.csv"}
