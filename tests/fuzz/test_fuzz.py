"""A seeded part of the fuzzing, and that it finds what it should."""

import sys
from dataclasses import replace

import pytest
import torch

from graphkit.conf import request
from graphkit.data.own.graph import OwnGraph
from graphkit.data.own.table import Table
from tests.fuzz import __main__ as script
from tests.fuzz import harness, overrides, tables
from tests.fuzz.harness import Report, Wrong, check_message, run_cases


def told(report: Report) -> str:
    return "\n".join(f"{what}: python -m tests.fuzz --{report.kind} 1 --seed {number}" for number, what in report.failures)


@pytest.mark.parametrize(("module", "count"), [(overrides, 200), (tables, 150)], ids=["overrides", "tables"])
def test_no_case_fails(module, count, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report = run_cases(module.__name__.rpartition(".")[2], module.case, range(count))
    assert not report.failures, told(report)
    assert {"accepted", "refused"} <= report.outcomes.keys() and min(report.outcomes.values()) > 0
    assert list(tmp_path.iterdir()) == []  # no text was executed: some of them would make a file


def test_a_value_that_is_read_as_another_is_found(monkeypatch):
    real = request.read
    monkeypatch.setattr(request, "read", lambda given, setting: abs(v) + 1 if type(v := real(given, setting)) is int else v)
    assert any("was typed" in what for _, what in run_cases("overrides", overrides.case, range(40)).failures)


def test_an_edge_that_gets_lost_is_found(monkeypatch):
    def losing(*paths, real=tables.read_own, **options) -> OwnGraph:
        own = real(*paths, **options)
        own.data.edge_index = own.data.edge_index[:, :-1]
        return own

    monkeypatch.setattr(tables, "read_own", losing)
    assert any(what.startswith("edges ") for _, what in run_cases("tables", tables.case, range(20)).failures)


def test_a_row_that_gets_lost_is_found(monkeypatch):
    def losing(*asked, real=tables.read_table) -> Table:
        table = real(*asked)
        return replace(table, columns=[column.taken(slice(table.rows - 1)) for column in table.columns])

    monkeypatch.setattr(tables, "read_table", losing)
    assert any("distinct cells for" in what for _, what in run_cases("tables", tables.case, range(20)).failures)


def test_a_traceback_and_a_hang_are_found(monkeypatch):
    monkeypatch.setattr(harness, "SECONDS", 0.05)

    def case(rng):
        if rng.random() < 0.5:
            raise KeyError("missing")
        while True:
            torch.zeros(1)

    report = run_cases("x", case, range(12))
    found = {what.partition(" at ")[0] for _, what in report.failures}
    assert found == {"KeyError('missing')", "no answer within 0.05 s"} and len(report.failures) == 12


@pytest.mark.parametrize("text", ["", "a\n\nb", "a\x1b[2J", "x" * 5000])
def test_a_message_that_cannot_be_read_is_found(text):
    with pytest.raises(Wrong):
        check_message(text)


def test_the_script_tells_how_to_repeat_a_failure(monkeypatch, capsys):
    monkeypatch.setattr(overrides, "case", lambda rng: harness.require(rng.random() > 0.5, "bad") or "good")
    monkeypatch.setattr(sys, "argv", ["fuzz", "--overrides", "20", "--seed", "100"])
    assert script.main() == 1
    first, *failures = capsys.readouterr().out.splitlines()
    assert first.startswith("overrides: ") and " good; " in first and f"{len(failures) // 2} failed" in first
    assert failures[0] == "  bad" and failures[1].startswith("    again: python -m tests.fuzz --overrides 1 --seed 1")
    number = failures[1].rsplit(" ", 1)[1]
    monkeypatch.setattr(sys, "argv", ["fuzz", "--overrides", "1", "--seed", number])
    assert script.main() == 1
