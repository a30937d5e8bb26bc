"""One seed's training: epochs, selection by validation, early stopping, and a state that continues bit for bit."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from graphkit.errors import RequestError, RunError
from graphkit.training.protocol import Task
from graphkit.training.result import Metrics
from graphkit.training.runtime import random_states, restore_random_states

Weights = dict[str, Tensor]
_ADVICE = "lower train.lr, set train.clip_norm, or check the features"


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave; `metrics` is None where it was not evaluated, `loss` None where nothing was trained."""

    number: int
    loss: float | None
    seconds: float
    eval_seconds: float
    metrics: Metrics | None


@dataclass
class Progress:
    """Where training stands; with the weights, the optimizer and the random states it is all that a resume needs.

    `best_loss` is what a tie with the best epoch is judged by; None in checkpoints from before it was kept.
    """

    epoch: int = 0
    best_epoch: int | None = None
    best_loss: float | None = None
    best_metrics: Metrics = field(default_factory=dict)
    evaluations_without_gain: int = 0
    seconds: float = 0.0


class Trainer:
    """Trains one model on one task.

    Args:
        task: What a batch, a loss and a metric are.
        train: The settings of `graphkit.conf.schema.Train`.
        fabric: Device and precision.
        seed: Seeds the generator that batches are drawn from.
        on_step: Called with (epoch, share of its batches done).
    """

    def __init__(
        self, task: Task, train: dict[str, Any], fabric: Fabric, seed: int, on_step: Callable[[int, float], None]
    ) -> None:
        self.task, self.fabric = task, fabric
        self.progress = Progress()
        self._train, self._on_step = train, on_step
        # The task calls more of a model than its forward, so it gets the module itself and the loop enters autocast.
        self.model: nn.Module = fabric.setup_module(task.build_model()).module
        self.num_parameters = sum(parameter.numel() for parameter in self.model.parameters())
        groups = task.param_groups(self.model) if train["epochs"] > 0 else []
        self.optimizer = self._adam(groups) if groups else None
        self._wrapped = fabric.setup_optimizers(self.optimizer) if self.optimizer else None
        self._generator = torch.Generator().manual_seed(seed)
        self._best_weights: Weights = {}

    def _adam(self, groups: list[dict[str, Any]]) -> torch.optim.Adam:
        # Fused Adam unscales gradients itself, which Fabric's clipping cannot precede: foreach under 16-mixed.
        fused = self.fabric.strategy.precision.precision != "16-mixed"
        return torch.optim.Adam(
            groups,
            lr=self._train["lr"],
            weight_decay=self._train["weight_decay"],
            fused=fused,
            foreach=None if fused else True,
        )

    @property
    def finished(self) -> bool:
        """All epochs are through, or patience has run out."""
        progress, patience, epochs = self.progress, int(self._train["patience"]), int(self._train["epochs"])
        if self.optimizer is None:
            return progress.best_epoch is not None
        return progress.epoch >= epochs or 0 < patience <= progress.evaluations_without_gain

    def advance(self) -> Epoch:
        """Train an epoch and, where it is due, evaluate; without parameters or epochs: evaluate once, as epoch 0."""
        began = time.perf_counter()
        number, loss = 0, None
        if self.optimizer is not None:
            number = self.progress.epoch + 1
            loss = self._train_epoch(number)
        trained = time.perf_counter()
        due = number % self._train["eval_every"] == 0 or number >= self._train["epochs"]
        metrics = self._select(number, loss) if due else None
        ended = time.perf_counter()
        self.progress.epoch = number
        self.progress.seconds += ended - began
        return Epoch(number, loss, trained - began, ended - trained, metrics)

    def _train_epoch(self, epoch: int) -> float:
        losses: list[Tensor] = []
        checked_at_once = self.fabric.device.type == "cpu"  # on CUDA reading every loss would stall the stream
        self.model.train()
        for batch in self.task.batches(self._generator):
            losses.append(self._step(batch, epoch, len(losses) + 1, checked_at_once))
            self._on_step(epoch, len(losses) / max(self.task.num_batches, len(losses)))
        if not losses:
            raise RequestError("an epoch has no training batch: lower train.batch_size or add training examples")
        values = torch.stack(losses).tolist()
        for number, value in enumerate(values, start=1):
            _require_finite(value, epoch, number)
        return math.fsum(values) / len(values)

    def _step(self, batch: Any, epoch: int, number: int, check: bool) -> Tensor:
        optimizer = cast(Any, self._wrapped)
        optimizer.zero_grad(set_to_none=True)
        with self.fabric.autocast():
            loss = self.task.step(self.model, batch, self._backward).detach().double()
        if check:
            _require_finite(loss.item(), epoch, number)
        if self._train["clip_norm"] > 0:
            self.fabric.clip_gradients(
                self.model, optimizer, max_norm=self._train["clip_norm"], error_if_nonfinite=False
            )  # under 16-mixed the scaler skips a step with gradients that are not finite
        optimizer.step()
        return loss

    def _backward(self, loss: Tensor) -> None:
        with torch.autocast(self.fabric.device.type, enabled=False):  # autocast is for the forward pass
            self.fabric.backward(loss)

    def _select(self, epoch: int, trained: float | None) -> Metrics:
        """Evaluate; keep the weights if the validation metric rose, or if it is the best so far again at a lower loss.

        The loss of a tie is the task's on validation, or else the mean training loss of the epoch; one that is not finite is
        the worst, and of equal ones the earlier epoch stays. Patience counts a tie as an evaluation without gain.
        """
        metrics = self.evaluate()
        value = metrics["valid"][self.task.metric]
        if not math.isfinite(value):
            raise RunError(f"the validation {self.task.metric} is {value} after epoch {epoch}: {_ADVICE}")
        progress = self.progress
        best = -math.inf if progress.best_epoch is None else progress.best_metrics["valid"][self.task.metric]
        progress.evaluations_without_gain = 0 if value > best else progress.evaluations_without_gain + 1
        if value < best:
            return metrics
        loss = self._loss_of_tie(trained)
        if value > best or (progress.best_loss is not None and loss < progress.best_loss):
            progress.best_epoch, progress.best_loss, progress.best_metrics = epoch, loss, metrics
            self._best_weights = _copy(self.model.state_dict())
        return metrics

    def _loss_of_tie(self, trained: float | None) -> float:
        if trained is None:  # nothing is trained, so no second evaluation can tie with this one
            return math.inf
        with self.evaluating():
            loss = self.task.valid_loss(self.model)
        loss = trained if loss is None else loss
        return loss if math.isfinite(loss) else math.inf

    def evaluate(self) -> Metrics:
        """Metrics of validation and test with the present weights.

        Under a mixed precision this runs in full precision: scores of 8 bits tie, and ties decide ranking metrics.
        """
        with self.evaluating():
            return self.task.evaluate(self.model, ("valid", "test"))

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Within: eval mode, no gradients, full precision."""
        mixed = str(self.fabric.strategy.precision.precision).endswith("-mixed")
        self.model.eval()
        with torch.no_grad(), nullcontext() if mixed else self.fabric.autocast():
            yield

    @property
    def best_weights(self) -> Weights:
        """The weights of the selected epoch, on the CPU."""
        return self._best_weights

    def state(self) -> dict[str, Any]:
        """Everything that the next epoch depends on, as tensors and plain values."""
        weights = _copy(self.model.state_dict())
        newest = self.progress.best_epoch == self.progress.epoch
        return {
            "model": weights,
            "best_model": weights if newest else self._best_weights,  # shared tensors are stored once
            "optimizer": self.optimizer.state_dict() if self.optimizer else None,
            "precision": self.fabric.strategy.precision.state_dict(),
            "generator": self._generator.get_state(),
            "random": random_states(self.fabric.device),
            "progress": asdict(self.progress),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue where `state` was taken."""
        self.model.load_state_dict(state["model"])
        self._best_weights = state["best_model"]
        if self.optimizer is not None:
            self.optimizer.load_state_dict(state["optimizer"])
        self.fabric.strategy.precision.load_state_dict(state["precision"])
        self._generator.set_state(state["generator"])
        self.progress = Progress(**state["progress"])
        restore_random_states(state["random"], self.fabric.device)


def _copy(weights: Weights) -> Weights:
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in weights.items()}


def _require_finite(loss: float, epoch: int, step: int) -> None:
    if not math.isfinite(loss):
        raise RunError(f"the loss is {loss} at epoch {epoch}, step {step}: {_ADVICE}")
