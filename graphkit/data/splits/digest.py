"""Whether two seeds drew the same split."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from torch import Tensor

from graphkit.data.dataset import Pairs


def split_digest(splits: Mapping[str, Tensor | Pairs]) -> str:
    """SHA-256 of training, validation and test; of pairs the positives alone, since negatives may be drawn for every seed.

    Args:
        splits: `splits` of a class of `graphkit.data.dataset`.
    """
    digest = hashlib.sha256()
    for name, part in splits.items():
        content = part.positive if isinstance(part, Pairs) else part
        digest.update(f"{name} {tuple(content.shape)} ".encode())
        digest.update(content.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
