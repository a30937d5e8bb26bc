"""A seed of a finished run, with its task, its model and its data, to ask and not to train."""

from __future__ import annotations

import dataclasses
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graphkit.conf.compose import compose
from graphkit.conf.request import Request
from graphkit.conf.schema import Run
from graphkit.data.dataset import Dataset
from graphkit.data.own.memory import InMemory
from graphkit.errors import CheckpointError
from graphkit.tasks.experiment import Experiment
from graphkit.training.artifacts import read_result, weights_path
from graphkit.training.restore import Restored, restore

Array = np.ndarray[Any, np.dtype[Any]]

_DAMAGED = (
    OSError, ValueError, KeyError, IndexError, TypeError, EOFError, RuntimeError, struct.error, zlib.error, zipfile.BadZipFile,
)  # fmt: skip
"""What NumPy and zipfile raise on a broken .npz; RuntimeError where its flags ask for a password or an unknown compression."""


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
        settings: The settings of the run.
        data_files: The files that the data was read from.
    """

    folder: Path
    seed: int
    model_name: str
    restored: Restored[Any]
    dataset: Dataset
    device: torch.device
    settings: Run
    data_files: tuple[Path, ...] = ()

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

    def require_same_data(self, same: Callable[[Mapping[str, Array]], bool]) -> None:
        """Compare the predictions that the run left, if they are there, with the data that was loaded now.

        Args:
            same: Whether the arrays of predictions.npz can come from this data.

        Raises:
            CheckpointError: If they cannot, or the file is damaged.
        """
        path = weights_path(self.folder, self.seed).with_name("predictions.npz")
        if not path.is_file():
            return
        try:
            with path.open("rb") as file, np.load(file) as arrays:  # NumPy leaves a file open that is no archive
                unchanged = same(arrays)
        except _DAMAGED as error:
            raise CheckpointError(f"{path} is damaged: put it back, or remove it, the weights do without") from error
        if not unchanged:
            raise CheckpointError(f"the data of {self.folder} has changed since the run: put it back as it was, or train again")

    def facts(self) -> dict[str, str]:
        """What an explanation was made from."""
        return {
            "model": self.model_name,
            "data set": self.dataset.name,
            "protocol": self.dataset.protocol,
            "run": str(self.folder),
            "seed": str(self.seed),
        }


def open_seed(
    folder: Path, request: Request, seed: int, device: str = "auto", memory: Mapping[str, InMemory] | None = None
) -> Opened:
    """Open a seed of a finished run.

    Args:
        folder: The run folder.
        request: What it was started with and where its data lies, as `graphkit.tasks.experiment.stored_request` gives it.
        seed: A finished seed.
        device: `auto`, `cpu` or `cuda`.
        memory: Data in memory that stands in the place of own files, by setting.

    Raises:
        RequestError: The device or the data are not available.
        CheckpointError: The weights are damaged, or the data has changed since the run.
    """
    values = {**request.values, "device": device}
    if str(values.get("precision")).endswith("-mixed"):
        values["precision"] = "32-true"  # a run of mixed precision evaluates in full precision, too
    resolved = compose(dataclasses.replace(request, values=values))
    experiment = Experiment(resolved.run, folder, memory)
    restored = restore(folder, resolved.config, experiment, seed, experiment.device)
    dataset = experiment.dataset(seed)
    return Opened(folder, seed, request.model, restored, dataset, experiment.device, resolved.run, experiment.data_files)


def other_seeds(folder: Path, seed: int) -> Iterator[int]:
    """The other seeds of a finished run whose weights are there.

    Raises:
        CheckpointError: The run has not finished.
    """
    result = read_result(folder)
    if result is None:
        raise CheckpointError(f"{folder} has no result: let the run finish, or continue it with resume={folder}")
    yield from (other for other in result.seeds if other != seed and weights_path(folder, other).is_file())
