"""A digest of what embeddings depend on: it tells whether an encoder or prototypes changed since they were projected."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from jaxtyping import UInt8
from torch import Tensor

SIZE = 32
"""Bytes of a SHA-256 digest."""


def fingerprint(state: Mapping[str, Tensor]) -> UInt8[Tensor, " digest"]:
    """SHA-256 of tensors by name, with their types and shapes; the same on every device and in every order of the names.

    Running statistics of batch normalization are part of a state, so that a layer that looks frozen but is not shows.
    """
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)}:".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return torch.frombuffer(bytearray(digest.digest()), dtype=torch.uint8)
