"""Checkpoints that are verified before they are believed: last.ckpt (everything) and best.safetensors (weights)."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import save as serialize_weights
from torch import Tensor, nn

from graphkit.errors import CheckpointError
from graphkit.training.files import read_regular, write_atomic

_FORMAT = 1
_MARK = b"\ngraphkit-sha256:"
_HEADER = "graphkit"
_TRAILER = len(_MARK) + 64


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write tensors and plain values (what `weights_only=True` accepts), followed by the SHA-256 of those bytes."""
    buffer = io.BytesIO()
    torch.save({**state, "format": _FORMAT}, buffer)
    payload = buffer.getvalue()
    write_atomic(path, payload + _MARK + hashlib.sha256(payload).hexdigest().encode())


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint on the CPU; nothing is unpickled before the checksum agrees.

    Raises:
        CheckpointError: If the file is truncated, was changed, or is of another format.
    """
    data = read_regular(path)
    payload, trailer = data[:-_TRAILER], data[-_TRAILER:]
    if trailer != _MARK + hashlib.sha256(payload).hexdigest().encode():
        raise CheckpointError(f"{path} is truncated or was changed: remove it and resume to train that seed from the start")
    try:
        state = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path} is no checkpoint: remove it and resume to train that seed from the start") from error
    if not isinstance(state, dict) or state.get("format") != _FORMAT:
        raise CheckpointError(f"{path} was written by another version of graphkit: start the run again")
    return state


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
    if not path.exists():
        raise CheckpointError(f"{path} does not exist: resume the run until it has finished")
    try:
        with safetensors.safe_open(path, framework="pt", device="cpu") as file:
            note: dict[str, str] = json.loads((file.metadata() or {}).get(_HEADER, "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - safe_open is no mapping
    except (safetensors.SafetensorError, RuntimeError, ValueError) as error:
        raise CheckpointError(f"{path} is truncated or was changed: train again") from error
    if note.pop("sha256", None) != _hash(tensors):
        raise CheckpointError(f"{path} is truncated or was changed: train again")
    own = model.state_dict()
    difference = _difference(tensors, own)
    if difference:
        raise CheckpointError(f"{path} holds weights of another model ({difference}): use the run's own config.yaml")
    model.load_state_dict(tensors)
    return note


def _difference(found: dict[str, Tensor], expected: dict[str, Tensor]) -> str:
    missing, unknown = sorted(expected.keys() - found.keys()), sorted(found.keys() - expected.keys())
    if missing:
        return f"no {missing[0]!r}"
    if unknown:
        return f"unknown {unknown[0]!r}"
    for name, tensor in found.items():
        if tensor.shape != expected[name].shape:
            return f"{name!r} is {list(tensor.shape)}, the model's is {list(expected[name].shape)}"
    return ""


def _hash(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
