"""Falling learning rates: against their formulas, resumed at every place, in stages, and refused where they cannot go on."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from graphkit.errors import CheckpointError, Interrupted
from graphkit.training.protocol import Evaluation
from graphkit.training.runner import train_run
from graphkit.training.stages import Stage
from tests.training.fakes import Regression, Scripted, Staged, config
from tests.training.test_resume import Stop, assert_same_run

pytestmark = pytest.mark.usefixtures("checkpoint_every_epoch")

SETTINGS = {
    "step": {"schedule": "step", "decay": 0.5, "decay_every": 2},
    "cosine": {"schedule": "cosine"},
    "plateau": {"schedule": "plateau", "decay": 0.5, "decay_every": 1},
}


def rates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Any, **train: Any) -> list[tuple[float, ...]]:
    """The rates of each group at every step of the optimizer, repeats left out where nothing changed within an epoch."""
    seen: list[tuple[float, ...]] = []
    step = torch.optim.Adam.step

    def watched(self: torch.optim.Adam, closure: Any = None) -> Any:
        seen.append(tuple(group["lr"] for group in self.param_groups))
        return step(self, closure)

    monkeypatch.setattr(torch.optim.Adam, "step", watched)
    train_run(config(tmp_path, train=train), make)
    return seen


def test_step_and_cosine_follow_their_formulas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Two(Regression):
        def stages(self, model: torch.nn.Module) -> list[Stage]:
            first, *rest = model.parameters()
            return [Stage("train", [{"params": [first], "lr": 0.1}, {"params": rest, "lr": 0.02}])]

    steps = rates(tmp_path, monkeypatch, Two, epochs=6, **SETTINGS["step"])[::4]
    assert steps == [pytest.approx((lr, lr / 5)) for lr in (0.1, 0.1, 0.05, 0.05, 0.025, 0.025)]
    cosine = rates(tmp_path, monkeypatch, Two, epochs=6, **SETTINGS["cosine"])[::4]
    falling = [(1 + math.cos(math.pi * epoch / 6)) / 2 for epoch in range(6)]
    assert cosine == [pytest.approx((0.1 * share, 0.02 * share)) for share in falling]


class Listed(Scripted):
    """Validation metrics in the order of evaluation."""

    def evaluate(self, model: torch.nn.Module, splits: tuple[str, ...] = ("valid", "test")) -> Evaluation:
        self.evaluated.append(len(self.evaluated))
        value = self._scripts["valid"][self.evaluated[-1]]
        return Evaluation({split: {"score": value} for split in splits})


@pytest.mark.parametrize("lower", [False, True], ids=["higher", "lower"])
def test_a_plateau_counts_evaluations_without_gain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lower: bool) -> None:
    class Watched(Listed):
        lower_is_better = lower

    values = [2.0, 3.0, 3.0, 3.0, 4.0, 4.0, 4.0, 4.0, 4.0, 0.0]  # gains at the first, second and fifth; last: final evaluation
    make = Watched(valid=[9 - value if lower else value for value in values])
    found = rates(tmp_path, monkeypatch, lambda seed: make, epochs=9, lr=1.0, **SETTINGS["plateau"])
    assert [rate for (rate,) in found] == [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25]


def test_a_plateau_sees_evaluated_epochs_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = Listed(valid=[1.0] * 5)
    found = rates(tmp_path, monkeypatch, lambda seed: make, epochs=8, eval_every=2, lr=1.0, **SETTINGS["plateau"])
    assert [rate for (rate,) in found] == [1.0] * 6 + [0.5] * 2


def test_every_stage_begins_at_its_own_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [group[0] for group in rates(tmp_path, monkeypatch, Staged, epochs=3, **SETTINGS["cosine"])[::4]]
    halves, thirds = [1.0, 0.5], [1.0, 0.75, 0.25]
    assert found == pytest.approx([*(0.05 * x for x in halves), *(0.02 * x for x in thirds), *(0.01 * x for x in halves)])


@pytest.mark.parametrize("schedule", sorted(SETTINGS))
@pytest.mark.parametrize(("make", "stops"), [(Regression, (2, 11, 20)), (Staged, (3, 9, 21, 26))], ids=["one", "stages"])
def test_a_run_resumes_bit_for_bit(tmp_path: Path, schedule: str, make: Any, stops: tuple[int, ...]) -> None:
    settings = config(tmp_path, train={"epochs": 6 if make is Regression else 3, "lr": 0.05, **SETTINGS[schedule]})
    unbroken = train_run(settings, make).folder
    for number in stops:
        with pytest.raises(Interrupted) as caught:
            train_run(settings, lambda seed, number=number: make(seed, hook=Stop("step", number)))  # type: ignore[misc]
        folder = Path(str(caught.value).split("resume=", 1)[1])
        train_run(settings, make, folder=folder)
        assert_same_run(folder, unbroken)


def test_more_epochs(tmp_path: Path) -> None:
    longer: dict[str, Any] = {}
    for schedule, train in SETTINGS.items():
        short = train_run(config(tmp_path / schedule, train={"epochs": 4, **train}), Regression).folder
        longer[schedule] = short, config(tmp_path / schedule, train={"epochs": 7, **train})
    for schedule in ("step", "plateau"):
        folder, settings = longer[schedule]
        train_run(settings, Regression, folder=folder)
        assert_same_run(folder, train_run(config(tmp_path / "whole", train=settings["train"]), Regression).folder)
    folder, settings = longer["cosine"]
    with pytest.raises(CheckpointError, match=r"ends at 4 epochs \(train.schedule=cosine\), start a new run"):
        train_run(settings, Regression, folder=folder)
