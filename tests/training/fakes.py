"""Tiny tasks that need no graph: a regression with dropout, a script of metrics, a score without parameters."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from graphkit.training.protocol import Evaluation
from graphkit.training.stages import Stage
from graphkit.training.table import Columns


def config(out: Path, **changes: Any) -> dict[str, Any]:
    """A resolved configuration; `train={...}` is merged into its group."""
    base: dict[str, Any] = {
        "task": {"name": "fake", "metric": "auto"},
        "dataset": "numbers",
        "model": {"name": "linear", "dropout": 0.3},
        "data": {"root": None, "edges": None, "features": None, "labels": None, "split": [0.7, 0.1, 0.2]},
        "train": {
            "epochs": 6,
            "batch_size": 0,
            "eval_batch_size": 65536,
            "lr": 0.01,
            "head_lr": None,
            "weight_decay": 0.0,
            "clip_norm": 0.0,
            "eval_every": 1,
            "patience": 0,
            "checkpoint_every": 1,
            "schedule": "none",
            "decay": 0.5,
            "decay_every": 50,
        },
        "recipe": "auto",
        "seed": 0,
        "seeds": 1,
        "device": "cpu",
        "precision": "32-true",
        "deterministic": True,
        "threads": 1,
        "out": str(out),
        "resume": None,
        "progress": False,
        "tensorboard": False,
        "format": "text",
    }
    changes = copy.deepcopy(changes)
    base["train"].update(changes.pop("train", {}))
    return {**base, **changes}


class Nameless:
    """What tasks without a data set say of it: nothing."""

    def table(self, predictions: dict[str, np.ndarray]) -> Columns:
        return {}

    def facts(self) -> dict[str, Any]:
        return {}


class Regression(Nameless):
    """Mean squared error of a small network with dropout; draws on every global generator, batches on the loop's own."""

    metric = "fit"
    lower_is_better = False
    metrics = ("fit", "other")
    num_batches = 4

    def __init__(self, seed: int, device: str = "cpu", hook: Callable[[str], None] = lambda place: None) -> None:
        source = torch.Generator().manual_seed(seed + 100)
        self._x = torch.randn(40, 6, generator=source).to(device)
        self._y = (self._x @ torch.randn(6, 1, generator=source).to(device)).squeeze(1)
        self._device, self._hook = device, hook

    def build_model(self) -> nn.Module:
        return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.3), nn.BatchNorm1d(8), nn.Linear(8, 1)).to(self._device)

    def stages(self, model: nn.Module) -> list[Stage]:
        layers = list(model.children())
        body = [parameter for layer in layers[:-1] for parameter in layer.parameters()]
        return [Stage("train", [{"params": body, "lr": 0.02}, {"params": list(layers[-1].parameters()), "lr": 0.01}])]

    def batches(self, generator: torch.Generator) -> Iterator[Tensor]:
        order = torch.randperm(24, generator=generator)
        for batch in order.chunk(self.num_batches):
            yield batch.to(self._device)

    def step(self, model: nn.Module, batch: Tensor, backward: Callable[[Tensor], None]) -> Tensor:
        self._hook("step")
        noise = float(np.random.rand()) * 0.01 + random.random() * 0.01  # so that a resume must restore these generators too
        total = torch.zeros((), device=self._device)
        for part in batch.chunk(2):  # in two pieces, as a task with micro-batches does
            error = model(self._inputs(model)[part]).squeeze(1) - self._y[part] - noise
            loss = error.square().sum() / len(batch)
            backward(loss)
            total = total + loss.detach()
        return total

    def _inputs(self, model: nn.Module) -> Tensor:
        return self._x.to(next(model.parameters()).dtype)

    def evaluate(self, model: nn.Module, splits: tuple[str, ...] = ("valid", "test")) -> Evaluation:
        self._hook("evaluate")
        assert not model.training
        assert not torch.is_grad_enabled()
        rows = {"valid": slice(24, 32), "test": slice(32, 40)}
        scores = model(self._inputs(model)).squeeze(1)
        errors = {split: float((scores[rows[split]] - self._y[rows[split]]).square().mean()) for split in splits}
        return Evaluation({split: {"fit": -error, "other": error / 2} for split, error in errors.items()})

    def predictions(self, model: nn.Module) -> dict[str, np.ndarray]:
        self._hook("predictions")
        return {"scores": model(self._inputs(model)).squeeze(1).cpu().numpy()}


