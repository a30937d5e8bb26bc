"""What the loop asks of a task. A task knows batches, losses and metrics; the loop knows time, seeds and files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from graphkit.training.result import Metrics
from graphkit.training.stages import Backward, Stage
from graphkit.training.table import Columns

M = TypeVar("M", bound=nn.Module)
B = TypeVar("B")


@dataclass(frozen=True)
class LoopSettings:
    """What the loop reads of a run's `train` settings; their meaning: `graphkit.conf.schema.Train`."""

    epochs: int
    lr: float
    weight_decay: float
    clip_norm: float
    eval_every: int
    patience: int
    checkpoint_every: int
    schedule: str
    decay: float
    decay_every: int

    @classmethod
    def of(cls, train: Mapping[str, Any]) -> LoopSettings:
        """Taken from the section `train` of a resolved configuration."""
        return cls(**{field.name: train[field.name] for field in fields(cls)})


@dataclass(frozen=True)
class Evaluation:
    """What one look at a model gave.

    Attributes:
        metrics: Of each split, e.g. `{"valid": {"hits@20": 71.7}, "test": {...}}`.
        valid_loss: Gives the loss on validation, from the scores that the metrics are of. It is called only if the epoch is at
            least as good as the best so far. None where there is no such loss, or validation was left out.
    """

    metrics: Metrics
    valid_loss: Callable[[], float] | None = None


class Task(Protocol[M, B]):
    """One task on one data set with one seed's split, ready to train and evaluate models of class M with batches of class B.

    Metrics are percentages (the field prints recall@K and ndcg@K as fractions: .1824 is 18.24 here), unless the registry gives
    them another unit.
    """

    metric: str
    """The validation metric that selects the epoch."""
    lower_is_better: bool
    """Whether its smallest value is the best one, as of an error; else the largest is."""
    metrics: tuple[str, ...]
    """All metrics that `evaluate` returns."""
    protocol: str
    """What is trained, selected and judged on, in plain sentences."""
    notes: tuple[str, ...]
    """What a user should know of the data before training, in plain sentences; empty where there is nothing."""
    num_batches: int
    """Training batches per epoch."""
    judged_by: tuple[str, ...]
    """The arrays of `predictions` that `rescore` reads."""

    def build_model(self) -> M:
        """A freshly initialized model on the task's device; consumes torch's global random state."""

    def stages(self, model: M) -> Sequence[Stage]:
        """How the model is trained; empty for models that are not."""

    def batches(self, generator: torch.Generator) -> Iterator[B]:
        """The batches of one epoch, drawn from `generator` (CPU) alone, so that a resumed run draws the same."""

    def step(self, model: M, batch: B, backward: Backward) -> Tensor:
        """Compute the batch's mean loss, call `backward` on it (in one piece or several), return it detached.

        The loop owns `zero_grad`, clipping and the optimizer step, and enters autocast around this call.
        """

    def evaluate(self, model: M, splits: tuple[str, ...] = ("valid", "test")) -> Evaluation:
        """Metrics of each split, and the loss on validation, which decides between epochs of equal validation metric.

        The model is in eval mode, no grad. Nothing here draws a random number, so that evaluating changes no later epoch.
        """

    def predictions(self, model: M) -> dict[str, np.ndarray]:
        """Arrays for predictions.npz: scores with what they belong to."""

    def rescore(self, predictions: Mapping[str, np.ndarray]) -> Metrics:
        """The metrics that `evaluate` gave, from the arrays that `predictions` gave; of no model's own figures.

        Args:
            predictions: The arrays `judged_by`, which may come from anybody.

        Raises:
            ValueError: If an array is missing, or does not fit the data.
        """

    def parts(self) -> dict[str, tuple[Tensor, ...]]:
        """What figures depend on besides predictions: the data under its name, and what `train`, `valid` and `test` hold."""

    def table(self, predictions: dict[str, np.ndarray]) -> Columns:
        """The columns of predictions.csv, of what `predictions` gave, by the names that the data has; empty: no such file."""

    def facts(self) -> dict[str, Any]:
        """What `--dry-run` tells of the data, in plain values, e.g. sizes of the splits."""


AnyTask: TypeAlias = Task[Any, Any]
"""A task to the loop, which hands models and batches on and never looks into them."""
