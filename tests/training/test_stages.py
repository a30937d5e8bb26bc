"""Training in stages: against a loop written out, resumed at every place, and what each stage may move and select."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from graphkit.errors import CheckpointError, Interrupted
from graphkit.training import runner
from graphkit.training.checkpoint import load_checkpoint
from graphkit.training.result import RunResult
from graphkit.training.runner import train_run
from graphkit.training.stages import Stage
from tests.training.fakes import Regression, Scripted, Staged, config
from tests.training.test_resume import Stop, assert_same_run

EPOCHS = 2 + 3 + 1 + 2


pytestmark = pytest.mark.usefixtures("checkpoint_every_epoch")


def settings(tmp_path: Path) -> dict[str, Any]:
    return config(tmp_path, train={"epochs": 3})


def staged_run(tmp_path: Path, place: str = "", number: int = 0) -> RunResult:
    return train_run(settings(tmp_path), lambda seed: Staged(seed, hook=Stop(place, number)))


def test_stages_equal_a_loop_written_out(tmp_path: Path) -> None:
    result = staged_run(tmp_path)
    runner.seed_everything(0)
    task = Staged(0)
    model = task.build_model()
    generator = torch.Generator().manual_seed(0)
    last, whole = list(list(model.children())[-1].parameters()), list(model.parameters())
    warm, joint, jump, head = task.stages(model)
    plan = [("warm", last, 0.05, task.step)] * 2 + [("joint", whole, 0.02, task.step)] * 3 + [("jump", [], 0.0, None)]
    plan += [("head", last, 0.01, head.step)] * 2
    optimizer, before, valid, test = None, "", {}, {}
    for epoch, (name, moving, lr, step) in enumerate(plan, start=1):
        if name != before:
            optimizer, before = torch.optim.Adam(moving, lr=lr, foreach=False) if moving else None, name
        model.train()
        for batch in task.batches(generator) if optimizer else ():
            model.zero_grad()
            step(model, batch, lambda loss: loss.backward())
            optimizer.step()
        if name == "jump":
            jump.after_epoch(1)
        model.eval()
        with torch.no_grad():
            metrics = task.evaluate(model).metrics
        if name in ("joint", "head"):
            valid[epoch], test[epoch] = metrics["valid"]["fit"], metrics["test"]["fit"]
    best = max(valid, key=lambda epoch: (valid[epoch], -epoch))
    assert result.best_epochs == (best,)
    assert result.metrics["valid"]["fit"]["mean"] == pytest.approx(valid[best], rel=1e-4)
    assert result.metrics["test"]["fit"]["mean"] == pytest.approx(test[best], rel=1e-4)
    assert joint.epochs is None and warm.selects is False


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return staged_run(tmp_path_factory.mktemp("unbroken")).folder


# 4 steps in each of the epochs but the jump's, an evaluation after each, one at the end
@pytest.mark.parametrize(
    ("place", "number"),
    [("step", 3), ("step", 8), ("step", 9), ("step", 14), ("evaluate", 2), ("evaluate", 5), ("jump", 1), ("evaluate", 6),
     ("step", 21), ("step", 26), ("evaluate", EPOCHS + 1), ("predictions", 1)],
)  # fmt: skip
def test_a_staged_run_resumes_bit_for_bit(tmp_path: Path, unbroken: Path, place: str, number: int) -> None:
    with pytest.raises(Interrupted) as caught:
        staged_run(tmp_path, place, number)
    folder = Path(str(caught.value).split("resume=", 1)[1])
    train_run(settings(tmp_path), Staged, folder=folder)
    assert_same_run(folder, unbroken)


def test_only_the_parameters_of_the_stage_move(tmp_path: Path) -> None:
    states = {}
    for place, number in (("step", 1), ("step", 9), ("jump", 1)):
        seen: list[dict[str, torch.Tensor]] = []

        class Watched(Staged):
            def build_model(self) -> torch.nn.Module:
                self.model = super().build_model()
                return self.model

            def evaluate(self, model: torch.nn.Module, splits: tuple[str, ...] = ("valid", "test")) -> Any:
                seen.append({name: value.clone() for name, value in model.named_parameters()})  # noqa: B023
                return super().evaluate(model, splits)

        train_run(config(tmp_path, train={"epochs": 3}), Watched)
        states[place, number] = seen
    epochs = next(iter(states.values()))
    body, last = "0.weight", "4.weight"
    assert torch.equal(epochs[0][body], epochs[1][body]) and not torch.equal(epochs[0][last], epochs[1][last])  # warm
    assert not torch.equal(epochs[2][body], epochs[3][body])  # joint
    assert not torch.equal(epochs[4][body], epochs[5][body])  # jump
    assert torch.equal(epochs[5][body], epochs[7][body]) and not torch.equal(epochs[6][last], epochs[7][last])  # head


def test_only_the_parameters_of_the_stage_get_gradients(tmp_path: Path) -> None:
    seen: list[set[str]] = []

    class Watched(Staged):
        def batches(self, generator: torch.Generator) -> Iterator[torch.Tensor]:
            seen.append({name for name, parameter in self.model.named_parameters() if parameter.requires_grad})
            return super().batches(generator)

        def build_model(self) -> torch.nn.Module:
            self.model = super().build_model()
            return self.model

    train_run(settings(tmp_path), Watched)
    last = {"4.weight", "4.bias"}
    whole = last | {"0.weight", "0.bias", "3.weight", "3.bias"}
    assert seen == [last] * 2 + [whole] * 3 + [last] * 2


def test_patience_ends_a_stage_and_not_the_run(tmp_path: Path) -> None:
    class Two(Scripted):
        def stages(self, model: torch.nn.Module) -> list[Stage]:
            groups = [{"params": list(model.parameters()), "lr": 1.0}]
            return [Stage("first", groups, epochs=6), Stage("second", groups, epochs=2)]

    task = Two(valid=[5.0, 4.0, 3.0, 9.0, 2.0, 1.0])
    result = train_run(config(tmp_path, train={"patience": 2}), lambda seed: task)
    assert task.evaluated == [1, 2, 3, 4, 5, 4]  # two without gain end the first stage, two epochs are the second
    assert result.best_epochs == (4,)


def test_a_last_stage_that_selects_nothing_is_refused(tmp_path: Path) -> None:
    class Blind(Regression):
        def stages(self, model: torch.nn.Module) -> list[Stage]:
            return [Stage("train", super().stages(model)[0].groups, selects=False)]

    with pytest.raises(ValueError, match="the last stage, 'train', must select an epoch"):
        train_run(settings(tmp_path), Blind)


def test_a_checkpoint_of_before_there_were_stages_resumes(tmp_path: Path) -> None:
    unbroken = train_run(config(tmp_path / "a"), Regression).folder
    with pytest.raises(Interrupted) as caught:
        train_run(config(tmp_path / "b"), lambda seed: Regression(seed, hook=Stop("step", 14)))
    folder = Path(str(caught.value).split("resume=", 1)[1])
    path = folder / "seed-0" / "last.ckpt"
    state = load_checkpoint(path)
    del state["progress"]["stage"], state["progress"]["stage_epoch"], state["format"]
    runner.save_checkpoint(path, state)
    train_run(config(tmp_path / "b"), Regression, folder=folder)
    assert_same_run(folder, unbroken)


def test_a_staged_run_gets_no_more_epochs_and_stays_finished(tmp_path: Path) -> None:
    folder = staged_run(tmp_path).folder
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    longer = config(tmp_path, train={"epochs": 5})
    with pytest.raises(CheckpointError, match="trained in stages cannot get more epochs"):
        train_run(longer, Staged, folder=folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
    assert train_run(settings(tmp_path), Staged, folder=folder).best_epochs
