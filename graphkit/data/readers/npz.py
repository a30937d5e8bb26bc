"""NumPy archives of published graphs: named arrays, without pickles."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile

from graphkit.data.readers.rows import damaged


def read_arrays(path: Path, names: Sequence[str]) -> list[np.ndarray]:
    """The named arrays of an archive, in the order of the names.

    Raises:
        DataError: If the file is damaged, lacks a name, or holds objects.
    """
    try:
        with path.open("rb") as file:  # NumPy leaves a file open that turns out to be no archive
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, NpzFile):
                raise ValueError("an archive of arrays was expected")
            return [archive[name] for name in names]
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise damaged(path, error) from error
