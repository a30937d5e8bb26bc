"""Disks that fill up, folders that cannot be written, files that were damaged: one sentence, and nothing earlier is harmed."""

import errno
import json
import os
import resource
import subprocess

import numpy as np
import pytest
import torch
import yaml
from torch import nn

from graphkit.errors import CheckpointError, RequestError, RunError
from graphkit.training import files
from graphkit.training.artifacts import read_config, read_result
from graphkit.training.checkpoint import load_checkpoint, load_weights, save_checkpoint, save_weights
from graphkit.training.environment import record_environment
from graphkit.training.files import write_arrays, write_atomic
from graphkit.training.history import History
from graphkit.training.runner import train_run
from tests.training.fakes import Heuristic, Regression, config

pytestmark = pytest.mark.usefixtures("checkpoint_every_epoch")


class Wide(Regression):
    """With a checkpoint of about 400 kB."""

    def build_model(self):
        return nn.Sequential(nn.Linear(6, 4000), nn.ReLU(), nn.Linear(4000, 1))


# ------------------------------------------------------------------------------------------------------------- full disk


def full_disk_leaves_the_earlier_checkpoint(settings, relieve, folders):
    with pytest.raises(RunError, match=r"^disk is full \(writing .*\): free space and resume with resume=\S+$") as caught:
        train_run(settings, Wide)
    assert caught.value.exit_code == 1
    folder = next(folders.glob("fake-*"))
    assert str(caught.value).endswith(f"resume={folder}")
    assert not list(folder.rglob("*.tmp"))
    epoch = load_checkpoint(folder / "seed-0" / "last.ckpt")["progress"]["epoch"]
    assert epoch >= 1
    relieve()
    result = train_run(read_config(folder), Wide, folder=folder)
    assert result.metrics == train_run({**settings, "out": str(folders / "whole")}, Wide).metrics


