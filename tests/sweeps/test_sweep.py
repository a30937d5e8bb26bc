"""The door to sweeps, and what a sweep reads, writes and refuses; trials run in this process."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("optuna", reason="needs the extra hpo")

from graphkit.errors import CheckpointError, RequestError, RunError  # noqa: E402
from graphkit.run import run  # noqa: E402
from graphkit.sweep import main, sweep  # noqa: E402
from graphkit.sweeps import worker  # noqa: E402
from graphkit.sweeps.record import Record, run_folder  # noqa: E402
from graphkit.sweeps.trial import SweepResult  # noqa: E402
from graphkit.training.result import RunResult  # noqa: E402

FIXED = ["task=node", "dataset=karate", "model=gcn", "train.epochs=2", "device=cpu", "progress=false"]
GRID = ["model.dropout=0.1,0.5", "train.lr=choice(1e-2,1e-1)"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def searched(*arguments: str) -> SweepResult:
    found = sweep(overrides=[*FIXED, *arguments])
    assert found is not None
    return found


class Killed(BaseException):
    """The end of a process, which no `except Exception` hears."""


def test_a_sweep_from_the_command_line(capsys: pytest.CaptureFixture[str]):
    assert main([*FIXED, *GRID, "final_seeds=2", "out=tuned"]) == 0
    printed = capsys.readouterr()
    (folder,) = Path("tuned").iterdir()
    stored = json.loads((folder / "sweep.json").read_text())
    assert len({tuple(trial["values"].values()) for trial in stored["trials"]}) == 4  # the whole grid
    best = max(stored["trials"], key=lambda trial: trial["valid"])
    assert stored["best"] == best["number"] and stored["trials"][stored["best"]]["valid"] == best["valid"]
    assert stored["result"]["seeds"] == [0, 1] and "winner: trial" in printed.out
    for trial in stored["trials"]:  # ordinary runs, whose figures are those of the same request to graphkit.run
        own = json.loads((folder / trial["folder"] / "result.json").read_text())
        assert own["metrics"]["valid"]["accuracy"]["mean"] == trial["valid"]
        assert own["settings"]["model"]["dropout"] == trial["values"]["model.dropout"]
    said = shlex.split(stored["command"])
    assert said[:3] == ["python", "-m", "graphkit.run"] and said[3:] == [
        "task=node", "dataset=karate", "model=gcn", "train.epochs=2", "device=cpu",
        f"model.dropout={best['values']['model.dropout']}", f"train.lr={best['values']['train.lr']}", "seeds=2",
    ]  # fmt: skip
    again = run(overrides=said[3:])
    assert again.metrics == stored["result"]["metrics"]
    by_recipe = run("node", "karate", "gcn", recipe=str(folder / "recipe.yaml"), seeds=2, device="cpu")
    assert by_recipe.metrics == again.metrics
    assert run(resume=str(by_recipe.folder)).metrics == again.metrics  # whatever becomes of the recipe's file
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "prefers-color-scheme: dark" in page and "<script" not in page and "http" not in page and "Best by trial" in page
    assert (folder / "trials.csv").read_text().count("\n") == 5
    before = {path: path.stat().st_mtime_ns for path in folder.glob("trials/*/*/result.json")}
    assert main([f"resume={folder}", "format=json"]) == 0  # a finished sweep is only reported
    assert json.loads(capsys.readouterr().out)["result"] == stored["result"]
    assert {path: path.stat().st_mtime_ns for path in folder.glob("trials/*/*/result.json")} == before


def test_no_test_metric_before_the_end(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Trials whose test metric cannot be read: `Sealed` raises. The winner's alone is, after all trials."""

    class Sealed(dict[str, Any]):
        def __getitem__(self, key: str) -> Any:
            assert key != "test", "a sweep looked at the test metric of a trial"
            return super().__getitem__(key)

        def items(self) -> Any:
            raise AssertionError("a sweep looked at the test metric of a trial")

        values = items

    runs: list[RunResult] = []

    def execute(resolved: Any, *further: Any) -> RunResult:
        result = whole(resolved, *further)
        runs.append(result)
        return replace(result, metrics=Sealed(result.metrics)) if len(runs) <= 4 else result

    whole = worker.execute
    monkeypatch.setattr(worker, "execute", execute)
    assert main([*FIXED, *GRID]) == 0
    assert len(runs) == 5 and runs[4].folder in [one.folder for one in runs[:4]]  # the winner's, opened again
    told = capsys.readouterr()
    assert "test" not in told.err and told.out.count("valid") > 1
    (folder,) = Path("runs").glob("sweep-*")
    assert all("test" not in (folder / name).read_text() for name in ("trials.csv", "sweep.yaml"))
    assert "test" not in str(Record.open(folder).finished())
    assert "test" not in json.dumps(json.loads((folder / "sweep.json").read_text())["trials"])


