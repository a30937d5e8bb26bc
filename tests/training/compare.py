"""Whether two runs are the same: weights, predictions, checkpoints and tables bit for bit, all but wall time."""

import csv

import torch

from graphkit.training.artifacts import read_result
from graphkit.training.checkpoint import load_checkpoint


def table(folder):
    """metrics.csv without the two columns that hold wall time."""
    with (folder / "metrics.csv").open() as file:
        return [{key: cell for key, cell in row.items() if "seconds" not in key} for row in csv.DictReader(file)]


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a if "seconds" not in str(key))
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def assert_same_run(folder, unbroken):
    seeds = sorted(path.name for path in unbroken.glob("seed-*"))
    assert sorted(path.name for path in folder.glob("seed-*")) == seeds
    assert table(folder) == table(unbroken)
    for seed in seeds:
        for name in ("best.safetensors", "predictions.npz"):
            assert (folder / seed / name).read_bytes() == (unbroken / seed / name).read_bytes(), name
        ours, theirs = (load_checkpoint(run / seed / "last.ckpt") for run in (folder, unbroken))
        for state in (ours, theirs):
            del state["history"]  # hashes wall times
            del state["outcome"]["peak_memory_mb"]
        assert same(ours, theirs)
    ours, theirs = read_result(folder), read_result(unbroken)
    assert ours.metrics == theirs.metrics
    assert ours.best_epochs == theirs.best_epochs
    assert not list(folder.rglob("*.tmp"))
