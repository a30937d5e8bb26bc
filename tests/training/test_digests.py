"""Nothing that was changed is read back: every file of a run folder, by content, by kind, by form."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from graphkit.errors import CheckpointError, Interrupted
from graphkit.training import artifacts, checkpoint
from graphkit.training.artifacts import finished_seed, is_own_file, read_config, read_result, weights_path
from graphkit.training.checkpoint import load_checkpoint, load_weights, save_checkpoint
from graphkit.training.digests import DIGESTS, Digests, age_note
from graphkit.training.files import read_whole, remove_leftovers
from graphkit.training.resume import finished_result, newer_note
from graphkit.training.runner import train_run
from tests.training.fakes import Regression, config

pytestmark = pytest.mark.usefixtures("checkpoint_every_epoch")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    files = {"data.json": b"{}\n", "names/users.json": b'["a"]\n'}
    return train_run(config(tmp_path_factory.mktemp("runs"), seeds=2), Regression, files=files).folder


@pytest.fixture
def folder(finished, tmp_path):
    return Path(shutil.copytree(finished, tmp_path / "run"))


def resumed(folder, make=Regression):
    return train_run(read_config(folder), make, folder=folder)


def never(seed):
    raise AssertionError("needs no task")


def reseal(folder, *names):
    """Give files the digests that they have now."""
    record = json.loads((folder / DIGESTS).read_text())
    for name in names:
        record["files"][name] = [hashlib.sha256((folder / name).read_bytes()).hexdigest()]
    (folder / DIGESTS).write_text(json.dumps(record))


def make_old(folder):
    """As a folder was before there were digests."""
    (folder / DIGESTS).unlink()
    path = folder / "config.yaml"
    path.write_text(path.read_text().split("\n", 1)[1])


READ_BACK = ["config.yaml", "metrics.csv", "result.json", "data.json", "names/users.json",
             *(f"seed-{seed}/{name}" for seed in (0, 1) for name in ("best.safetensors", "predictions.npz"))]  # fmt: skip


def test_digests_are_those_of_the_files(finished):
    listed = json.loads((finished / DIGESTS).read_text())["files"]
    assert set(listed) == {*READ_BACK, "seed-0/last.ckpt", "seed-1/last.ckpt"}
    for name, digests in listed.items():
        assert digests == [hashlib.sha256((finished / name).read_bytes()).hexdigest()]


@pytest.mark.parametrize("name", READ_BACK)
def test_a_changed_byte_anywhere_is_refused(folder, name):
    data = (folder / name).read_bytes()
    for position in range(0, len(data), max(1, len(data) // 25)):
        changed = bytearray(data)
        changed[position] ^= 1
        (folder / name).write_bytes(changed)
        with pytest.raises(CheckpointError, match=f"^{folder / name} is truncated or was changed .*: \\w+") as caught:
            resumed(folder, never)
        assert str(caught.value).count("\n") == 0 and caught.value.exit_code == 2
    (folder / name).write_bytes(data)
    assert resumed(folder, never) == read_result(folder)


def test_every_replaced_field_of_a_result_is_refused(folder):
    path = folder / "result.json"
    record, refused = json.loads(path.read_text()), 0
    for key, value in record.items():
        for other in (value, None, 7, "x", [], {}):
            path.write_text(json.dumps({**record, key: other}, indent=3))
            with pytest.raises(CheckpointError, match=r"result.json is truncated or was changed"):
                read_result(folder)
            refused += 1
    assert refused > 100


def test_odd_fields_of_an_old_result_are_refused_by_their_form(folder):
    """Without digests a number may be another one, but nothing has the wrong form."""
    make_old(folder)
    path = folder / "result.json"
    record = json.loads(path.read_text())
    for key in set(record) - {"environment", "settings", "config_digest"}:
        for other in (True, [[]], {"a": 1}, -1.5):
            path.write_text(json.dumps({**record, key: other}))
            with pytest.raises(CheckpointError, match=f"result.json is truncated or was changed .wrong '{key}'|wrong"):
                read_result(folder)
    path.write_text(json.dumps({**record, "metrics": {"valid": {"fit": {"mean": 1.0, "std": None, "per_seed": [1.0]}}}}))
    with pytest.raises(CheckpointError, match="wrong 'metrics'"):
        read_result(folder)
    path.write_text("[" * 100_000)
    with pytest.raises(CheckpointError, match="truncated or was changed"):
        read_result(folder)


def test_a_new_folder_without_its_digests_is_refused_an_old_one_read(folder):
    (folder / DIGESTS).rename(folder / "gone")
    for ask in (read_config, lambda folder: read_result(folder), lambda folder: finished_seed(folder)):
        with pytest.raises(CheckpointError, match=r"digests.json is missing, so that nothing in .* can be checked: put"):
            ask(folder)
    (folder / "gone").rename(folder / DIGESTS)
    assert age_note(folder) is None
    make_old(folder)
    assert "was made before runs kept digests" in age_note(folder)
    assert resumed(folder, never).metrics == read_result(folder).metrics
    assert not (folder / DIGESTS).exists()  # a finished run is only reported


@pytest.mark.parametrize(("metric", "best"), [("accuracy", 1), ("mae", 2)])
def test_the_best_seed_is_that_of_the_best_value(monkeypatch, tmp_path, metric, best):
    result = SimpleNamespace(metric=metric, seeds=(0, 1, 2), metrics={"valid": {metric: {"per_seed": [0.5, 0.9, 0.2]}}})
    monkeypatch.setattr(artifacts, "read_config", lambda folder: {})
    monkeypatch.setattr(artifacts, "read_result", lambda folder, config: result)
    monkeypatch.setattr(artifacts.Digests, "read", lambda folder: None)
    for seed in range(3):
        weights_path(tmp_path, seed).parent.mkdir()
        weights_path(tmp_path, seed).touch()
    assert finished_seed(tmp_path) == best


def test_a_file_that_is_not_listed_is_refused(folder):
    record = json.loads((folder / DIGESTS).read_text())
    del record["files"]["result.json"]
    (folder / DIGESTS).write_text(json.dumps(record))
    with pytest.raises(CheckpointError, match=r"result.json .*there is no SHA-256 of it in digests.json"):
        resumed(folder, never)


NO_DIGESTS = (
    '{"files": {}, "lengths": {"a": "b"}}',
    '{"files": {"a": 3}, "lengths": {}}',
    '{"files": {"a": [3]}, "lengths": {}}',
)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", *NO_DIGESTS, "[" * 100_000])
def test_digests_that_are_none(folder, text):
    (folder / DIGESTS).write_text(text)
    with pytest.raises(CheckpointError, match=r"digests.json is truncated or was changed"):
        read_config(folder)


# ------------------------------------------------------------------------------------------ what a finished seed must have


@pytest.mark.parametrize("name", ["best.safetensors", "predictions.npz"])
@pytest.mark.parametrize("unfinished", [True, False])
def test_what_a_finished_seed_lacks_is_made_again(folder, finished, name, unfinished):
    """Bit for bit, without training: from the checkpoint."""
    if unfinished:
        (folder / "result.json").unlink()
    (folder / "seed-0" / name).unlink()
    steps = []
    resumed(folder, lambda seed: Regression(seed, hook=steps.append))
    assert "step" not in steps and "predictions" in steps
    assert (folder / "seed-0" / name).read_bytes() == (finished / "seed-0" / name).read_bytes()
    assert read_result(folder).metrics == read_result(finished).metrics
    assert resumed(folder, never)


@pytest.mark.parametrize("write", [1, 2])
def test_killed_while_what_lacks_is_made_again(folder, finished, monkeypatch, write):
    """Before either write of the checkpoint: without its outcome, and with the new one."""
    (folder / "seed-0" / "best.safetensors").unlink()
    real, left = checkpoint.write_atomic, [write]

    def deadly(path, data):
        left[0] -= path.name == "last.ckpt"
        if not left[0]:
            raise KeyboardInterrupt
        real(path, data)

    monkeypatch.setattr(checkpoint, "write_atomic", deadly)
    with pytest.raises(Interrupted):
        resumed(folder)
    monkeypatch.setattr(checkpoint, "write_atomic", real)
    assert resumed(folder).metrics == read_result(finished).metrics
    assert (folder / "seed-0" / "best.safetensors").read_bytes() == (finished / "seed-0" / "best.safetensors").read_bytes()


def test_a_damaged_seed_of_an_unfinished_run_is_refused(folder):
    (folder / "result.json").unlink()
    (folder / "seed-1" / "best.safetensors").write_bytes((folder / "seed-0" / "best.safetensors").read_bytes())
    with pytest.raises(CheckpointError, match=r"seed-1/best.safetensors is truncated or was changed .*: remove it and resume"):
        resumed(folder)
    (folder / "seed-1" / "best.safetensors").unlink()
    assert resumed(folder).seeds == (0, 1)


def test_an_old_run_gets_digests_when_it_goes_on(folder, finished):
    make_old(folder)
    (folder / "result.json").unlink()
    shutil.rmtree(folder / "seed-1")
    assert resumed(folder).metrics == read_result(finished).metrics
    assert Digests.read(folder).holds("seed-0/best.safetensors") and Digests.read(folder).holds("result.json")
    assert resumed(folder, never)


def test_settings_that_are_newer_than_a_run_are_told(folder):
    make_old(folder)
    path = folder / "config.yaml"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith(("  lr:", "precision:"))))
    note = newer_note(folder, config(folder.parent, seeds=2))
    assert note.startswith(f"{folder} was begun by a version of graphkit without settings that now decide")
    assert "train.lr=" in note and "precision=32-true;" in note and "train.epochs" not in note
    assert "train.lr" not in newer_note(folder, config(folder.parent, seeds=2), {"train.lr"})
    assert newer_note(folder, config(folder.parent, seeds=2), {"train.lr", "precision"}) is None


# ----------------------------------------------------------------------------------------- right checksums, wrong content


def unfinished(tmp_path):
    def stop(place, left=[9]):  # noqa: B006 - counts
        left[0] -= place == "step"
        if not left[0]:
            raise KeyboardInterrupt

    with pytest.raises(Exception, match="interrupted"):
        train_run(config(tmp_path / "runs"), lambda seed: Regression(seed, hook=stop))
    return next((tmp_path / "runs").iterdir())


ODD = [None, True, -1, 10**9, float("nan"), "x", [], {}, {"a": {}}, [[1]], torch.zeros(2), {"epoch": 1}]


def test_a_checkpoint_with_a_right_checksum_and_wrong_content(tmp_path):
    """Every field replaced by whatever: one sentence, or the state is one that can be gone on from."""
    folder = unfinished(tmp_path)
    path = folder / "seed-0" / "last.ckpt"
    state = load_checkpoint(path)
    del state["format"]

    def variants():
        for key in state:
            yield from ({**state, key: odd} for odd in ODD)
            yield {other: value for other, value in state.items() if other != key}
        for key in state["progress"]:
            yield from ({**state, "progress": {**state["progress"], key: odd}} for odd in ODD)
        for part in ("model", "best_model"):
            name = next(iter(state[part]))
            for odd in (torch.zeros(3), torch.zeros(8, 6, dtype=torch.int64), "x", torch.zeros(8, 6).to_sparse()):
                yield {**state, part: {**state[part], name: odd}}
        yield {
            **state,
            "optimizer": {**state["optimizer"], "state": {0: {"exp_avg": torch.zeros(2), "exp_avg_sq": 3, "step": "x"}}},
        }
        yield {**state, "optimizer": {"state": {}, "param_groups": []}}
        yield {**state, "outcome": {"best_epoch": 1, "metrics": {}, "num_parameters": 1}}

    refused = accepted = 0
    for variant in variants():
        save_checkpoint(path, variant)
        copy = Path(shutil.copytree(folder, tmp_path / "copy"))
        try:
            resumed(copy)
            accepted += 1
        except CheckpointError as error:
            assert "\n" not in str(error) and ("last.ckpt" in str(error) or "metrics.csv" in str(error))
            refused += 1
        shutil.rmtree(copy)
    assert refused > 200 and accepted < 20


def test_a_finished_outcome_cannot_be_forged(folder):
    (folder / "result.json").unlink()
    path = folder / "seed-0" / "last.ckpt"
    state = load_checkpoint(path)
    state["outcome"]["metrics"]["test"]["fit"] = 100.0
    save_checkpoint(path, state)
    with pytest.raises(CheckpointError, match=r"last.ckpt is truncated or was changed .*digests.json.*: remove it and resume"):
        resumed(folder)


def test_a_data_set_of_another_size_is_one_sentence(tmp_path):
    class Wider(Regression):
        def build_model(self):
            model = super().build_model()
            model[0] = torch.nn.Linear(9, 8)
            return model

    with pytest.raises(CheckpointError, match=r"last.ckpt holds weights of another model or data set \('0.weight' is \[8, 6\]"):
        resumed(unfinished(tmp_path), Wider)


@pytest.mark.parametrize(
    "metadata", [{}, {"graphkit": "[]"}, {"graphkit": "{"}, {"graphkit": "[" * 100_000}, {"graphkit": "3"}]
)
def test_weights_with_odd_notes(tmp_path, finished, metadata):
    path = tmp_path / "best.safetensors"
    path.write_bytes(save(load((finished / "seed-0" / "best.safetensors").read_bytes()), metadata=metadata))
    with pytest.raises(CheckpointError, match=r"best.safetensors is truncated or was changed"):
        load_weights(path, Regression(0).build_model())


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join([f'*{chr(97 + i)}'] * 9)}]\n" for i in range(12)
)


@pytest.mark.parametrize("text", [BOMB, "[" * 20_000, "a: " + "{a: " * 20_000, "task: {}\nmodel: {}\ntrain: {t: 2020-01-01}"],
                         ids=["aliases", "deep", "deeper", "dates"])  # fmt: skip
def test_a_config_that_explodes(tmp_path, text):
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(CheckpointError, match=r"cannot read .*config.yaml .*: start the run again"):
        read_config(tmp_path)


@pytest.mark.parametrize(
    "name", [*READ_BACK[:4], "report.html", "env.json", DIGESTS, "seed-0/best.safetensors", "seed-0/last.ckpt"]
)
@pytest.mark.parametrize("kind", ["fifo", "folder"])
def test_nothing_waits_for_a_pipe(folder, name, kind):
    path = folder / name
    path.unlink()
    os.mkfifo(path) if kind == "fifo" else path.mkdir()
    with pytest.raises(CheckpointError, match=f"^{path} is no ordinary file: remove it"):
        resumed(folder, never)


def test_files_that_are_read_whole(tmp_path):
    (tmp_path / "file").write_bytes(b"12345")
    assert read_whole(tmp_path / "file", 5) == b"12345"
    with pytest.raises(CheckpointError, match="has 5 bytes, a run writes at most 4"):
        read_whole(tmp_path / "file", 4)
    with pytest.raises(CheckpointError, match="no ordinary file"):
        read_whole(Path("/dev/zero"))
    with pytest.raises(FileNotFoundError):
        read_whole(tmp_path / "none")


# ------------------------------------------------------------------------------------------------------------- clean-up


def test_clean_up_follows_no_link_and_takes_nothing_else(tmp_path):
    folder, outside = tmp_path / "run", tmp_path / "outside"
    (folder / "seed-0").mkdir(parents=True)
    outside.mkdir()
    own = [folder / ".result.json.12.tmp", folder / "seed-0" / ".last.ckpt.7.tmp"]
    others = [outside / ".last.ckpt.7.tmp", folder / ".notes.tmp", folder / "seed-0" / "x.tmp"]
    for path in own + others:
        path.touch()
    (folder / "seed-1").symlink_to(outside, target_is_directory=True)
    (folder / ".a.1.tmp").symlink_to(outside / ".last.ckpt.7.tmp")
    (folder / ".b.1.tmp").mkdir()
    remove_leftovers(folder)
    assert not any(path.exists() for path in own) and all(path.exists() for path in others)


def test_own_files_of_a_run(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder / "result.json")
    for path in (folder / "config.yaml", folder / "seed-0" / "x", folder / "names" / "y", tmp_path / "link",
                 folder / "seed-0" / ".." / DIGESTS):  # fmt: skip
        assert is_own_file(folder, path)
    for path in (folder / "top.csv", tmp_path / "config.yaml", tmp_path / "seed-0" / "x"):
        assert not is_own_file(folder, path)
    assert finished_result(folder, read_config(folder)) is not None
    assert np.load(folder / "seed-0" / "predictions.npz")["scores"].shape == (40,)
