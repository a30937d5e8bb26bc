"""Arrays of predictions that were kept, perhaps by somebody else: they are scored again only if they fit the data."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from graphkit.sparse import CSR


def stored(predictions: Mapping[str, np.ndarray], name: str, *shape: int, kind: str = "f") -> Tensor:
    """An array by name.

    Args:
        predictions: Arrays by name.
        name: The name.
        *shape: The shape that the data gives.
        kind: Of the numbers: `f` floating point, which must not be NaN; `i` integers.

    Raises:
        ValueError: If it is missing, or is of another shape or kind.
    """
    if name not in predictions:
        raise ValueError(f"{name} is missing")
    array = predictions[name]
    if array.shape != shape:
        raise ValueError(f"{name} has shape {list(array.shape)}, the data gives {list(shape)}")
    if array.dtype.kind != kind or np.isnan(array).any():
        raise ValueError(f"{name} holds something else than {'numbers' if kind == 'f' else 'whole numbers'}")
    return torch.from_numpy(np.ascontiguousarray(array))


def stored_lists(predictions: Mapping[str, np.ndarray], name: str, users: Tensor, k: int, seen: CSR) -> Tensor:
    """Lists of items [U, k] by name, best first, -1 where there are no more.

    Args:
        predictions: Arrays by name.
        name: The name.
        users: The user of each list [U].
        k: Items of a list.
        seen: Users x items: what may be in no list.

    Raises:
        ValueError: If they are missing, of another shape or kind, or name an item that there is not, that is in the list
            already or that the user has been seen with.
    """
    lists = stored(predictions, name, users.numel(), k, kind="i").long()
    if not lists.numel():
        return lists
    if int(lists.min()) < -1 or int(lists.max()) >= seen.shape[1]:
        raise ValueError(f"{name} has an item that there is not")
    ordered = lists.sort(dim=1).values
    if bool(((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any()):
        raise ValueError(f"{name} has an item twice in a list")
    if bool(seen.structure.contains(users.view(-1, 1), lists).any()):
        raise ValueError(f"{name} has an item that the user has been seen with")
    return lists
