"""A run that was stopped anywhere and resumed ends bit for bit where the unbroken run ends."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from graphkit.errors import CheckpointError, Interrupted
from graphkit.training import runner
from graphkit.training.artifacts import read_config, read_result
from graphkit.training.checkpoint import load_checkpoint, save_checkpoint
from graphkit.training.runner import train_run
from tests.training.compare import assert_same_run, table
from tests.training.fakes import Heuristic, Regression, Scripted, config

ROOT = Path(__file__).parents[2]


pytestmark = pytest.mark.usefixtures("checkpoint_every_epoch")


class Stop:
    """Raises KeyboardInterrupt, as SIGINT does, at the n-th call of a hook."""

    def __init__(self, place, number):
        self.place, self.left = place, number

    def __call__(self, place):
        if place == self.place:
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt


def interrupted_run(settings, make):
    with pytest.raises(Interrupted, match=r"^interrupted; continue with resume=") as caught:
        train_run(settings, make)
    assert caught.value.exit_code == 130
    return Path(str(caught.value).split("resume=", 1)[1])


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    settings = config(tmp_path_factory.mktemp("unbroken"), seeds=2)
    return train_run(settings, Regression).folder


# 6 epochs of 4 steps a seed, an evaluation after each and one at the end
@pytest.mark.parametrize(
    ("place", "number"),
    [("step", 1), ("step", 2), ("step", 11), ("evaluate", 3), ("evaluate", 7), ("predictions", 1), ("step", 24 + 7),
     ("predictions", 2)],
    ids=["first step", "before any checkpoint", "mid-epoch", "evaluation", "final evaluation", "predictions",
         "second seed", "last predictions"],
)  # fmt: skip
def test_interrupted_inside_a_seed(tmp_path, unbroken, place, number):
    stop = Stop(place, number)
    settings = config(tmp_path, seeds=2)
    folder = interrupted_run(settings, lambda seed: Regression(seed, hook=stop))
    assert read_result(folder) is None
    train_run(settings, Regression, folder=folder)
    assert_same_run(folder, unbroken)


def test_interrupted_between_seeds_keeps_the_finished_one(tmp_path, unbroken):
    asked = []

    def make(seed):
        asked.append(seed)
        if asked == [0, 1]:
            raise KeyboardInterrupt
        return Regression(seed)

    settings = config(tmp_path, seeds=2)
    folder = interrupted_run(settings, make)
    weights = (folder / "seed-0" / "best.safetensors").stat().st_mtime_ns
    train_run(settings, make, folder=folder)
    assert asked == [0, 1, 1]
    assert (folder / "seed-0" / "best.safetensors").stat().st_mtime_ns == weights
    assert_same_run(folder, unbroken)


def test_work_since_the_checkpoint_is_redone(tmp_path, unbroken):
    """Checkpoints every 4 epochs, interrupted in the 6th: rows 5 are dropped and written again."""
    settings = config(tmp_path, seeds=2, train={"checkpoint_every": 4})
    folder = interrupted_run(settings, lambda seed: Regression(seed, hook=Stop("step", 22)))
    assert [row["epoch"] for row in table(folder)] == ["1", "2", "3", "4", "5"]
    assert load_checkpoint(folder / "seed-0" / "last.ckpt")["progress"]["epoch"] == 4
    train_run(settings, Regression, folder=folder)
    assert table(folder) == table(unbroken)
    assert read_result(folder).metrics == read_result(unbroken).metrics


def test_short_epochs_share_a_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "MIN_CHECKPOINT_SECONDS", 3600.0)
    folder = interrupted_run(config(tmp_path), lambda seed: Regression(seed, hook=Stop("step", 22)))
    assert not (folder / "seed-0" / "last.ckpt").exists()
    train_run(read_config(folder), Regression, folder=folder)


def test_interrupted_twice_and_moved(tmp_path, unbroken):
    settings = config(tmp_path, seeds=2)
    folder = interrupted_run(settings, lambda seed: Regression(seed, hook=Stop("step", 9)))
    moved = tmp_path / "elsewhere" / "run"
    moved.parent.mkdir()
    folder.rename(moved)
    with pytest.raises(Interrupted, match=str(moved)):
        train_run(read_config(moved), lambda seed: Regression(seed, hook=Stop("step", 9)), folder=moved)
    result = train_run(read_config(moved), Regression, folder=moved)
    assert result.folder == moved
    assert_same_run(moved, unbroken)


def test_patience_survives_a_resume(tmp_path):
    class Broken(Scripted):
        def step(self, model, batch, backward):
            if round(float(model.weight.detach())) == 4:
                raise KeyboardInterrupt
            return super().step(model, batch, backward)

    script = [5.0, 9.0, 1.0, 1.0, 1.0, 1.0, 99.0]
    settings = config(tmp_path, train={"epochs": 7, "patience": 3})
    folder = interrupted_run(settings, lambda seed: Broken(script))
    task = Scripted(script)
    assert train_run(settings, lambda seed: task, folder=folder).best_epochs == (2,)
    assert task.evaluated == [5, 2]


TIES = [5.0, 9.0, 1.0, 9.0, 9.0, 9.0]


class Broken(Scripted):
    """Interrupted in its fourth step."""

    def step(self, model, batch, backward):
        if round(float(model.weight.detach())) == 3:
            raise KeyboardInterrupt
        return super().step(model, batch, backward)


@pytest.mark.parametrize("valid_losses", [[9.0, 4.0, 1.0, 5.0, 3.0, 3.0], [9.0, 4.0, 1.0, 5.0, 4.5, 4.0]])
def test_a_tie_across_a_resume_goes_to_the_lower_loss(tmp_path, valid_losses):
    def make(kind):
        return lambda seed: kind(TIES, valid_losses=valid_losses)

    settings = config(tmp_path)
    folder = interrupted_run(settings, make(Broken))
    result = train_run(settings, make(Scripted), folder=folder)
    unbroken = train_run(config(tmp_path / "unbroken"), make(Scripted))
    assert result.best_epochs == unbroken.best_epochs == ((5,) if valid_losses[4] < 4.0 else (2,))
    assert_same_run(folder, unbroken.folder)


def test_a_checkpoint_from_before_losses_decided_ties_is_continued(tmp_path):
    """The epoch that it selected stays until one is better, as it would have then."""
    for script, chosen in ((TIES, 2), ([*TIES[:5], 10.0], 6)):
        settings = config(tmp_path)
        folder = interrupted_run(settings, lambda seed, script=script: Broken(script))
        path = folder / "seed-0" / "last.ckpt"
        state = load_checkpoint(path)
        del state["progress"]["best_loss"], state["format"]
        save_checkpoint(path, state)
        assert train_run(settings, lambda seed, script=script: Scripted(script), folder=folder).best_epochs == (chosen,)


def test_a_checkpoint_that_another_metric_selected_is_not_continued(tmp_path):
    settings = config(tmp_path)
    folder = interrupted_run(settings, lambda seed: Regression(seed, hook=Stop("step", 11)))

    def make(seed):
        task = Regression(seed)
        task.metric = "other"
        return task

    with pytest.raises(
        CheckpointError,
        match="seed-0/last.ckpt was written by a version of graphkit that selects by fit; this one selects by other",
    ):
        train_run(settings, make, folder=folder)


def test_a_stopped_early_seed_is_not_trained_further(tmp_path):
    class NoPredictions(Scripted):
        def predictions(self, model):
            raise KeyboardInterrupt

    settings = config(tmp_path, train={"epochs": 5, "patience": 1})
    folder = interrupted_run(settings, lambda seed: NoPredictions([2.0, 1.0, 9.0, 9.0, 9.0]))
    task = Scripted([2.0, 1.0, 9.0, 9.0, 9.0])
    train_run(settings, lambda seed: task, folder=folder)
    assert task.evaluated == [1]  # the selected weights, nothing else


def test_a_finished_run_is_only_reported(tmp_path):
    result = train_run(config(tmp_path), lambda seed: Heuristic())
    before = {path: path.stat().st_mtime_ns for path in result.folder.rglob("*")}

    def never(seed):
        raise AssertionError("a finished run needs no task")

    assert train_run(read_config(result.folder), never, folder=result.folder) == result
    assert {path: path.stat().st_mtime_ns for path in result.folder.rglob("*")} == before


def test_other_settings_are_refused(tmp_path):
    folder = interrupted_run(config(tmp_path), lambda seed: Regression(seed, hook=Stop("step", 6)))
    with pytest.raises(CheckpointError, match="other settings"):
        train_run(config(tmp_path, train={"lr": 0.5}), Regression, folder=folder)
    assert load_checkpoint(folder / "seed-0" / "last.ckpt")["progress"]["epoch"] == 1


def test_a_changed_config_file_is_refused(tmp_path):
    folder = interrupted_run(config(tmp_path), lambda seed: Regression(seed, hook=Stop("step", 6)))
    path = folder / "config.yaml"
    path.write_text(path.read_text().replace("lr: 0.01", "lr: 0.02").split("\n", 1)[1])
    with pytest.raises(CheckpointError, match="config.yaml is truncated or was changed"):
        read_config(folder)
    (folder / "digests.json").unlink()  # as folders were before there were digests
    with pytest.raises(CheckpointError, match="belongs to another run"):
        train_run(read_config(folder), Regression, folder=folder)


@pytest.mark.parametrize("change", [lambda text: text.replace("0,1,", "0,1,9", 1), lambda text: text.splitlines(True)[0]])
def test_changed_or_missing_rows_are_noticed(tmp_path, change):
    folder = interrupted_run(config(tmp_path), lambda seed: Regression(seed, hook=Stop("step", 11)))
    path = folder / "metrics.csv"
    path.write_text(change(path.read_text()))
    with pytest.raises(CheckpointError, match=r"metrics.csv lacks or changed lines of seed 0: remove .*last.ckpt"):
        train_run(read_config(folder), Regression, folder=folder)


def test_following_the_advice_restarts_the_seed(tmp_path, unbroken):
    settings = config(tmp_path, seeds=2)
    folder = interrupted_run(settings, lambda seed: Regression(seed, hook=Stop("step", 11)))
    checkpoint = folder / "seed-0" / "last.ckpt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match=r"last.ckpt is truncated or was changed: remove it and resume"):
        train_run(settings, Regression, folder=folder)
    checkpoint.unlink()
    train_run(settings, Regression, folder=folder)
    assert_same_run(folder, unbroken)


def test_a_damaged_result_is_rebuilt_once_removed(tmp_path):
    result = train_run(config(tmp_path), Regression)
    path = result.folder / "result.json"
    path.write_text(path.read_text()[:200])
    with pytest.raises(CheckpointError, match=r"result.json is truncated or was changed .*: remove it and resume"):
        train_run(read_config(result.folder), Regression, folder=result.folder)
    path.unlink()
    assert train_run(read_config(result.folder), Regression, folder=result.folder).metrics == result.metrics


# ------------------------------------------------------------------------------------------- real signals, real processes

PRELUDE = """
import os, signal, sys, time
from pathlib import Path
from graphkit.errors import GraphkitError
from graphkit.training import checkpoint, files, runner
from tests.training.fakes import Regression, config
runner.MIN_CHECKPOINT_SECONDS = 0.0
settings = config(Path(sys.argv[1]), seeds=2)
def go(make):
    try:
        runner.train_run(settings, make)
    except GraphkitError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
