"""Recorded figures that must come back: nothing is recorded unasked, and rows that changed are marked."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from benchmarks.reproduce import rerun
from benchmarks.reproduce.__main__ import Places, main
from benchmarks.reproduce.record import Record, read_record
from benchmarks.reproduce.rerun import Candidate, candidates
from benchmarks.reproduce.table import load_table
from graphkit.errors import DataError

TRAINED = {"task": "link", "dataset": "karate", "model": "ncn", "seeds": 2, "metric": "roc-auc",
           "overrides": {"model.hidden_channels": 8, "train.epochs": 8, "train.patience": 1,
                         "train.batch_size": 16}}  # fmt: skip
COUNTED = {"task": "link", "dataset": "karate", "model": "cn", "seeds": 2, "metric": "roc-auc"}


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    """A table whose row of common neighbors is recorded."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tables").mkdir()
    found = Places(tmp_path / "tables", tmp_path / "results", tmp_path / "runs/reproduce")
    text = yaml.safe_dump({"title": "A tiny table", "rows": [TRAINED, COUNTED]})
    (found.tables / "tiny.yaml").write_text(text)
    assert main(["tiny", "--only", "karate/cn", "--write"], found) == 0
    return found


def path_of(places: Places, model: str = "cn") -> Path:
    return places.results / f"tiny/link-karate-{model}.json"


def change(places: Places, model: str = "cn", **environment: object) -> bytes:
    """Give the record's first seed another figure, as if the code had changed since."""
    raw = json.loads(path_of(places, model).read_text())
    raw["metrics"]["test"]["roc-auc"]["per_seed"][0] -= 1.0
    raw["environment"] |= environment
    path_of(places, model).write_text(json.dumps(raw))
    assert main(["tiny", "--render"], places) == 0
    return path_of(places, model).read_bytes()


def page(places: Places) -> str:
    return (places.results / "tiny/README.md").read_text()


# ------------------------------------------------------------------------------------------------------ what is recorded


def test_nothing_is_recorded_unasked(places: Places, capsys: pytest.CaptureFixture[str]):
    files = {path: path.read_bytes() for path in places.results.rglob("*.*")}
    assert main(["tiny"], places) == 0
    assert "karate/ncn: no result is recorded yet; --write records this one" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in places.results.rglob("*.*")} == files


def test_other_figures_than_recorded_are_told_and_written_only_when_asked(places: Places, capsys: pytest.CaptureFixture[str]):
    ours = json.loads(path_of(places).read_text())["metrics"]["test"]["roc-auc"]["per_seed"]
    changed = change(places)
    assert main(["tiny", "--only", "karate/cn"], places) == 1
    told = (
        f"karate/cn: 1 of 2 seeds differ from what is recorded, seed 0: test roc-auc {ours[0]:.6g} instead of {ours[0] - 1:.6g}"
    )
    assert told in capsys.readouterr().err and path_of(places).read_bytes() == changed
    assert main(["tiny", "--only", "karate/cn", "--write"], places) == 0
    assert json.loads(path_of(places).read_text())["metrics"]["test"]["roc-auc"]["per_seed"] == ours

    raw = json.loads(path_of(places).read_text())
    path_of(places).write_text(json.dumps({**raw, "seeds": [5, 6]}))
    assert main(["tiny", "--only", "karate/cn"], places) == 1
    assert "a run of other seeds or epochs is recorded" in capsys.readouterr().err


# ---------------------------------------------------------------------------------------------------------------- reruns


def test_figures_that_come_back(places: Places, capsys: pytest.CaptureFixture[str]):
    before = path_of(places).read_bytes()
    assert main(["tiny", "--check", "--rerun"], places) == 0
    assert "[1/1] karate/cn: seed 0 gives the same" in capsys.readouterr().err and path_of(places).read_bytes() == before
    assert main(["tiny", "--check", "--rerun", "--write"], places) == 0
    record = read_record(path_of(places))
    assert record is not None and record.rerun is not None and record.rerun.same and not record.stale
    assert record.rerun.metrics == record.result.of_seed(0) and "| seed 0: the same, " in page(places)
    assert "†" not in page(places) and main(["tiny", "--check"], places) == 0
    assert not list(Path("runs").glob("link-*"))  # a rerun leaves no run folder


def test_a_stale_row_is_found_and_marked(places: Places, capsys: pytest.CaptureFixture[str]):
    changed = change(places)
    metrics = json.loads(changed)["metrics"]
    first = metrics["test"]["roc-auc"]["per_seed"][0]
    assert main(["tiny", "--check", "--rerun"], places) == 1
    found = f"test roc-auc {first + 1:.6g} instead of {first:.6g}"
    advice = "run the row again: python -m benchmarks.reproduce tiny --only karate/cn --write, or mark it by --write"
    assert f"error: karate/cn is stale, seed 0: {found}; {advice}" in capsys.readouterr().err
    assert path_of(places).read_bytes() == changed and "†" not in page(places)

    assert main(["tiny", "--check", "--rerun", "--write"], places) == 1
    assert json.loads(path_of(places).read_text())["metrics"] == metrics
    cell = f"{metrics['test']['roc-auc']['mean']:.2f} ± {metrics['test']['roc-auc']['std']:.2f} †"
    assert cell in page(places) and "† stale: " in page(places) and f"| seed 0: {found}, " in page(places)
    assert main(["tiny", "--check"], places) == 0
    assert main(["tiny", "--check", "--rerun"], places) == 0  # it does not claim to be fresh any more

    assert main(["tiny", "--only", "karate/cn", "--write"], places) == 0  # run again, it is
    assert "†" not in page(places) and "rerun" not in json.loads(path_of(places).read_text())


