"""One memory for what is made of tensors and operators: kept as long as they live and stay as they are."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from graphkit.sparse.structure import lasting

_R = TypeVar("_R")


@dataclass(frozen=True)
class _Kept:
    """A value with the objects it was made of, weakly, and the in-place versions they had."""

    sources: tuple[weakref.ref[Any], ...]
    versions: tuple[int, ...]
    value: Any


_memory: dict[Hashable, _Kept] = {}


def remember(make: Callable[[], _R], key: Hashable, *sources: Any) -> _R:
    """`make()`, called once for a key and these very objects.

    The value is dropped when a source dies, and made again after a tensor among them was changed in place (changes through
    NumPy or `.data` cannot be seen). Where a source needs gradients the value belongs to one graph of autograd, and where it
    is an inference tensor nobody counts its versions: then `make` is called every time. It runs outside inference mode, since
    a later training step may save what it made for its backward.

    Args:
        make: Makes the value, which must not refer to a source: the source would then live forever.
        key: What is made, with all settings that decide it; e.g. `("gcn", True, torch.float32)`.
        *sources: Tensors and operators it is made of, compared by identity.

    Returns:
        The value.
    """
    if any(_passes_by(source) for source in sources):
        return make()
    place = (key, *map(id, sources))
    versions = tuple(source._version if isinstance(source, Tensor) else 0 for source in sources)
    found = _memory.get(place)
    if found is not None:
        if found.versions == versions and all(ref() is source for ref, source in zip(found.sources, sources, strict=True)):
            value: _R = found.value
            return value
        _memory.pop(place, None)  # what is outdated goes before its successor takes memory
    value = lasting(make)()

    def forget(_: weakref.ref[Any], pop: Callable[..., Any] = _memory.pop) -> None:  # bound: modules are emptied at exit
        pop(place, None)

    _memory[place] = _Kept(tuple(weakref.ref(source, forget) for source in sources), versions, value)
    return value


def _passes_by(source: Any) -> bool:
    return bool(getattr(source, "requires_grad", False)) or (isinstance(source, torch.Tensor) and source.is_inference())
