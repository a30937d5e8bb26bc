"""From settings to the task of a seed, and from a run folder back to its settings: what all doors share."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from graphkit.conf.arguments import flatten
from graphkit.conf.request import Request, check
from graphkit.data.catalog import DATASETS
from graphkit.errors import CheckpointError, RequestError

if TYPE_CHECKING:
    from graphkit.conf.schema import Run
    from graphkit.data.dataset import Dataset
    from graphkit.training.protocol import Task


def stored_request(folder: Path, key: str = "resume") -> Request:
    """The request that a run folder was started with, every setting given. Needs no torch.

    Args:
        folder: The run folder.
        key: The setting that names it, for messages.

    Raises:
        CheckpointError: If there is no such run, or its config.yaml is damaged or of another version.
    """
    from graphkit.training.artifacts import read_config  # NumPy, which --help need not wait for

    stored = read_config(folder, key)
    try:
        return check(flatten(stored), DATASETS)
    except RequestError as error:
        lines = [f"{folder / 'config.yaml'}: {line}" for line in str(error).splitlines()]
        raise CheckpointError("\n".join(lines)) from error


class Experiment:
    """Gives the task of a seed, as `graphkit.training.runner.train_run` wants it; imports torch when it is made.

    Args:
        settings: The settings of the run.

    Raises:
        RequestError: If the device is not to be had.
    """

    def __init__(self, settings: Run) -> None:
        from graphkit.training.runtime import resolve_device

        self.settings = settings
        self.device = resolve_device(settings.device, settings.precision)
        self.dataset = functools.lru_cache(maxsize=1)(self._load)

    def _load(self, seed: int) -> Dataset:
        from graphkit.data import load

        data = self.settings.data
        return load(
            self.settings.dataset,
            task=self.settings.task.name,
            root=data.root,
            seed=seed,
            edges=data.edges,
            features=data.features,
            labels=data.labels,
            directed=data.directed,
            scale=data.scale,
            split=data.split,
            interactions=data.interactions,
            user_column=data.user_column,
            item_column=data.item_column,
            rating_column=data.rating_column,
            min_rating=data.min_rating,
            time_column=data.time_column,
        )

    def __call__(self, seed: int) -> Task:
        """The task of a seed, on the run's device."""
        from graphkit.tasks.build import build_task

        settings = self.settings
        return build_task(settings.task.name, self.dataset(seed), settings.task, settings.model, settings.train, self.device)
