"""The tasks of a run without its models: data, splits and metrics, from which predictions are scored again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch

from graphkit.claims.content import Parts
from graphkit.conf.compose import compose
from graphkit.conf.request import Request
from graphkit.conf.transforms import NONE
from graphkit.data.own.memory import InMemory
from graphkit.data.record import DataRecord
from graphkit.data.splits.digest import tensors_digest
from graphkit.tasks.experiment import Experiment
from graphkit.training.protocol import AnyTask
from graphkit.training.runtime import interruptible, process_state, torch_errors

_HERE = {"device": "cpu", "threads": 0, "precision": "32-true", "resume": None}
"""Settings of the machine, on which no score of given predictions depends."""


class Evidence:
    """What the predictions of a run are judged by.

    `transform=` is left out: it changes the graph that a model sees, and neither splits nor labels.

    Args:
        request: The settings of the run, and where its data lies.
        folder: The run folder, whose data is then compared with what was read; None: it is not compared.
        memory: Data in memory that stands in the place of own files, by setting.
    """

    def __init__(self, request: Request, folder: Path | None = None, memory: Mapping[str, InMemory] | None = None) -> None:
        values = {key: value for key, value in request.values.items() if not key.startswith("transform.")}
        plain = Request(request.task, request.dataset, request.model, {**values, **_HERE}, NONE)
        self._experiment = Experiment(compose(plain).run, folder, memory)

    @contextlib.contextmanager
    def at_hand(self) -> Iterator[None]:
        """Within, tasks may be made; afterwards the process is as before."""
        with interruptible(), process_state(0, False, torch.device("cpu")), torch_errors():
            yield

    def task(self, seed: int) -> AnyTask:
        """The task of a seed, as its run had it."""
        return self._experiment.prepare(seed)

    def record(self, seed: int) -> DataRecord:
        """What the data of a seed was read from."""
        return self._experiment.record(self._experiment.dataset(seed))

    @property
    def pooled(self) -> bool:
        """Whether the figures of the run are of epochs of which no predictions are kept."""
        return self._experiment.over_seeds() is not None


def digests_of(task: AnyTask) -> Parts:
    """SHA-256 of each of the task's parts."""
    return {name: tensors_digest(tensors) for name, tensors in task.parts().items()}