def test_trials_raised_and_a_storage_that_is_gone():
    found = searched("model.dropout=interval(0,0.5)", "sampler=random", "trials=2")
    more = sweep(resume=str(found.folder), trials=3)
    assert more is not None and more.trials[:2] == found.trials and len(more.trials) == 3
    with pytest.raises(RequestError, match="can only add to them"):
        sweep(resume=str(found.folder), trials=1)
    (found.folder / "study.db").unlink()  # all is known from the folders
    assert sweep(resume=str(found.folder)).trials == more.trials  # type: ignore[union-attr]
    moved = sweep(resume=str(found.folder), storage="sqlite:///elsewhere.db")
    assert moved is not None and moved.trials == more.trials and Path("elsewhere.db").is_file()


@pytest.mark.parametrize("moment", ["settings", "run", "row", "written"])
def test_killed_at_any_moment(moment: str, monkeypatch: pytest.MonkeyPatch):
    """After the settings were kept, in the run's second epoch, before the trial's row, after it."""
    from graphkit.training.history import History

    owner, name = {
        "settings": (worker._Worker, "_run"), "run": (History, "append"), "row": (Record, "add"), "written": (Record, "add"),
    }[moment]  # fmt: skip
    original, calls = getattr(owner, name), []

    def kill(*arguments: Any, **named: Any) -> Any:
        calls.append(0)
        if moment == "written" and len(calls) == 2:
            original(*arguments, **named)
        if len(calls) == (4 if moment == "run" else 2):  # of the second trial
            raise Killed
        return original(*arguments, **named)

    arguments = ["model.dropout=interval(0,0.5)", "sampler=tpe", "trials=3"]
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, kill)
        with pytest.raises(Killed):
            searched(*arguments, "out=broken")
    (folder,) = Path("broken").iterdir()
    assert len(Record.open(folder).finished()) == (2 if moment == "written" else 1)
    resumed, whole = sweep(resume=str(folder)), searched(*arguments, "out=whole")
    assert resumed is not None
    assert [(t.number, t.values, t.valid, t.per_seed) for t in resumed.trials] == [
        (t.number, t.values, t.valid, t.per_seed) for t in whole.trials
    ]
    assert len(list(folder.glob("trials/*/*/config.yaml"))) == 3


def test_a_trial_goes_on_with_the_settings_that_it_was_begun_with(monkeypatch: pytest.MonkeyPatch):
    """Whatever the sampler would propose by now, as when another process has finished further trials."""

    def kill(*_: Any, **__: Any) -> Any:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(worker._Worker, "_run", kill)
        with pytest.raises(Killed):
            searched("model.dropout=interval(0,0.5)", "sampler=tpe", "trials=1", "out=begun")
    (folder,) = Path("begun").iterdir()
    settings = folder / "trials" / "0000" / "settings.json"
    settings.write_text(json.dumps({"model.dropout": 0.123}))
    resumed = sweep(resume=str(folder))
    assert resumed is not None and resumed.winner.values == {"model.dropout": 0.123}


