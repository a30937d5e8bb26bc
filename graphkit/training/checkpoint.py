"""Checkpoints that are verified before they are believed: last.ckpt (everything) and best.safetensors (weights)."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import save as serialize_weights
from torch import Tensor, nn

from graphkit.errors import CheckpointError
from graphkit.training.files import read_whole, write_atomic
from graphkit.training.loop import Trainer

_FORMAT = 1
_MARK = b"\ngraphkit-sha256:"
_HEADER = "graphkit"
_TRAILER = len(_MARK) + 64
_ADVICE = "remove it and resume to train that seed from the start"
_WEIGHTS_ADVICE = "remove it and resume, it is made again from the checkpoint"


def save_checkpoint(path: Path, state: dict[str, Any], before: Callable[[str], None] = lambda digest: None) -> None:
    """Write tensors and plain values (what `weights_only=True` accepts), followed by the SHA-256 of those bytes.

    Args:
        path: The file.
        state: What it is to hold.
        before: Called with the SHA-256 of the file before it is written.
    """
    buffer = io.BytesIO()
    torch.save({**state, "format": _FORMAT}, buffer)
    payload = buffer.getvalue()
    data = payload + _MARK + hashlib.sha256(payload).hexdigest().encode()
    before(hashlib.sha256(data).hexdigest())
    write_atomic(path, data)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint on the CPU; nothing is unpickled before the checksum agrees.

    Raises:
        CheckpointError: If the file is truncated, was changed, or is of another format.
    """
    data = read_whole(path)
    payload, trailer = data[:-_TRAILER], data[-_TRAILER:]
    if trailer != _MARK + hashlib.sha256(payload).hexdigest().encode():
        raise CheckpointError(f"{path} is truncated or was changed: {_ADVICE}")
    try:
        state = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # a checksum can be computed for any bytes, and the unpickler has no one error for them
        raise CheckpointError(f"{path} is no checkpoint: {_ADVICE}") from error
    if not isinstance(state, dict) or state.get("format") != _FORMAT:
        raise CheckpointError(f"{path} was written by another version of graphkit: start the run again")
    return state


def load_state(path: Path, state: dict[str, Any], trainer: Trainer) -> None:
    """Continue training where a checkpoint was taken.

    Args:
        path: The checkpoint, for the message.
        state: What it holds.
        trainer: A trainer of the same task and settings.

    Raises:
        CheckpointError: If weights or the optimizer's state are of another model or another data set.
    """
    own = trainer.model.state_dict()
    for weights in (state["model"], state["best_model"] or state["model"]):
        difference = _difference(weights, own)
        if difference:
            advice = "resume with the data of the run, or start a new one"
            raise CheckpointError(f"{path} holds weights of another model or data set ({difference}): {advice}")
    try:
        if state["progress"]["epoch"] > trainer.num_epochs:
            raise ValueError("more epochs than there are")
        trainer.load_state(state)
        _require_shapes(trainer.optimizer)
    except (RuntimeError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise CheckpointError(f"{path} holds no state that training can go on from: {_ADVICE}") from error


def _require_shapes(optimizer: torch.optim.Optimizer | None) -> None:
    """ValueError unless what the optimizer keeps of a parameter has the parameter's shape, or is one number."""
    for parameter, kept in optimizer.state.items() if optimizer else ():
        if any(value.shape not in (parameter.shape, ()) for value in kept.values() if isinstance(value, Tensor)):
            raise ValueError("state of another parameter")


def save_weights(path: Path, weights: dict[str, Tensor], note: dict[str, str]) -> None:
    """Write weights as safetensors, with a checksum and `note` in the header's metadata."""
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in weights.items()}
    header = json.dumps({**note, "sha256": _hash(tensors)}, sort_keys=True)  # one entry: safetensors orders entries at random
    write_atomic(path, serialize_weights(tensors, metadata={_HEADER: header}))


def load_weights(path: Path, model: nn.Module) -> dict[str, str]:
    """Put the weights of a file into a model, all of them or none.

    Args:
        path: A file that `save_weights` wrote.
        model: The model whose names and shapes must agree; its device and dtype are kept.

    Returns:
        The note that was saved beside the weights.

    Raises:
        CheckpointError: If the file is missing, truncated, was changed, or holds the weights of another model.
    """
    tensors, note = read_weights(path)
    difference = _difference(tensors, model.state_dict())
    if difference:
        raise CheckpointError(f"{path} holds weights of another model ({difference}): use the run's own config.yaml and data")
    model.load_state_dict(tensors)
    return note


def read_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The weights of a file that `save_weights` wrote, and the note beside them.

    Args:
        path: The file.

    Raises:
        CheckpointError: If it is missing, truncated or was changed.
    """
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist: resume the run until it has finished")
    try:
        with safetensors.safe_open(path, framework="pt", device="cpu") as file:
            note = json.loads((file.metadata() or {}).get(_HEADER, "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - safe_open is no mapping
    except (safetensors.SafetensorError, RuntimeError, ValueError, OSError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(f"{path} is truncated or was changed: {_WEIGHTS_ADVICE}") from error
    if not isinstance(note, dict) or note.pop("sha256", None) != _hash(tensors):
        raise CheckpointError(f"{path} is truncated or was changed: {_WEIGHTS_ADVICE}")
    return tensors, note


def _difference(found: dict[str, Any], expected: dict[str, Tensor]) -> str:
    """In what weights are not those of a model; empty where they are."""
    missing, unknown = sorted(expected.keys() - found.keys()), sorted(found.keys() - expected.keys())
    if missing:
        return f"no {missing[0]!r}"
    if unknown:
        return f"unknown {unknown[0]!r}"
    for name, tensor in found.items():
        own = expected[name]
        if not isinstance(tensor, Tensor) or tensor.layout != torch.strided:
            return f"{name!r} is no dense tensor"
        if tensor.shape != own.shape:
            return f"{name!r} is {list(tensor.shape)}, the model's is {list(own.shape)}"
        if tensor.is_floating_point() != own.is_floating_point():
            return f"{name!r} is {tensor.dtype}, the model's is {own.dtype}"
    return ""


def _hash(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
