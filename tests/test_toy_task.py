"""A new task is rows in three tables and code of its own: every door takes it, and no file of graphkit is edited."""

import json
import signal
from pathlib import Path

import numpy as np
import pytest

from graphkit import explain, predict, run
from graphkit.claim import claim
from graphkit.data import load
from graphkit.metrics import registry
from graphkit.metrics.registry import Kind
from graphkit.training import runner
from graphkit.training.artifacts import read_result
from graphkit.verify import verify
from tests.toy import Siding, register
from tests.training.compare import assert_same_run

RUN = ["task=toy", "device=cpu", "threads=1", "progress=false", "train.epochs=6", "seeds=2"]


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a test, the toy task is one of graphkit's."""
    register(monkeypatch.setitem)


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runner, "MIN_CHECKPOINT_SECONDS", 0.0)
    return tmp_path


def answer(capsys: pytest.CaptureFixture[str], *argv: str, code: int = 0) -> str:
    assert run.main(list(argv)) == code
    printed = capsys.readouterr()
    return printed.err if code else printed.out


def test_it_is_listed(capsys: pytest.CaptureFixture[str]):
    page = answer(capsys, "--list")
    for line in ("task=toy", "task.smoothing=0", "task=toy model=line", "model.spread=0.1", "dataset=points"):
        assert line in page
    assert "on which side a point lies; default model line, default data set points" in answer(capsys, "--list", "toy")
    assert "points (task=toy)" in " ".join(answer(capsys, "--help").split())


def test_a_dry_run_tells_its_facts(capsys: pytest.CaptureFixture[str]):
    told = json.loads(answer(capsys, *RUN, "--dry-run", "format=json"))
    assert (told["points"], told["splits"]) == (100, {"train": 60, "valid": 20, "test": 20})
    assert (told["parameters"], told["metric"], told["batches_per_epoch"]) == (2, "right", 3)
    assert told["protocol"] == "Points drawn by the seed, 60 to train on. Nothing was left out."
    assert told["settings"]["task"] == {"name": "toy", "smoothing": 0.0} and not Path("runs").exists()


def test_a_run_and_its_folder(capsys: pytest.CaptureFixture[str]):
    answer(capsys, *RUN, "task.smoothing=0.1")
    (folder,) = Path("runs").iterdir()
    result = read_result(folder)
    assert result is not None and (result.task, result.dataset, result.model) == ("toy", "points", "line")
    assert result.metrics["test"]["right"]["mean"] > 90
    page = (folder / "report.html").read_text()
    assert "points are only points" in page and "Nothing was left out." in page
    assert json.loads((folder / "data.json").read_text())["sizes"] == {"points": 100}
    assert json.loads((folder / "names/points.json").read_text())[:2] == ["p0", "p1"]
    rows = (folder / "seed-1/predictions.csv").read_text().splitlines()
    heights = np.load(folder / "seed-1/predictions.npz")["heights"]
    assert rows[0] == "point,height" and len(rows) == 101
    assert [float(row.split(",")[1]) for row in rows[1:]] == pytest.approx(heights.tolist())
    assert predict.main([f"run={folder}", "user=3"]) == 2
    assert (
        "is a run of task=toy, and predict serves task=link, task=node, task=graph, task=image, task=recommend"
        in capsys.readouterr().err
    )


def test_a_run_is_explained(capsys: pytest.CaptureFixture[str]):
    answer(capsys, *RUN)
    (folder,) = Path("runs").iterdir()
    assert explain.main([f"run={folder}", "point=p7", "seed=0", "device=cpu"]) == 0
    assert "Point p7 is there." in capsys.readouterr().out
    page = (folder / "explain/point-p7.html").read_text()
    assert "coordinate" in page and "score of its height" in page
    assert explain.main([f"run={folder}", "point=p700"]) == 2
    assert "no point 'p700' among 100; nearest: p70" in capsys.readouterr().err
    assert explain.main([f"run={folder}", "node=3"]) == 2
    assert "is a run of task=toy: give point=, not node=" in capsys.readouterr().err


def test_a_run_is_claimed(monkeypatch: pytest.MonkeyPatch):
    kind = Kind("right", ("toy",), "", meaning="share of points on their side", ties="none")
    monkeypatch.setattr(registry, "KINDS", (*registry.KINDS, kind))
    folder = run.run("toy", device="cpu", threads=1, train={"epochs": 2}, seeds=2).folder
    found = verify(claim(folder, "claim.zip"), retrain=1)
    assert found.holds and {(one.metric, one.of) for one in found.scores} == {("right", of) for of in ("mean", "std", 0, 1)}


@pytest.mark.parametrize("steps", [1, 7, 3 * 6 + 5], ids=["first step", "mid-way", "second seed"])
def test_a_killed_run_ends_as_the_unbroken_one(steps: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    answer(capsys, *RUN, "out=unbroken")
    plain, left = Siding.step, [steps]

    def step(self: Siding, *arguments):
        left[0] -= 1
        if left[0] == 0:
            signal.raise_signal(signal.SIGTERM)
        return plain(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Siding, "step", step)
        assert "continue with resume=" in answer(capsys, *RUN, "out=killed", code=130)
    (folder,), (unbroken,) = Path("killed").iterdir(), Path("unbroken").iterdir()
    assert not (folder / "result.json").exists()
    answer(capsys, f"resume={folder}")
    assert_same_run(folder, unbroken)


def test_the_first_task_is_built_once(monkeypatch: pytest.MonkeyPatch):
    built = []
    plain = Siding.__init__
    monkeypatch.setattr(Siding, "__init__", lambda self, data, *rest: (built.append(data.points), plain(self, data, *rest))[1])
    run.run("toy", device="cpu", train={"epochs": 1}, seeds=2)
    assert [points.equal(load("points", task="toy", seed=seed).points) for seed, points in enumerate(built)] == [True, True]


def test_its_row_says_what_it_refuses(capsys: pytest.CaptureFixture[str]):
    lines = answer(capsys, *RUN, "data.scale=none", "data.edges=e", "dataset=digits", code=2)
    assert "data.scale=none: task=toy takes points where they lie, leave it out" in lines
    assert "data.edges: own files need dataset=custom, not dataset=digits" in lines
    assert "dataset=digits: it serves task=node/link/image, not task=toy, which has points" in lines