"""


def start(tmp_path, body):
    script = tmp_path / "script.py"
    script.write_text(PRELUDE + textwrap.dedent(body))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(script), str(tmp_path / "runs")]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(path, process):
    deadline = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_a_resumable_run(tmp_path, unbroken, number):
    process = start(
        tmp_path,
        """
        def hook(place, calls=[0]):
            calls[0] += place == "step"
            if calls[0] == 11:
                Path(sys.argv[1], "here").touch()
                time.sleep(60)
        go(lambda seed: Regression(seed, hook=hook))
        """,
    )
    wait_for(tmp_path / "runs" / "here", process)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    folder = next((tmp_path / "runs").glob("fake-*"))
    assert process.returncode == 130, err
    assert out == ""
    assert err == f"interrupted; continue with resume={folder}\n"
    train_run(read_config(folder), Regression, folder=folder)
    assert_same_run(folder, unbroken)


@pytest.mark.slow
def test_a_second_sigint_is_immediate(tmp_path, unbroken):
    process = start(
        tmp_path,
        """
        def hook(place, calls=[0]):
            calls[0] += place == "step"
            if calls[0] == 11:
                Path(sys.argv[1], "here").touch()
                try:
                    time.sleep(60)
                finally:
                    Path(sys.argv[1], "first").touch()
                    time.sleep(60)  # stands for an operation that lets no exception through
        go(lambda seed: Regression(seed, hook=hook))
        """,
    )
    for mark in ("here", "first"):
        wait_for(tmp_path / "runs" / mark, process)
        process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT
    folder = next((tmp_path / "runs").glob("fake-*"))
    train_run(read_config(folder), Regression, folder=folder)
    assert_same_run(folder, unbroken)


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["half written", "written, not renamed"])
def test_kill_9_while_writing_a_checkpoint(tmp_path, unbroken, moment):
    process = start(
        tmp_path,
        f"""
        moment = {moment!r}
        """
        + """
        original, count = files.write_atomic, [0]
        def deadly(path, data):
            count[0] += path.name == "last.ckpt"
            if path.name == "last.ckpt" and count[0] == 4:
                real_fsync = os.fsync
                def die(descriptor):
                    if moment == "half written":
                        os.ftruncate(descriptor, len(data) // 2)
                    real_fsync(descriptor)
                    os.kill(os.getpid(), signal.SIGKILL)
                os.fsync = die
            original(path, data)
        checkpoint.write_atomic = deadly
        go(Regression)
        """,
    )
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    folder = next((tmp_path / "runs").glob("fake-*"))
    assert len(list(folder.rglob("*.tmp"))) == 1  # it did die inside the write
    assert load_checkpoint(folder / "seed-0" / "last.ckpt")["progress"]["epoch"] == 3
    train_run(read_config(folder), Regression, folder=folder)
    assert_same_run(folder, unbroken)


def test_result_json_says_where_it_came_from(unbroken):
    record = json.loads((unbroken / "result.json").read_text())
    assert record["settings"]["train"]["epochs"] == 6
    assert len(record["config_digest"]) == 64
    assert record["environment"]["threads"] == 1
    assert str(unbroken) not in json.dumps(record)
