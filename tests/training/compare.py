"""Whether two runs are the same: weights, predictions, checkpoints and tables bit for bit, all but wall time."""

import csv

import torch

from graphkit.training.artifacts import read_result
from graphkit.training.checkpoint import load_checkpoint


def table(folder):
    """metrics.csv without the two columns that hold wall time."""
    with (folder / "metrics.csv").open() as file:
        return [{key: cell for key, cell in row.items() if "seconds" not in key} for row in csv.DictReader(file)]


def differences(a, b, at="state"):
    """Where two states differ, wall times left out."""
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        return [found for key in a if "seconds" not in str(key) for found in differences(a[key], b[key], f"{at}[{key!r}]")]
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return [found for i, pair in enumerate(zip(a, b, strict=True)) for found in differences(*pair, f"{at}[{i}]")]
    equal = torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b
    return [] if equal else [f"{at}: {a} is not {b}"]


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
        assert not (found := differences(ours, theirs)), found[:3]
    ours, theirs = read_result(folder), read_result(unbroken)
    assert ours.metrics == theirs.metrics
    assert ours.best_epochs == theirs.best_epochs
    assert not list(folder.rglob("*.tmp"))