def test_a_stale_row_is_not_read_from_its_old_run(places: Places):
    raw = json.loads(path_of(places).read_text())
    mark = {"seed": 0, "commit": "c" * 40, "device": "this", "same": False, "metrics": {"test": {"roc-auc": 1.0}}}
    path_of(places).write_text(json.dumps({**raw, "rerun": mark}))
    runs = places.runs / "tiny/link-karate-cn"
    assert main(["tiny", "--only", "karate/cn", "--write"], places) == 0
    assert len(list(runs.iterdir())) == 2 and "rerun" not in json.loads(path_of(places).read_text())
    assert main(["tiny", "--only", "karate/cn", "--write"], places) == 0
    assert len(list(runs.iterdir())) == 2


@pytest.mark.parametrize(("there", "status"), [(0.0, 0), (1.0, 1), (None, 0)])
def test_on_another_device_the_recorded_commit_decides(
    places: Places, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], there: float | None, status: int
):
    change(places, device="another processor")

    def recorded_commit(candidate: Candidate, scratch: Path) -> object:
        now = json.loads(path_of(places).read_text())["metrics"]["test"]["roc-auc"]["per_seed"][0] + 1.0
        metrics = {**candidate.recorded, "test": {**candidate.recorded["test"], "roc-auc": now + (there or 0.0)}}
        return None if there is None else metrics

    monkeypatch.setattr(rerun, "_run_recorded_commit", recorded_commit)
    assert main(["tiny", "--check", "--rerun", "--write"], places) == status
    printed, record = capsys.readouterr().err, read_record(path_of(places))
    assert record is not None and record.stale == (there == 1.0)
    assert (record.rerun is None) == (there is None) == ("not judged" in printed)


def test_random_streams_of_another_version_are_stale_without_a_rerun(places: Places, capsys: pytest.CaptureFixture[str]):
    change(places, random_streams=0)
    assert "†" in page(places) and "| other random streams |" in page(places)
    assert main(["tiny", "--check", "--rerun"], places) == 0 and "karate/cn" not in capsys.readouterr().err


def test_the_cheapest_seed_of_the_cheapest_row_comes_first(places: Places, capsys: pytest.CaptureFixture[str]):
    assert main(["tiny", "--only", "karate/ncn", "--write"], places) == 0
    raw = json.loads(path_of(places, "ncn").read_text())
    path_of(places, "ncn").write_text(json.dumps({**raw, "best_epochs": [7, 2], "seconds": 88.0}))
    table = load_table(places.tables, "tiny")
    first, second = candidates(table, table.rows, places.results)
    assert (first.row.model, first.seed) == ("cn", 0)
    assert (second.row.model, second.seed, second.seconds) == ("ncn", 1, 24.0)  # 8 and 3 of 11 epochs in 88 s
    capsys.readouterr()
    assert main(["tiny", "--check", "--rerun", "--minutes", "0.35"], places) == 1  # the page is another by now
    assert "1 of 2 rows were not run again in 0.35 minutes" in capsys.readouterr().err


def test_a_row_that_cannot_be_run_is_no_stale_row(
    places: Places, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def absent(*_: object) -> None:
        raise DataError("its file is missing")

    monkeypatch.setattr(rerun, "_run_here", absent)
    assert main(["tiny", "--check", "--rerun"], places) == 0
    assert "warning: karate/cn could not be run again: its file is missing" in capsys.readouterr().err


def test_a_checkout_of_a_commit(tmp_path: Path):
    here = Path(rerun.__file__).parent
    asked = subprocess.run(["git", "-C", str(here), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    if asked.returncode:
        pytest.skip("not in a git checkout")
    commit = asked.stdout.strip()
    folder = rerun._checkout(commit, tmp_path)
    assert rerun._output(["git", "rev-parse", "HEAD"], folder).strip() == commit and (folder / "graphkit/run.py").exists()
    assert rerun._checkout(commit, tmp_path) == folder


def test_a_commit_that_is_not_there_decides_nothing(places: Places, tmp_path: Path):
    table = load_table(places.tables, "tiny")
    (candidate,) = candidates(table, table.rows, places.results)
    for git in (None, {"commit": "0" * 40, "dirty": False}):
        record = candidate.record
        other = Record(record.command, (), record.settings, {**record.environment, "git": git}, record.result)
        assert rerun._run_recorded_commit(Candidate(candidate.row, other, 0, 1.0), tmp_path) is None


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--rerun"], "--rerun goes with --check, and --minutes with both"),
        (["--check", "--minutes", "1"], "--rerun goes with --check, and --minutes with both"),
        (["--check", "--rerun", "--minutes", "0"], "--minutes 0: expected a number above 0"),
    ],
)
def test_flags_that_do_not_go_together(places: Places, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str):
    assert main(["tiny", *arguments], places) == 2
    assert capsys.readouterr().err == f"error: {says}\n"