class Staged(Regression):
    """The regression in four stages: its last layer, all of it, a step without gradients that draws, its last layer again."""

    def stages(self, model: nn.Module) -> list[Stage]:
        whole, last = list(model.parameters()), list(list(model.children())[-1].parameters())

        def jump(epoch: int) -> None:
            self._hook("jump")
            with torch.no_grad():
                for parameter in whole:
                    parameter += 0.05 * epoch * torch.randn_like(parameter)

        def plain(model: nn.Module, batch: Tensor, backward: Callable[[Tensor], None]) -> Tensor:
            self._hook("step")
            loss = (model(self._inputs(model)[batch]).squeeze(1) - self._y[batch]).abs().mean()
            backward(loss)
            return loss.detach()

        return [
            Stage("warm", [{"params": last, "lr": 0.05}], epochs=2, selects=False),
            Stage("joint", [{"params": whole, "lr": 0.02}]),
            Stage("jump", [], epochs=1, after_epoch=jump, selects=False),
            Stage("head", [{"params": last, "lr": 0.01}], epochs=2, step=plain),
        ]


class Scripted(Nameless):
    """One weight that counts epochs (Adam with lr 1 on a constant gradient), and metrics read off a script by it."""

    metric = "score"
    lower_is_better = False
    metrics = ("score",)
    num_batches = 1

    def __init__(
        self,
        valid: list[float],
        test: list[float] | None = None,
        losses: dict[int, float] | None = None,
        valid_losses: list[float] | None = None,
    ) -> None:
        self._scripts = {"valid": valid, "test": test or valid}
        self._losses, self._valid_losses = losses or {}, valid_losses
        self.evaluated: list[int] = []
        self.asked: list[int] = []
        """Epochs whose loss on validation was asked for."""

    def build_model(self) -> nn.Module:
        model = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(model.weight)
        return model

    def stages(self, model: nn.Module) -> list[Stage]:
        return [Stage("train", [{"params": list(model.parameters()), "lr": 1.0}])]

    def batches(self, generator: torch.Generator) -> Iterator[int]:
        yield 0

    def step(self, model: nn.Module, batch: int, backward: Callable[[Tensor], None]) -> Tensor:
        loss = -next(model.parameters()).sum()
        backward(loss)
        return loss + self._losses.get(round(-float(loss.detach())) + 1, 0.0)

    def evaluate(self, model: nn.Module, splits: tuple[str, ...] = ("valid", "test")) -> Evaluation:
        epoch = round(float(next(model.parameters()).sum()))
        self.evaluated.append(epoch)
        metrics = {split: {"score": self._scripts[split][epoch - 1]} for split in splits}
        losses = self._valid_losses
        return Evaluation(metrics, None if losses is None else lambda: self._loss_asked(epoch, losses[epoch - 1]))

    def _loss_asked(self, epoch: int, loss: float) -> float:
        self.asked.append(epoch)
        return loss

    def predictions(self, model: nn.Module) -> dict[str, np.ndarray]:
        return {"weight": next(model.parameters()).detach().numpy()}


class Heuristic(Nameless):
    """A score without parameters."""

    metric = "score"
    lower_is_better = False
    metrics = ("score",)
    num_batches = 3

    def __init__(self) -> None:
        self.evaluations = 0

    def build_model(self) -> nn.Module:
        return nn.Identity()

    def stages(self, model: nn.Module) -> list[Stage]:
        return []

    def batches(self, generator: torch.Generator) -> Iterator[int]:
        raise AssertionError("nothing to train")

    def step(self, model: nn.Module, batch: int, backward: Callable[[Tensor], None]) -> Tensor:
        raise AssertionError("nothing to train")

    def evaluate(self, model: nn.Module, splits: tuple[str, ...] = ("valid", "test")) -> Evaluation:
        self.evaluations += 1
        return Evaluation({split: {"score": 41.5} for split in splits}, self._no_loss)

    def _no_loss(self) -> float:
        raise AssertionError("a single evaluation has no tie")

    def predictions(self, model: nn.Module) -> dict[str, np.ndarray]:
        return {"scores": np.arange(3.0)}
