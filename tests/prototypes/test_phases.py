"""The phases through the real training loop: what is kept is projected, and a resumed run ends where an unbroken one does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from graphkit.errors import Interrupted
from graphkit.metrics.classification import accuracy
from graphkit.prototypes import LinearHead, PartBatch, Phase, PrototypeBank, Training, class_identity, losses, phases, project
from graphkit.prototypes.phases import holding
from graphkit.training.protocol import Evaluation
from graphkit.training.runner import train_run
from graphkit.training.stages import Stage
from tests.training.compare import assert_same_run
from tests.training.fakes import config

NUM_CLASSES, WIDTH, COUNT = 3, 5, 90


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(WIDTH, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 4))
        self.bank = PrototypeBank(class_identity([2, 1, 2]), 4)
        self.head = LinearHead(self.bank.identity)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.bank(PartBatch.of_nodes(self.encoder(x))).similarity)


class Prototypical:
    metric = "accuracy"
    metrics = ("accuracy",)
    lower_is_better = False
    num_batches = 2

    def __init__(self, seed: int, stop: Callable[[str], None] = lambda phase: None, held: bool = True) -> None:
        source = torch.Generator().manual_seed(seed + 100)
        self.y = torch.arange(COUNT) % NUM_CLASSES
        self.x = torch.randn(COUNT, WIDTH, generator=source) + 2 * torch.eye(WIDTH)[self.y]
        self.train = torch.arange(COUNT) < 60
        self.stop, self.held = stop, held
        self.selected_as_projected: list[bool] = []
        self.model: Net | None = None

    def build_model(self) -> nn.Module:
        self.model = Net()
        return self.model

    def stages(self, model: Net) -> list[Stage]:
        held = (model.encoder, model.bank) if self.held else ()
        found = phases(
            step=self.step,
            project=lambda: self.project(model),
            warm=Training([{"params": [model.bank.weight], "lr": 0.03}], 2, held=(model.encoder,)),
            joint=Training([{"params": [*model.encoder.parameters(), model.bank.weight], "lr": 0.02}], 3),
            head=Training([{"params": list(model.head.parameters()), "lr": 0.01}], 2, held=held),
            cycles=2,
        )
        return [Stage(**vars(phase)) for phase in found]

    def project(self, model: Net) -> None:
        self.stop("project")
        project(model.bank, model.encoder, lambda: [PartBatch.of_nodes(model.encoder(self.x))], labels=self.y, train=self.train)

    def batches(self, generator: torch.Generator) -> Iterator[Tensor]:
        yield from torch.randperm(60, generator=generator).chunk(self.num_batches)

    def step(self, model: Net, batch: Tensor, backward: Callable[[Tensor], None]) -> Tensor:
        self.stop("step")
        pooled = model.bank(PartBatch.of_nodes(model.encoder(self.x[batch])))
        loss = nn.functional.cross_entropy(model.head(pooled.similarity), self.y[batch])
        loss = loss + 0.8 * losses.cluster(pooled.similarity, self.y[batch], model.bank.identity)
        backward(loss)
        return loss.detach()

    def evaluate(self, model: Net, splits: tuple[str, ...] = ("valid", "test")) -> Evaluation:
        rows = {"valid": slice(60, 75), "test": slice(75, 90)}
        self.selected_as_projected.append(model.bank.is_projected(model.encoder))
        logits = model(self.x)
        metrics = {split: {"accuracy": 100 * accuracy(logits[rows[split]], self.y[rows[split]])} for split in splits}
        return Evaluation(metrics, lambda: float(nn.functional.cross_entropy(logits[60:75], self.y[60:75])))

    def predictions(self, model: Net) -> dict[str, np.ndarray]:
        return {"scores": model(self.x).cpu().numpy()}

    def table(self, predictions: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {}


def settings(out: Path) -> dict[str, Any]:
    return config(out, train={"epochs": 5})


def test_phases_are_stages() -> None:
    assert {field.name for field in fields(Phase)} <= {field.name for field in fields(Stage)}


def test_only_projected_prototypes_are_selected(tmp_path: Path) -> None:
    tasks: list[Prototypical] = []

    def make(seed: int) -> Prototypical:
        tasks.append(Prototypical(seed))
        return tasks[-1]

    folder = train_run(settings(tmp_path), make).folder
    task = next(task for task in tasks if task.selected_as_projected)
    cycle = [*3 * [False], True, True, True]
    assert task.selected_as_projected[:14] == [False, False, *cycle, *cycle]
    net = Net()
    net.load_state_dict(load_file(folder / "seed-0" / "best.safetensors"))
    assert net.bank.projected and net.bank.is_projected(net.encoder)
    net.eval()
    embedded = net.encoder(task.x)
    sources = net.bank.source[:, 0]
    torch.testing.assert_close(embedded[sources], net.bank.weight, rtol=0, atol=1e-6)
    assert task.train[sources].all()
    assert net.bank.identity[torch.arange(5), task.y[sources]].all()


def test_a_head_phase_that_holds_nothing_is_found_out(tmp_path: Path) -> None:
    tasks: list[Prototypical] = []

    def make(seed: int) -> Prototypical:
        tasks.append(Prototypical(seed, held=False))
        return tasks[-1]

    train_run(settings(tmp_path), make)
    task = next(task for task in tasks if task.selected_as_projected)
    assert task.selected_as_projected[5:8] == [True, False, False]  # batch norm went on while the head was trained


class StopAt:
    def __init__(self, phase: str, count: int) -> None:
        self.phase, self.left = phase, count

    def __call__(self, phase: str) -> None:
        if phase == self.phase:
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("phase", "count"), [("step", 8), ("project", 1), ("step", 13), ("step", 17), ("project", 2), ("step", 24)]
)
def test_a_resumed_run_ends_where_the_unbroken_one_does(tmp_path: Path, phase: str, count: int) -> None:
    unbroken = train_run(settings(tmp_path / "a"), Prototypical).folder
    with pytest.raises(Interrupted) as caught:
        train_run(settings(tmp_path / "b"), lambda seed: Prototypical(seed, StopAt(phase, count)))
    folder = Path(str(caught.value).split("resume=", 1)[1])
    train_run(settings(tmp_path / "b"), Prototypical, folder=folder)
    assert_same_run(folder, unbroken)


def test_held_modules_do_not_change() -> None:
    torch.manual_seed(0)
    net = Net()
    before = {name: value.clone() for name, value in net.encoder.state_dict().items()}
    net.train()

    def step(model: Net, batch: Tensor, backward: Callable[[Tensor], None]) -> Tensor:
        return model(batch).sum()

    x = torch.randn(7, WIDTH)
    held = holding(step, [net.encoder])
    assert held(net, x, lambda loss: None) == held(net, x, lambda loss: None)  # no dropout
    assert all(torch.equal(value, before[name]) for name, value in net.encoder.state_dict().items())
    assert not net.encoder.training and net.head.training


def test_lengths_are_checked() -> None:
    one = Training([], 1)
    with pytest.raises(ValueError, match=r"cycles and epochs must be at least 1, got 0 and \[1, 1\]"):
        phases(step=lambda m, b, k: torch.zeros(()), project=lambda: None, joint=one, head=one, cycles=0)
    with pytest.raises(ValueError, match=r"got 1 and \[0, 1, 1\]"):
        phases(step=lambda m, b, k: torch.zeros(()), project=lambda: None, warm=Training([], 0), joint=one, head=one)