def test_a_full_tmpfs(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("mounting a tmpfs needs root")
    try:
        ballast = disk / "ballast"

        class Filling(Wide):
            def step(self, model, batch, backward):
                if not ballast.exists() and list(disk.glob("fake-*/seed-0/last.ckpt")):
                    ballast.write_bytes(b"x" * (400 << 10))
                return super().step(model, batch, backward)

        with pytest.raises(RunError, match=r"^disk is full \(writing .*last.ckpt\)"):
            train_run(config(disk), Filling)
        folder = next(disk.glob("fake-*"))
        assert not list(folder.rglob("*.tmp"))
        assert load_checkpoint(folder / "seed-0" / "last.ckpt")["progress"]["epoch"] >= 1
        subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
        result = train_run(read_config(folder), Wide, folder=folder)
        assert result.metrics == train_run(config(tmp_path), Wide).metrics
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_says_full(tmp_path, monkeypatch, code):
    real, writes = os.fsync, []

    def full(descriptor):
        writes.append(descriptor)
        if len(writes) > 12:
            raise OSError(code, os.strerror(code))
        real(descriptor)

    monkeypatch.setattr(files.os, "fsync", full)
    full_disk_leaves_the_earlier_checkpoint(config(tmp_path), monkeypatch.undo, tmp_path)


def test_a_file_that_may_not_grow(tmp_path):
    """A limit of the system on a file's size, met in the middle of a real write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(RunError, match=r"^cannot use .*last.ckpt \(File too large\): mend that and resume with resume="):
            train_run(config(tmp_path), Wide)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_row_that_does_not_fit_is_taken_back(tmp_path, monkeypatch):
    history = History(tmp_path / "metrics.csv", ("valid/a",))
    history.append(0, 1, 0.5, 1.0, 0.1, {"valid": {"a": 3.0}})
    before = (tmp_path / "metrics.csv").read_bytes()
    real, calls = os.write, []

    def short(descriptor, data):
        calls.append(data)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, data[:5])

    monkeypatch.setattr(os, "write", short)
    with pytest.raises(OSError, match="metrics.csv"):
        history.append(0, 2, 0.5, 1.0, 0.1, {"valid": {"a": 4.0}})
    assert len(calls) == 2
    assert (tmp_path / "metrics.csv").read_bytes() == before


def test_an_output_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        RequestError, match=r"^cannot write to out=.* \(Not a directory\): choose another folder with out=\.\.\.$"
    ):
        train_run(config(tmp_path / "file" / "runs"), Regression)


def test_an_error_of_the_task_is_not_dressed_up_as_the_disk(tmp_path):
    def make(seed):
        raise FileNotFoundError(errno.ENOENT, "No such file", "/data/edges.csv")

    with pytest.raises(FileNotFoundError, match="edges.csv"):
        train_run(config(tmp_path), make)


# --------------------------------------------------------------------------------------------------------- damaged files


def test_checkpoint_round_trip(tmp_path):
    state = {"weights": {"a": torch.randn(3, 2)}, "list": [1, 2.5, None, "x"], "flag": True}
    save_checkpoint(tmp_path / "last.ckpt", state)
    loaded = load_checkpoint(tmp_path / "last.ckpt")
    assert torch.equal(loaded["weights"]["a"], state["weights"]["a"])
    assert loaded["list"] == state["list"]
    plain = torch.load(tmp_path / "last.ckpt", weights_only=True)  # readable without graphkit
    assert plain["flag"] is True


@pytest.mark.parametrize("kept", [0, 1, 60, 500, -1, -72])
def test_a_truncated_checkpoint(tmp_path, kept):
    path = tmp_path / "last.ckpt"
    save_checkpoint(path, {"weights": torch.randn(50)})
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match=r"last.ckpt is truncated or was changed: remove it and resume to train"):
        load_checkpoint(path)


def test_every_changed_byte_of_a_checkpoint_is_noticed(tmp_path):
    path = tmp_path / "last.ckpt"
    save_checkpoint(path, {"weights": torch.randn(5)})
    data = path.read_bytes()
    for position in range(0, len(data), 7):
        changed = bytearray(data)
        changed[position] ^= 1
        path.write_bytes(changed)
        with pytest.raises(CheckpointError, match="truncated or was changed"):
            load_checkpoint(path)


def test_another_format_of_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "last.ckpt"
    monkeypatch.setattr("graphkit.training.checkpoint._FORMAT", 0)
    save_checkpoint(path, {})
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match="another version"):
        load_checkpoint(path)


def test_a_checkpoint_with_code_inside_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    path = tmp_path / "last.ckpt"
    save_checkpoint(path, {"evil": Evil()})  # with a valid checksum
    with pytest.raises(CheckpointError, match="no checkpoint"):
        load_checkpoint(path)
    assert not (tmp_path / "ran").exists()


def model(width=3):
    return nn.Sequential(nn.Linear(2, width), nn.BatchNorm1d(width))


def test_weights_round_trip(tmp_path):
    path, source, target = tmp_path / "best.safetensors", model().double(), model()
    save_weights(path, source.state_dict(), {"epoch": "3"})
    assert load_weights(path, target) == {"epoch": "3"}
    for name, tensor in target.state_dict().items():
        torch.testing.assert_close(tensor, source.state_dict()[name].to(tensor.dtype), rtol=0, atol=0)


def test_weights_of_another_model(tmp_path):
    path = tmp_path / "best.safetensors"
    save_weights(path, model().state_dict(), {})
    wider = model(5)
    before = {name: tensor.clone() for name, tensor in wider.state_dict().items()}
    with pytest.raises(CheckpointError, match=r"another model \('0.bias' is \[3\], the model's is \[5\]\)"):
        load_weights(path, wider)
    assert all(torch.equal(before[name], tensor) for name, tensor in wider.state_dict().items())
    with pytest.raises(CheckpointError, match=r"another model \(unknown '1.bias'\)"):
        load_weights(path, nn.Sequential(nn.Linear(2, 3)))
    with pytest.raises(CheckpointError, match=r"another model \(no '2.bias'\)"):
        load_weights(path, nn.Sequential(*model(), nn.Linear(3, 1)))


@pytest.mark.parametrize("kept", [0, 4, 8, 40, -1])
def test_truncated_weights(tmp_path, kept):
    path = tmp_path / "best.safetensors"
    save_weights(path, model().state_dict(), {})
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match=r"best.safetensors is truncated or was changed"):
        load_weights(path, model())


def test_changed_and_missing_weights(tmp_path):
    path = tmp_path / "best.safetensors"
    with pytest.raises(CheckpointError, match=r"best.safetensors does not exist"):
        load_weights(path, model())
    save_weights(path, model().state_dict(), {})
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"truncated or was changed"):
        load_weights(path, model())


def test_no_such_run(tmp_path):
    with pytest.raises(CheckpointError, match=r"is no run folder \(it has no config.yaml\): check resume="):
        read_config(tmp_path / "nowhere")


@pytest.mark.parametrize("text", ["a: [1", "just words", "\x00", "task: 3\nmodel: {}\ntrain: {}\n", ""])
def test_a_damaged_config(tmp_path, text):
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(CheckpointError, match=r"config.yaml.*: start the run again"):
        read_config(tmp_path)


@pytest.mark.parametrize("text", ["[" * 50_000, "a: " + "{b: " * 50_000, "[" * 5_000 + "]" * 5_000])
def test_files_of_lists_in_lists(tmp_path, text):
    settings = config(tmp_path)
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(CheckpointError, match=r"config.yaml.*: start the run again"):
        read_config(tmp_path)
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"result.json is truncated or was changed"):
        read_result(tmp_path, settings)
    (tmp_path / "env.json").write_text(text)
    record_environment(tmp_path / "env.json", {"device": "x"})
    assert json.loads((tmp_path / "env.json").read_text()) == {"device": "x"}


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("config.yaml", read_config),
        ("result.json", read_result),
        ("last.ckpt", lambda folder: load_checkpoint(folder / "last.ckpt")),
        ("metrics.csv", lambda folder: History(folder / "metrics.csv", ("valid/a",))),
        ("env.json", lambda folder: record_environment(folder / "env.json", {})),
    ],
)
def test_a_pipe_in_place_of_a_file_is_not_waited_for(tmp_path, name, read):
    os.mkfifo(tmp_path / name)
    with pytest.raises((CheckpointError, OSError), match="is no ordinary file"):
        read(tmp_path)


def test_a_torn_row_is_dropped_and_a_foreign_file_refused(tmp_path):
    path = tmp_path / "metrics.csv"
    history = History(path, ("valid/a",))
    history.append(0, 1, 0.5, 1.0, 0.1, {"valid": {"a": 3.0}})
    history.append(0, 2, None, 1.0, 0.1, None)
    whole = path.read_bytes()
    path.write_bytes(whole + b"0,3,0.1")
    again = History(path, ("valid/a",))
    assert path.read_bytes() == whole
    assert again.digest(0) == history.digest(0)
    assert [row["valid/a"] for row in again.rows()] == [3.0, None]
    with pytest.raises(CheckpointError, match=r"metrics.csv has other columns than this version of graphkit writes, or was"):
        History(path, ("valid/b",))
    path.write_bytes(whole.replace(b"0,2,", b"x,2,"))
    with pytest.raises(CheckpointError, match=r"is no row"):
        History(path, ("valid/a",)).rewind(0, 1)


def test_write_atomic_replaces_or_leaves(tmp_path):
    path = tmp_path / "file"
    write_atomic(path, b"old")
    with pytest.raises(OSError, match="file"):
        write_atomic(tmp_path / "none" / "file", b"new")
    assert path.read_bytes() == b"old"
    write_atomic(path, b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_arrays_never_hold_objects(tmp_path):
    with pytest.raises(TypeError, match="'names' holds Python objects"):
        write_arrays(tmp_path / "a.npz", {"names": np.array([{}], dtype=object)})


# ------------------------------------------------------------------------------------------------------ memory and torch


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), "^out of memory: lower train.batch_size"),
        (MemoryError(), "^out of memory: lower"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "^out of memory: lower"),
        (RuntimeError("kthvalue CUDA does not have a deterministic implementation, but"), "kthvalue.* set deterministic=false"),
    ],
)
def test_what_torch_says_in_many_lines(tmp_path, error, message):
    def make(seed):
        raise error

    with pytest.raises(RunError, match=message):
        train_run(config(tmp_path), make)


def test_other_errors_pass(tmp_path):
    def make(seed):
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        train_run(config(tmp_path), make)


def test_precision_and_device_that_do_not_exist(tmp_path):
    with pytest.raises(RequestError, match=r"precision=16-mixed needs a CUDA device"):
        train_run(config(tmp_path, precision="16-mixed"), Heuristic)
    if not torch.cuda.is_available():
        with pytest.raises(RequestError, match=r"device=cuda: .* no CUDA device; use device=cpu"):
            train_run(config(tmp_path, device="cuda"), Heuristic)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_other_seeds_is_not_trained_in(tmp_path):
    folder = train_run(config(tmp_path), Regression).folder
    (folder / "result.json").unlink()
    (folder / "digests.json").unlink()  # as in runs of earlier versions
    changed = config(tmp_path, seed=1)
    write_atomic(folder / "config.yaml", yaml.safe_dump(changed).encode())
    with pytest.raises(CheckpointError, match="holds seed-0, a seed that its config.yaml does not name"):
        train_run(changed, Regression, folder=folder)
    assert not (folder / "seed-1").exists()


def test_two_processes_never_share_a_folder(tmp_path):
    settings = config(tmp_path)
    tried = []

    def make(seed):
        folder = next(tmp_path.glob("fake-*"))
        with pytest.raises(CheckpointError, match="in use by another process"):
            train_run(settings, Regression, folder=folder)
        tried.append(folder)
        return Regression(seed)

    train_run(settings, make)
    assert tried
