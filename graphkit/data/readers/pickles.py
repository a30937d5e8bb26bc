"""Pickles of published data, read by an unpickler that knows the names of arrays and sparse matrices alone."""

from __future__ import annotations

import io
import pickle
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from graphkit.data.readers.rows import damaged


class SparseState:
    """Stands for a scipy matrix while unpickling: a bag of attributes, to be checked before they become a matrix."""

    data: np.ndarray
    indices: np.ndarray
    indptr: np.ndarray
    row: np.ndarray
    col: np.ndarray
    _shape: tuple[int, int]


def _dtype(code: str, align: int, copy: int) -> np.dtype[Any]:
    """`numpy.dtype` as the files call it, with integers for booleans."""
    return np.dtype(code, bool(align), bool(copy))


_ALLOWED = {
    "numpy.core.multiarray._reconstruct": np._core.multiarray._reconstruct,  # type: ignore[attr-defined]
    "numpy.ndarray": np.ndarray,
    "numpy.dtype": _dtype,
    "scipy.sparse.csr.csr_matrix": SparseState,
    "scipy.sparse.coo.coo_matrix": SparseState,
    "collections.defaultdict": defaultdict,
    "__builtin__.list": list,
}


class _Unpickler(pickle.Unpickler):
    """Refuses every global but those that hold arrays, sparse matrices, dictionaries and lists."""

    def find_class(self, module: str, name: str) -> Any:
        allowed = _ALLOWED.get(f"{module}.{name}")
        if allowed is None:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which has no place in this file")
        return allowed


def unpickled(content: bytes) -> Any:
    """The object in the bytes of a pickle; raises whatever damaged bytes happen to ask for."""
    return _Unpickler(io.BytesIO(content), encoding="latin1").load()


def read_pickle(path: Path) -> Any:
    """The object in a pickle of published data.

    Raises:
        DataError: If the file is truncated or names anything but arrays, sparse matrices, dictionaries and lists.
    """
    try:
        return unpickled(path.read_bytes())
    except Exception as error:  # a damaged pickle raises whatever its bytes happen to ask for
        raise damaged(path, error) from error
