"""A sweep that is killed loses and repeats no trial; two processes on one storage share the work."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("optuna", reason="needs the extra hpo")

from graphkit.sweep import sweep  # noqa: E402
from graphkit.sweeps.record import Record  # noqa: E402
from graphkit.sweeps.sampling import propose  # noqa: E402
from tests.sweeps.forks import RANGES, SETTINGS  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked and locked as on Unix"),
]


def forks(what: str, out: Path) -> Any:
    command = [sys.executable, "-W", "ignore", "-m", "tests.sweeps.forks", what, str(out)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def trials(folder: str) -> list[tuple[object, ...]]:
    """Number, settings, validation metric of each trial in sweep.json."""
    stored = json.loads((Path(folder) / "sweep.json").read_text())
    return [(one["number"], one["values"], one["valid"], one["per_seed"]) for one in stored["trials"]]


def carried_out(said: list[str]) -> list[int]:
    return [int(found[1]) for line in said if (found := re.match(r"trial (\d+),", line))]


def test_ten_kills(tmp_path: Path):
    told = forks("killed", tmp_path / "killed")
    whole = sweep(overrides=[*SETTINGS, *RANGES, "trials=30"], out=str(tmp_path / "whole"))
    assert whole is not None
    assert trials(told["folder"]) == [(t.number, dict(t.values), t.valid, list(t.per_seed)) for t in whole.trials]
    assert [number for number, *_ in trials(told["folder"])] == list(range(30))
    assert 10 <= told["finished_before"] < 30  # the kills fell among the trials
    runs = list((Path(told["folder"]) / "trials").glob("*/*/result.json"))
    assert len(runs) == len({place.parent.parent for place in runs}) == 30  # one finished run a trial
    said = carried_out(told["said"])
    assert len(said) == len(set(said))  # no trial was carried out twice; one killed before it spoke is not among them
    assert len(list((Path(told["folder"]) / "trials").glob("*/*/config.yaml"))) == 30


def test_two_processes_share_the_work(tmp_path: Path):
    told = forks("shared", tmp_path / "shared")
    one, other = map(carried_out, told["said"])
    assert one and other and sorted(one + other) == list(range(12))
    request = Record.open(Path(told["folder"])).request
    alone = [propose(request, number, (), metric="accuracy") for number in range(12)]
    assert [values for _, values, *_ in trials(told["folder"])] == alone
    reports = sum(
        "run in other processes" in line or "another process writes" in line for said in told["said"] for line in said
    )
    assert reports == 1  # the other one wrote the report
