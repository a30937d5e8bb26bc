"""The finished model of a seed, from its run folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from graphkit.errors import CheckpointError
from graphkit.training.artifacts import config_digest, read_config, weights_path
from graphkit.training.checkpoint import load_weights
from graphkit.training.loop import Trainer
from graphkit.training.protocol import LoopSettings, Task
from graphkit.training.runtime import make_fabric, process_state, resolve_precision, seed_everything


def restore(folder: Path, config: dict[str, Any], make_task: Callable[[int], Task], seed: int, device: torch.device) -> Trainer:
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
        A trainer that will not train: its `task` and `model`, and `evaluating()` to ask the model in. Global random states,
        threads and determinism are as before.

    Raises:
        CheckpointError: If the weights are missing, damaged, or of other settings or data.
    """
    with process_state(config["threads"], config["deterministic"], device):
        precision, _ = resolve_precision(config["precision"], device)
        seed_everything(seed)
        task = make_task(seed)
        seed_everything(seed)
        train, fabric = LoopSettings.of(config["train"]), make_fabric(device, precision)
        trainer = Trainer(task, train, fabric, seed, lambda epoch, done: None, trains=False)
        path = weights_path(folder, seed)
        note = load_weights(path, trainer.model)
    if note.get("config") != config_digest(read_config(folder)):
        raise CheckpointError(f"{path} belongs to other settings than {folder / 'config.yaml'}: put the run's own files back")
    return trainer
