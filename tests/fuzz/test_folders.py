"""A seeded part of the fuzzing of run folders."""

import pytest

from tests.fuzz import folders
from tests.fuzz.harness import run_cases


@pytest.mark.slow
def test_no_broken_folder_gives_another_answer(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report = run_cases("folders", folders.case, range(30))
    assert not report.failures, "\n".join(f"{what}: --folders 1 --seed {number}" for number, what in report.failures)
    assert {"refused", "same result"} <= report.outcomes.keys() and list(tmp_path.iterdir()) == []
