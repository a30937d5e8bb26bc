"""One seed's training: epochs, selection by validation, early stopping, and a state that continues bit for bit."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from graphkit.errors import RequestError, RunError
from graphkit.training.protocol import AnyTask, Evaluation, LoopSettings
from graphkit.training.result import Metrics
from graphkit.training.runtime import random_states, restore_random_states
from graphkit.training.schedules import Schedule
from graphkit.training.stages import Stage

if TYPE_CHECKING:
    from lightning_fabric import Fabric

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

    `epoch` counts over all stages, `stage_epoch` within stage number `stage`. `best_loss` is what a tie with the best epoch is
    judged by; None in checkpoints from before it was kept.
    """

    epoch: int = 0
    best_epoch: int | None = None
    best_loss: float | None = None
    best_metrics: Metrics = field(default_factory=dict)
    evaluations_without_gain: int = 0
    seconds: float = 0.0
    stage: int = 0
    stage_epoch: int = 0


class Trainer:
    """Trains one model on one task.

    Args:
        task: What a batch, a loss and a metric are.
        train: How long, how fast, how often.
        fabric: Device and precision.
        seed: Seeds the generator that batches are drawn from.
        on_step: Called with (epoch, share of its batches done).

    Raises:
        ValueError: If the last stage selects no epoch.
    """

    def __init__(
        self,
        task: AnyTask,
        train: LoopSettings,
        fabric: Fabric,
        seed: int,
        on_step: Callable[[int, float], None],
    ) -> None:
        self.task, self.fabric = task, fabric
        self.progress = Progress()
        self._train, self._on_step = train, on_step
        # The task calls more of a model than its forward, so it gets the module itself and the loop enters autocast.
        self.model: nn.Module = fabric.setup_module(task.build_model()).module
        self.num_parameters = sum(parameter.numel() for parameter in self.model.parameters())
        self._learnable = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self._stages = tuple(task.stages(self.model)) if train.epochs > 0 else ()
        if self._stages and not self._stages[-1].selects:
            raise ValueError(f"the last stage, {self._stages[-1].name!r}, must select an epoch")
        self._generator = torch.Generator().manual_seed(seed)
        self._best_weights: Weights = {}
        self._enter_stage()

    def _enter_stage(self) -> None:
        """Make optimizer and schedule of the stage that progress names, and let only its parameters move."""
        stage = self._stage
        groups = [] if stage is None else list(stage.groups)
        self.optimizer = self._adam(groups) if groups else None
        self._wrapped = self.fabric.setup_optimizers(self.optimizer) if self.optimizer else None
        self._schedule: Schedule | None = None
        if stage is not None and self.optimizer is not None and self._train.schedule != "none":
            lower = self.task.lower_is_better
            self._schedule = Schedule(self.optimizer, self._train, self._length(stage), lower_is_better=lower)
        moving = {id(parameter) for group in groups for parameter in group["params"]}
        for parameter in self._learnable:
            parameter.requires_grad_(stage is None or id(parameter) in moving)

    @property
    def num_stages(self) -> int:
        """How many stages training has; 0 where nothing is trained."""
        return len(self._stages)

    @property
    def num_epochs(self) -> int:
        """Epochs of all stages together, at most."""
        return sum(map(self._length, self._stages))

    @property
    def _stage(self) -> Stage | None:
        """The stage that goes on, or the last one; None without any."""
        return self._stages[self.progress.stage] if self._stages else None

    @property
    def _stage_is_over(self) -> bool:
        """Its epochs are through, or patience has run out."""
        stage, progress, patience = self._stage, self.progress, self._train.patience
        return stage is not None and (
            progress.stage_epoch >= self._length(stage) or 0 < patience <= progress.evaluations_without_gain
        )

    def _length(self, stage: Stage) -> int:
        return self._train.epochs if stage.epochs is None else stage.epochs

    def _adam(self, groups: list[dict[str, Any]]) -> torch.optim.Adam:
        # Fused Adam unscales gradients itself, which Fabric's clipping cannot precede: foreach under 16-mixed.
        fused = self.fabric.strategy.precision.precision != "16-mixed"
        return torch.optim.Adam(
            groups,
            lr=self._train.lr,
            weight_decay=self._train.weight_decay,
            fused=fused,
            foreach=None if fused else True,
        )

    @property
    def finished(self) -> bool:
        """The last stage is over. Without stages: evaluated once."""
        if not self._stages:
            return self.progress.best_epoch is not None
        return self.progress.stage == len(self._stages) - 1 and self._stage_is_over

    def advance(self) -> Epoch:
        """Train an epoch and, where it is due, evaluate; without stages: evaluate once, as epoch 0."""
        began = time.perf_counter()
        stage, progress = self._stage, self.progress
        number, loss, due = 0, None, True
        if stage is not None:
            number = progress.epoch + 1
            progress.stage_epoch += 1
            loss = self._train_epoch(number, stage) if self.optimizer is not None else None
            if stage.after_epoch is not None:
                stage.after_epoch(progress.stage_epoch)
            due = number % self._train.eval_every == 0 or progress.stage_epoch == self._length(stage)
        trained = time.perf_counter()
        metrics = None
        if due:
            evaluation = self.evaluate()
            metrics = evaluation.metrics
            if stage is None or stage.selects:
                self._select(number, loss, evaluation)
        if self._schedule is not None:
            self._schedule.after_epoch(None if metrics is None else metrics["valid"][self.task.metric])
        ended = time.perf_counter()
        progress.epoch = number
        progress.seconds += ended - began
        self._end_stage()
        return Epoch(number, loss, trained - began, ended - trained, metrics)

    def _end_stage(self) -> None:
        """Go on to the next stage, if there is one, where this one is over."""
        progress = self.progress
        if self._stage_is_over and not self.finished:
            progress.stage, progress.stage_epoch, progress.evaluations_without_gain = progress.stage + 1, 0, 0
            self._enter_stage()

    def _train_epoch(self, epoch: int, stage: Stage) -> float:
        losses: list[Tensor] = []
        checked_at_once = self.fabric.device.type == "cpu"  # on CUDA reading every loss would stall the stream
        self.model.train()
        for batch in self.task.batches(self._generator):
            losses.append(self._step(stage.step or self.task.step, batch, epoch, len(losses) + 1, checked_at_once))
            self._on_step(epoch, len(losses) / max(self.task.num_batches, len(losses)))
        if not losses:
            raise RequestError("an epoch has no training batch: lower train.batch_size or add training examples")
        values = torch.stack(losses).tolist()
        for number, value in enumerate(values, start=1):
            _require_finite(value, epoch, number)
        return math.fsum(values) / len(values)

    def _step(self, step: Callable[..., Tensor], batch: Any, epoch: int, number: int, check: bool) -> Tensor:
        optimizer = cast(Any, self._wrapped)
        optimizer.zero_grad(set_to_none=True)
        with self.fabric.autocast():
            loss = step(self.model, batch, self._backward).detach().double()
        if check:
            _require_finite(loss.item(), epoch, number)
        if self._train.clip_norm > 0:
            self.fabric.clip_gradients(
                self.model, optimizer, max_norm=self._train.clip_norm, error_if_nonfinite=False
            )  # under 16-mixed the scaler skips a step with gradients that are not finite
        optimizer.step()
        return loss

    def _backward(self, loss: Tensor) -> None:
        with torch.autocast(self.fabric.device.type, enabled=False):  # autocast is for the forward pass
            self.fabric.backward(loss)

    def _select(self, epoch: int, trained: float | None, evaluation: Evaluation) -> None:
        """Keep the weights if the validation metric improved, or if it is the best so far again at a lower loss.

        The loss of a tie is the task's on validation, or else the mean training loss of the epoch; one that is not finite is
        the worst, and of equal ones the earlier epoch stays. Patience counts a tie as an evaluation without gain.
        """
        progress, last = self.progress, self._stage is not None and self._stage.last
        value = self._goodness(evaluation.metrics)
        if not math.isfinite(value):
            raise RunError(f"the validation {self.task.metric} is {abs(value)} after epoch {epoch}: {_ADVICE}")
        best = -math.inf if progress.best_epoch is None or last else self._goodness(progress.best_metrics)
        progress.evaluations_without_gain = 0 if value > best else progress.evaluations_without_gain + 1
        if value < best:
            return
        loss = trained
        if self._stages and evaluation.valid_loss is not None:  # without stages there is one evaluation, and nothing to tie
            loss = evaluation.valid_loss()
        loss = loss if loss is not None and math.isfinite(loss) else math.inf
        if value > best or (progress.best_loss is not None and loss < progress.best_loss):
            progress.best_epoch, progress.best_loss, progress.best_metrics = epoch, loss, evaluation.metrics
            self._best_weights = _copy(self.model.state_dict())

    def _goodness(self, metrics: Metrics) -> float:
        """The validation metric that selects, turned so that higher is better."""
        value = metrics["valid"][self.task.metric]
        return -value if self.task.lower_is_better else value

    def evaluate(self) -> Evaluation:
        """Metrics of validation and test, and the loss on validation, with the present weights.

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
            "schedule": self._schedule.state_dict() if self._schedule else None,
            "precision": self.fabric.strategy.precision.state_dict(),
            "generator": self._generator.get_state(),
            "random": random_states(self.fabric.device),
            "progress": asdict(self.progress),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue where `state` was taken."""
        self.model.load_state_dict(state["model"])
        self._best_weights = state["best_model"]
        progress = state["progress"]
        # A checkpoint of before there were stages counts its epochs as those of the first.
        self.progress = Progress(**{"stage_epoch": progress["epoch"], **progress})
        self._enter_stage()
        if self.optimizer is not None and state["optimizer"] is not None:
            self.optimizer.load_state_dict(state["optimizer"])
            if self._schedule is not None:
                self._schedule.load_state_dict(state["schedule"])
        self._end_stage()
        self.fabric.strategy.precision.load_state_dict(state["precision"])
        self._generator.set_state(state["generator"])
        restore_random_states(state["random"], self.fabric.device)


def _copy(weights: Weights) -> Weights:
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in weights.items()}


def _require_finite(loss: float, epoch: int, step: int) -> None:
    if not math.isfinite(loss):
        raise RunError(f"the loss is {loss} at epoch {epoch}, step {step}: {_ADVICE}")
