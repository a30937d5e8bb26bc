"""A seed of a finished run, with its task, its model and its data, to ask and not to train."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from graphkit.conf.compose import compose
from graphkit.conf.request import Request
from graphkit.data.dataset import Dataset
from graphkit.errors import CheckpointError
from graphkit.tasks.experiment import Experiment
from graphkit.training.artifacts import read_result, weights_path
from graphkit.training.restore import Restored, restore


@dataclass(frozen=True)
class Opened:
    """A seed of a run.

    Attributes:
        folder: The run folder.
        seed: The seed.
        model_name: What the model is called in the catalog.
        restored: Its task, and its model with the selected weights.
        dataset: Its data.
        device: Where it computes.
    """

    folder: Path
    seed: int
    model_name: str
    restored: Restored[Any]
    dataset: Dataset
    device: torch.device

    @property
    def task(self) -> Any:
        """The task; each explainer knows which class it is."""
        return self.restored.task

    @property
    def model(self) -> Any:
        """The model, likewise."""
        return self.restored.model

    def evaluating(self) -> AbstractContextManager[None]:
        """Within: eval mode, no gradients unless they are switched on, the run's own precision."""
        return self.restored.evaluating()

    def facts(self) -> dict[str, str]:
        """What an explanation was made from."""
        return {
            "model": self.model_name,
            "data set": self.dataset.name,
            "protocol": self.dataset.protocol,
            "run": str(self.folder),
            "seed": str(self.seed),
        }


def open_seed(folder: Path, request: Request, seed: int, device: str = "auto") -> Opened:
    """Open a seed of a finished run.

    Args:
        folder: The run folder.
        request: What it was started with and where its data lies, as `graphkit.tasks.experiment.stored_request` gives it.
        seed: A finished seed.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        RequestError: The device or the data are not available.
        CheckpointError: The weights are damaged, or the data has changed since the run.
    """
    values = {**request.values, "device": device}
    if str(values.get("precision")).endswith("-mixed"):
        values["precision"] = "32-true"  # a run of mixed precision evaluates in full precision, too
    resolved = compose(dataclasses.replace(request, values=values))
    experiment = Experiment(resolved.run, folder)
    restored = restore(folder, resolved.config, experiment, seed, experiment.device)
    return Opened(folder, seed, request.model, restored, experiment.dataset(seed), experiment.device)


def other_seeds(folder: Path, seed: int) -> Iterator[int]:
    """The other seeds of a finished run whose weights are there.

    Raises:
        CheckpointError: The run has not finished.
    """
    result = read_result(folder)
    if result is None:
        raise CheckpointError(f"{folder} has no result: let the run finish, or continue it with resume={folder}")
    yield from (other for other in result.seeds if other != seed and weights_path(folder, other).is_file())
