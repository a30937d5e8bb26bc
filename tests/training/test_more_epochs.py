"""A run that gets more epochs ends bit for bit where a run of that length ends."""

import contextlib
import shutil
from pathlib import Path

import pytest

from graphkit.errors import CheckpointError, Interrupted
from graphkit.training import artifacts, digests, runner
from graphkit.training import resume as going_on
from graphkit.training.artifacts import read_config, read_result
from graphkit.training.runner import train_run
from tests.training.fakes import Heuristic, Regression, Scripted, config
from tests.training.test_resume import Stop, assert_same_run, table

pytestmark = pytest.mark.usefixtures("checkpoint_every_epoch")


def stopped(*stop):
    """Makes tasks that are interrupted at a call of a hook."""
    hook = Stop(*stop)
    return lambda seed: Regression(seed, hook=hook)


def longer(folder, epochs, make=Regression):
    stored = read_config(folder)
    return train_run({**stored, "train": {**stored["train"], "epochs": epochs}}, make, folder=folder)


def assert_as_unbroken(folder, tmp_path, make=Regression, **settings):
    unbroken = train_run(config(tmp_path / "unbroken", **settings), make).folder
    assert_same_run(folder, unbroken)
    assert read_config(folder)["train"] == read_config(unbroken)["train"]
    assert (folder / "report.html").is_file()
    assert train_run(read_config(folder), lambda seed: None, folder=folder).metrics == read_result(unbroken).metrics


@pytest.mark.parametrize("every", [1, 2, 4], ids=["all", "last one in turn", "last one out of turn"])
def test_a_finished_run(tmp_path, every):
    folder = train_run(config(tmp_path, seeds=2, train={"epochs": 6, "eval_every": every}), Regression).folder
    assert (folder / "seed-0" / "before-last.ckpt").exists() == (every == 4)
    assert longer(folder, 11).folder == folder
    assert_as_unbroken(folder, tmp_path, seeds=2, train={"epochs": 11, "eval_every": every})
    longer(folder, 12)
    assert_as_unbroken(folder, tmp_path, seeds=2, train={"epochs": 12, "eval_every": every})
    assert not (folder / "seed-0" / "before-last.ckpt").exists()


@pytest.mark.parametrize("stop", [("step", 11), ("step", 24 + 7), ("predictions", 2)], ids=["first seed", "second", "last"])
def test_an_unfinished_run(tmp_path, stop):
    with pytest.raises(Interrupted):
        train_run(config(tmp_path, seeds=2), stopped(*stop))
    folder = next(tmp_path.glob("fake-*"))
    longer(folder, 9)
    assert_as_unbroken(folder, tmp_path, seeds=2, train={"epochs": 9})


def test_killed_while_it_goes_on_and_then_more_again(tmp_path):
    folder = train_run(config(tmp_path, seeds=2, train={"epochs": 5, "eval_every": 2}), Regression).folder
    with pytest.raises(Interrupted):
        longer(folder, 8, stopped("step", 6))
    assert read_result(folder) is None
    with pytest.raises(Interrupted):
        longer(folder, 9, stopped("step", 3))
    train_run(read_config(folder), Regression, folder=folder)
    assert_as_unbroken(folder, tmp_path, seeds=2, train={"epochs": 9, "eval_every": 2})


@pytest.mark.parametrize("moment", range(7))
def test_killed_at_any_write_of_the_new_settings(tmp_path, monkeypatch, moment):
    """Before or after any of the writes: the folder can be resumed as it was asked for, or asked for again."""
    folder = train_run(config(tmp_path), Regression).folder
    writes = []

    def deadly(path, data):
        if len(writes) == moment:
            raise KeyboardInterrupt
        writes.append(path.name)
        real(path, data)

    real = going_on.write_atomic
    for module in (going_on, artifacts, digests):
        monkeypatch.setattr(module, "write_atomic", deadly)
    with contextlib.suppress(Interrupted):
        longer(folder, 8)
    monkeypatch.undo()
    monkeypatch.setattr(runner, "MIN_CHECKPOINT_SECONDS", 0.0)
    before = Path(shutil.copytree(folder, tmp_path / "copy"))
    train_run(read_config(before), Regression, folder=before)  # plainly resumed: of the one or the other length
    assert_as_unbroken(before, tmp_path / "plain", train={"epochs": read_config(before)["train"]["epochs"]})
    longer(folder, 8)
    assert_as_unbroken(folder, tmp_path, train={"epochs": 8})
    assert writes[:3] == ["digests.json", "config.yaml", "digests.json"][:moment]


def test_patience_that_ran_out_stays_so(tmp_path):
    script = [5.0, 9.0, 1.0, 1.0, 1.0, 99.0, 99.0, 99.0]
    settings = {"epochs": 6, "patience": 3}
    folder = train_run(config(tmp_path, train=settings), lambda seed: Scripted(script)).folder
    assert longer(folder, 8, lambda seed: Scripted(script)).best_epochs == (2,)
    assert_as_unbroken(folder, tmp_path, lambda seed: Scripted(script), train={**settings, "epochs": 8})


@pytest.mark.parametrize("make", [Regression, lambda seed: Heuristic()], ids=["trained", "heuristic"])
def test_from_no_epochs_at_all(tmp_path, make):
    folder = train_run(config(tmp_path, train={"epochs": 0}), make).folder
    longer(folder, 3, make)
    assert_as_unbroken(folder, tmp_path, make, train={"epochs": 3})


def test_fewer_epochs_and_other_settings_are_refused(tmp_path):
    folder = train_run(config(tmp_path), Regression).folder
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(CheckpointError, match=r"train.epochs=5: .* has 6, and resume= can only add to them"):
        longer(folder, 5)
    stored = read_config(folder)
    with pytest.raises(CheckpointError, match="other settings"):
        train_run({**stored, "train": {**stored["train"], "epochs": 9, "lr": 0.5}}, Regression, folder=folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_an_old_run_that_cannot_go_on_exactly_says_so(tmp_path):
    """Before there were digests no state was kept before a last epoch that was evaluated out of turn."""
    folder = train_run(config(tmp_path, train={"epochs": 5, "eval_every": 2}), Regression).folder
    (folder / "digests.json").unlink()
    (folder / "seed-0" / "before-last.ckpt").unlink()
    path = folder / "config.yaml"
    path.write_text(path.read_text().split("\n", 1)[1])
    result = read_result(folder)
    with pytest.raises(CheckpointError, match="epoch 5 was evaluated only because it was the last"):
        longer(folder, 8)
    assert train_run(read_config(folder), lambda seed: None, folder=folder) == result  # as finished as it was


def test_a_setting_that_the_run_does_not_know_has_no_say(tmp_path):
    """A later version has more settings; a run resumed with it has their defaults, and its own identity."""
    with pytest.raises(Interrupted):
        train_run(config(tmp_path), lambda seed: Regression(seed, hook=Stop("step", 11)))
    folder = next(tmp_path.glob("fake-*"))
    stored = read_config(folder)
    train_run({**stored, "train": {**stored["train"], "new": 3}}, Regression, folder=folder)
    assert_as_unbroken(folder, tmp_path)
    assert len(table(folder)) == 6
