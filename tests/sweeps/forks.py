"""Sweeps in processes of their own that are killed: forks of one process that has imported everything, so that each is quick.

    python -m tests.sweeps.forks killed FOLDER    # ten times kill -9 during 30 trials, then to the end
    python -m tests.sweeps.forks shared FOLDER    # two processes on one storage

Prints JSON: what each process said of its trials.
"""

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import lightning_fabric  # noqa: F401  (imported once, before the forks)
import optuna  # noqa: F401

import graphkit.sweeps.worker
import graphkit.tasks.node
import graphkit.training.runner  # noqa: F401
from graphkit.sweeps.record import Record

SETTINGS = ["task=node", "dataset=karate", "model=gcn", "train.epochs=3", "device=cpu", "threads=1"]
RANGES = ["model.dropout=0.1,0.3,0.5", "train.lr=interval(1e-3,1e-1)"]


def forked(work: Callable[[], None]) -> int:
    """The id of a child that does the work."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    finally:
        os._exit(status)


def begun(out: Path, *further: str) -> Path:
    """A sweep with no trial carried out."""
    from graphkit.conf.arguments import split
    from graphkit.conf.sweep import check_sweep
    from graphkit.data.catalog import DATASETS

    def begin() -> None:
        request = check_sweep(split([*SETTINGS, *RANGES, f"out={out}", *further]).assignments, DATASETS)
        graphkit.sweeps.worker.begin(request, lambda note: None)

    assert os.waitpid(forked(begin), 0)[1] == 0
    (folder,) = out.glob("sweep-*")
    return folder


def resumed(folder: Path, log: Path) -> int:
    """A process that goes on with a sweep and writes what it says to a file, a line at once."""

    def work() -> None:
        def hear(note: str) -> None:
            with log.open("a") as file:
                file.write(note + "\n")

        graphkit.sweeps.worker.work(Record.open(folder), hear, progress=False)

    return forked(work)


def killed(out: Path) -> dict[str, object]:
    """Ten kills, each at a random moment of another trial; then to the end."""
    folder, log, chance = begun(out, "trials=30"), out / "log.txt", random.Random(0)
    for _ in range(10):
        before = len(list((folder / "trials").iterdir()))
        child = resumed(folder, log)
        while len(list((folder / "trials").iterdir())) < before + 2:
            assert os.waitpid(child, os.WNOHANG) == (0, 0), log.read_text()
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.15))
        os.kill(child, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    done = len(Record.open(folder).finished())
    assert os.waitpid(resumed(folder, log), 0)[1] == 0
    return {"folder": str(folder), "finished_before": done, "said": log.read_text().splitlines()}


def shared(out: Path) -> dict[str, object]:
    """Two processes at once."""
    folder = begun(out, "trials=12", "sampler=random")
    logs = [out / "one.txt", out / "other.txt"]
    children = [resumed(folder, log) for log in logs]
    assert all(os.waitpid(child, 0)[1] == 0 for child in children)
    return {"folder": str(folder), "said": [log.read_text().splitlines() for log in logs]}


if __name__ == "__main__":
    print(json.dumps({"killed": killed, "shared": shared}[sys.argv[1]](Path(sys.argv[2]))))