def test_a_trial_that_another_process_holds_is_left_to_it(monkeypatch: pytest.MonkeyPatch):
    said: list[str] = []
    monkeypatch.setattr(worker, "propose", lambda *given, **named: {"model.dropout": 0.1})
    with monkeypatch.context() as patch:
        patch.setattr(worker, "execute", _raise)
        with pytest.raises(Killed):
            searched("model.dropout=interval(0,0.5)", "trials=2")
    (folder,) = Path("runs").iterdir()
    script = (
        f"import fcntl, os, sys\nd = os.open({str(folder / 'trials/0000')!r}, os.O_RDONLY)\nfcntl.flock(d, fcntl.LOCK_EX)\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", script + "print('held', flush=True)\nsys.stdin.read()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert other.stdout is not None and other.stdout.readline() == "held\n"
    assert worker.work(Record.open(folder), said.append, False) is None
    assert [trial.number for trial in Record.open(folder).finished()] == [1]
    assert said[-1] == "the last 1 of 2 trials run in other processes, of which the last one reports"
    other.communicate("")
    assert worker.work(Record.open(folder), said.append, False) is not None


def _raise(*given: Any, **named: Any) -> RunResult:
    raise Killed


def failing(kinds: Sequence[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that raise these, one after the other, then succeed."""
    original, left = worker.execute, list(kinds)

    def execute(*given: Any) -> RunResult:
        if left:
            raise left.pop(0)
        return original(*given)

    monkeypatch.setattr(worker, "execute", execute)


def test_a_run_that_fails_is_a_trial_that_failed(monkeypatch: pytest.MonkeyPatch):
    failing([RunError("the loss is not finite")], monkeypatch)
    found = searched(*GRID)
    assert (found.trials[0].valid, found.trials[0].error) == (None, "the loss is not finite") and found.best != 0
    assert "failed" in (found.folder / "report.html").read_text()


def test_all_runs_fail(monkeypatch: pytest.MonkeyPatch):
    failing([RunError("the loss is not finite")] * 4, monkeypatch)
    with pytest.raises(RunError, match="all 4 trials failed, the first one so: the loss is not finite"):
        searched(*GRID)


def test_a_full_disk_fails_no_trial(monkeypatch: pytest.MonkeyPatch):
    full = RunError("disk is full")
    full.__cause__ = OSError(28, "No space left on device")
    failing([full], monkeypatch)
    with pytest.raises(RunError, match="disk is full"):
        searched(*GRID)
    (folder,) = Path("runs").iterdir()
    assert Record.open(folder).finished() == []


def test_an_interrupt_names_the_sweep(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    failing([KeyboardInterrupt()], monkeypatch)  # type: ignore[list-item]
    assert main([*FIXED, *GRID]) == 130
    (folder,) = Path("runs").iterdir()
    assert f"continue with resume={folder}" in capsys.readouterr().err


def test_refusals(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["resume=nowhere"]) == 2
    assert capsys.readouterr().err == "error: nowhere is no folder of a sweep (it has no sweep.yaml): check resume=...\n"
    assert main([*FIXED, *GRID, "storage=sqlite:////nowhere/at/all.db"]) == 2
    assert "storage=sqlite:////nowhere/at/all.db cannot be used" in capsys.readouterr().err
    assert main(["task=recommend", "dataset=planted-interactions", "task.protocol=lightgcn"]) == 2
    assert "would tune on test" in capsys.readouterr().err
    assert not list(Path("runs").glob("*/sweep.yaml"))
    found = searched("model.dropout=choice(0.1)")
    request = found.folder / "sweep.yaml"
    request.write_text(request.read_text().replace("train.epochs: 2", "train.epochs: 3"))
    with pytest.raises(CheckpointError, match="was changed: put it back"):
        sweep(resume=str(found.folder))
    request.write_text("runs: [")
    with pytest.raises(CheckpointError, match="cannot be read"):
        sweep(resume=str(found.folder))


def test_ranges_from_python_and_a_folder_of_any_name():
    found = sweep("node", "karate", {"name": "gcn", "dropout": [0.1, 0.5]}, train={"epochs": 2}, out="a b?c%20#", device="cpu")
    assert found is not None and [trial.values for trial in found.trials] in (
        [{"model.dropout": 0.1}, {"model.dropout": 0.5}], [{"model.dropout": 0.5}, {"model.dropout": 0.1}],
    )  # fmt: skip
    assert (found.folder / "study.db").is_file() and run_folder(found.folder / "trials/0000") is not None


def test_a_recipe_s_file_is_taken_once_and_a_wrong_one_refused(tmp_path: Path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("model: {hidden_channels: 7}\ntrain: {epochs: 2}\n")
    kept = sweep(overrides=["task=node", "dataset=karate", "model=gcn", f"recipe={recipe}", "model.dropout=choice(0.1)"])
    assert kept is not None and "hidden_channels: 7" in kept.recipe.read_text()
    recipe.write_text("model: {hidden: 7, dropout: 3}\n")
    with pytest.raises(RequestError) as caught:
        run("node", "karate", "gcn", recipe=str(recipe))
    assert str(caught.value).splitlines() == [
        f"{recipe}: model=gcn has no setting model.hidden, take it out",
        f"{recipe}: model.dropout=3: expected a number from 0 to 0.999",
    ]
    recipe.write_text("data: {root: x}\n")
    with pytest.raises(RequestError, match="it holds data, expected the sections task, model, train, precision"):
        run("node", "karate", "gcn", recipe=str(recipe))
    with pytest.raises(RequestError, match="cannot be read"):
        run("node", "karate", "gcn", recipe="nowhere.yaml")
