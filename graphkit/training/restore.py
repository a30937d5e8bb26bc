"""The finished model of a seed, from its run folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic

import torch

from graphkit.errors import CheckpointError
from graphkit.training.artifacts import config_digest, read_config, weights_path
from graphkit.training.checkpoint import load_weights
from graphkit.training.protocol import AnyTask, M, Task
from graphkit.training.runtime import own_modes, process_state, seed_everything


class Restored(Generic[M]):
    """A seed's task, and its model with the selected weights, to ask and not to train. Needs no Fabric, which imports slowly.

    Args:
        task: The task.
        model: Its model.
        dtype: What the run computed in, outside mixed precision.
    """

    def __init__(self, task: Task[M, Any], model: M, dtype: torch.dtype) -> None:
        self.task, self.model, self._dtype = task, model, dtype

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Within: eval mode, no gradients, the run's own full precision, as `Trainer.evaluating` has it."""
        self.model.eval()
        with own_modes(self._dtype), torch.no_grad():
            yield


def restore(
    folder: Path, config: dict[str, Any], make_task: Callable[[int], AnyTask], seed: int, device: torch.device
) -> Restored[Any]:
    """Build a seed's task and model as its run did, and put the selected weights in.

    A model that learns while it is fitted learns again, from the same data and the same random state, which gives the same
    model; a trained one gets its weights from the file.

    Args:
        folder: The run folder.
        config: The settings of the run; device and precision may differ from the stored ones, and where data lies.
        make_task: Gives the task of a seed, on `device`.
        seed: A seed of the run.
        device: Where to compute.

    Returns:
        The task and model, with `evaluating()` to ask the model in. Global random states, threads and determinism are as
        before.

    Raises:
        CheckpointError: If the weights are missing, damaged, or of other settings or data.
    """
    with process_state(config["threads"], config["deterministic"], device):
        seed_everything(seed)
        task = make_task(seed)
        seed_everything(seed)
        dtype = torch.float64 if config["precision"] == "64-true" else torch.float32
        model = task.build_model()
        model = model.double() if dtype == torch.float64 else model
        path = weights_path(folder, seed)
        note = load_weights(path, model)
    if note.get("config") != config_digest(read_config(folder)):
        raise CheckpointError(f"{path} belongs to other settings than {folder / 'config.yaml'}: put the run's own files back")
    return Restored(task, model, dtype)
