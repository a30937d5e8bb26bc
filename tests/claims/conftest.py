"""A tiny run of each task and its claim, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphkit.claim import claim
from graphkit.run import run

RUNS = {
    "link": {"dataset": "karate", "model": {"name": "gae", "hidden_channels": 8}, "train": {"epochs": 2}},
    "node": {"dataset": "karate", "model": {"name": "sage", "hidden_channels": 8}, "train": {"epochs": 2}},
    "graph": {"dataset": "planted-graphs", "model": {"name": "gin", "hidden_channels": 8}, "train": {"epochs": 1}},
    "recommend": {"dataset": "planted-interactions", "model": "gf-cf", "train": {"epochs": 0}},
    "image": {
        "dataset": "planted-patches",
        "model": {"name": "protopnet", "warm_epochs": 0, "head_epochs": 1},
        "train": {"epochs": 1},
    },
}
SEEDS = 2


@pytest.fixture(scope="package")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("claims")


@pytest.fixture(scope="package")
def runs(place: Path) -> dict[str, Path]:
    """The run folder of each task."""
    out = {"out": str(place / "runs"), "device": "cpu", "threads": 1, "seeds": SEEDS}
    return {task: run(task, **settings, **out).folder for task, settings in RUNS.items()}


@pytest.fixture(scope="package")
def claims(place: Path, runs: dict[str, Path]) -> dict[str, Path]:
    """The claim of each."""
    return {task: claim(folder, place / f"{task}.zip") for task, folder in runs.items()}


@pytest.fixture(scope="package")
def own_edges(place: Path) -> Path:
    """Own edges: a ring of 40 nodes with chords."""
    path = place / "secret folder" / "edges.csv"
    path.parent.mkdir()
    rows = [f"n{node},n{(node + step) % 40}" for step in (1, 2, 7) for node in range(40)]
    path.write_text("source,target\n" + "\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="package")
def own(place: Path, own_edges: Path) -> Path:
    """The claim of a run on own edges."""
    data = {"edges": str(own_edges)}
    folder = run("link", "custom", "aa", data=data, seeds=SEEDS, device="cpu", threads=1, out=str(place / "runs")).folder
    return claim(folder, place / "own.zip")
