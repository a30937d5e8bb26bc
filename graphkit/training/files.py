"""Files that are either the old one or the new one, never half of either; and what a failing disk looks like to the user."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from graphkit.errors import CheckpointError, RunError

_FULL = (errno.ENOSPC, errno.EDQUOT)


def write_atomic(path: Path, data: bytes) -> None:
    """Replace a file as a whole: a temporary name beside it, flush, fsync, rename.

    Args:
        path: The file; its folder exists.
        data: The new content, serialized in memory so that no library wraps what the disk answers.

    Raises:
        OSError: With `filename` set; the earlier file is untouched and the temporary one removed.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        with contextlib.suppress(OSError):  # usually already renamed; a leftover is removed by `remove_leftovers`
            temporary.unlink()


def read_regular(path: Path) -> bytes:
    """The content of a file.

    Raises:
        OSError: If it cannot be read, or is no regular file: the end of a pipe or a device may never come.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return path.read_bytes()


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Replace a file that is too large to hold in memory: gives a temporary name beside it, which takes its place at the end.

    If the block raises, the earlier file is untouched and the temporary one removed.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write named arrays as .npz, replacing the file as a whole.

    Raises:
        TypeError: If an array holds Python objects, which only pickle could store.
    """
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise TypeError(f"array {name!r} holds Python objects")
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    write_atomic(path, buffer.getvalue())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files of a run that was killed while writing, in the folder and one level below."""
    for pattern in (".*.tmp", "*/.*.tmp"):
        for leftover in folder.glob(pattern):
            leftover.unlink()


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold a run folder, so that two processes never write into it; the system lets go when the process ends.

    Raises:
        CheckpointError: If another process holds it.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CheckpointError(f"{folder} is in use by another process: wait until that run ends, or stop it") from None
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def storage_errors(folder: Path) -> Iterator[None]:
    """Turn a full disk, and files of the run folder that cannot be read or written, into one sentence.

    Raises:
        RunError: With what to do and how to continue.
    """
    try:
        yield
    except OSError as error:
        named = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else None
        if error.errno in _FULL:
            where = f" (writing {named})" if named else ""
            raise RunError(f"disk is full{where}: free space and resume with resume={folder}") from error
        if named is not None and named.is_relative_to(folder):
            raise RunError(f"cannot use {named} ({error.strerror}): mend that and resume with resume={folder}") from error
        raise
