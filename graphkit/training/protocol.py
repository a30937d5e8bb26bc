"""What the loop asks of a task. A task knows batches, losses and metrics; the loop knows time, seeds and files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

Backward = Callable[[Tensor], None]


class Task(Protocol):
    """One task on one data set with one seed's split, ready to train and evaluate models.

    Metrics are percentages (the field prints recall@K and ndcg@K as fractions: .1824 is 18.24 here), higher is better.
    """

    metric: str
    """The validation metric that selects the epoch."""
    metrics: tuple[str, ...]
    """All metrics that `evaluate` returns."""
    protocol: str
    """What is trained, selected and judged on, in plain sentences."""
    notes: tuple[str, ...]
    """What a user should know of the data before training, in plain sentences; empty where there is nothing."""
    num_batches: int
    """Training batches an epoch."""

    def build_model(self) -> nn.Module:
        """A freshly initialized model on the task's device; consumes torch's global random state."""

    def param_groups(self, model: nn.Module) -> list[dict[str, Any]]:
        """Adam parameter groups with their `lr`; empty for models without parameters."""

    def batches(self, generator: torch.Generator) -> Iterator[Any]:
        """The batches of one epoch, drawn from `generator` (CPU) alone, so that a resumed run draws the same."""

    def step(self, model: nn.Module, batch: Any, backward: Backward) -> Tensor:
        """Compute the batch's mean loss, call `backward` on it (in one piece or several), return it detached.

        The loop owns `zero_grad`, clipping and the optimizer step, and enters autocast around this call.
        """

    def evaluate(self, model: nn.Module, splits: tuple[str, ...] = ("valid", "test")) -> dict[str, dict[str, float]]:
        """Metrics of each split, e.g. `{"valid": {"hits@20": 71.7}, "test": {...}}`; the model is in eval mode, no grad."""

    def valid_loss(self, model: nn.Module) -> float | None:
        """The loss on validation, which decides between epochs of equal validation metric; None where there is no such loss.

        The model is in eval mode, no grad. It draws no random number, so that asking for it changes no later epoch.
        """

    def predictions(self, model: nn.Module) -> dict[str, np.ndarray]:
        """Arrays for predictions.npz: scores with what they belong to."""
