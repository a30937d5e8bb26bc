"""Digests of splits: whether two seeds, or two machines, have the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from torch import Tensor

from graphkit.data.dataset import Pairs


def tensors_digest(tensors: Iterable[Tensor]) -> str:
    """SHA-256 of type, shape and values of tensors, in turn.

    Args:
        tensors: The tensors.
    """
    digest = hashlib.sha256()
    for tensor in tensors:
        array = tensor.detach().cpu().contiguous().numpy()
        digest.update(f"{array.dtype.str} {array.shape}\n".encode())
        digest.update(array.data)
    return digest.hexdigest()


def split_digest(splits: Mapping[str, Tensor | Pairs]) -> str:
    """SHA-256 of training, validation and test; of pairs the positives alone, since negatives may be drawn for every seed.

    Args:
        splits: `splits` of a class of `graphkit.data.dataset`.
    """
    return tensors_digest(part.positive if isinstance(part, Pairs) else part for part in splits.values())
