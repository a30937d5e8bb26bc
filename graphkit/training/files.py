"""Files that are either the old one or the new one, never half of either; and what a failing disk looks like to the user."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from graphkit.errors import CheckpointError, RunError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_LEFTOVER = re.compile(r"\..+\.\d+\.tmp")


def read_whole(path: Path, limit: int | None = None) -> bytes:
    """The content of an ordinary file; a pipe, a device or a folder under its name is never waited for.

    Args:
        path: The file, or a link to one.
        limit: Most bytes that such a file can sensibly have; None: any number.

    Raises:
        FileNotFoundError: If there is none.
        CheckpointError: If it is no ordinary file, is larger, or cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # opening a pipe without a writer would block
        try:
            kind = os.fstat(descriptor)
            if not stat.S_ISREG(kind.st_mode):
                raise no_ordinary_file(path)
            if limit is not None and kind.st_size > limit:
                raise CheckpointError(
                    f"{path} has {kind.st_size:,} bytes, a run writes at most {limit:,}: put its own file back"
                )
            with open(descriptor, "rb", closefd=False) as file:
                return file.read()
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise CheckpointError(f"cannot read {path} ({error.strerror}): put the run's own file in its place") from error


def no_ordinary_file(path: Path) -> CheckpointError:
    """The error for a pipe, a device or a folder where a run has a file."""
    return CheckpointError(f"{path} is no ordinary file: remove it, and put the run's own file in its place")


def write_atomic(path: Path, data: bytes) -> None:
    """Replace a file as a whole, see `replaced`.

    Args:
        path: The file; its folder exists.
        data: The new content, serialized in memory so that no library wraps what the disk answers.

    Raises:
        OSError: With `filename` set; the earlier file is untouched and the temporary one removed.
    """
    try:
        with replaced(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Replace a file as a whole: gives a temporary name beside it, which takes its place at the end, after fsync.

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
        with contextlib.suppress(OSError):  # usually already renamed; a leftover is removed by `remove_leftovers`
            temporary.unlink()


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
    if sys.platform == "win32":  # which opens no folders
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files of a run that was killed while writing, in the folder and one level below.

    Only ordinary files under the names that `write_atomic` gives are removed, and no link leads out of the folder.
    """
    inner = [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()]
    for place in (folder, *inner):
        for leftover in place.iterdir():
            if _LEFTOVER.fullmatch(leftover.name) and leftover.is_file() and not leftover.is_symlink():
                leftover.unlink()


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold a run folder, so that two processes never write into it; the system lets go when the process ends.

    On Windows, and on file systems without locks, nothing is held.

    Raises:
        CheckpointError: If another process holds it.
    """
    try:
        import fcntl
    except ModuleNotFoundError:  # Windows, which has no such locks
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CheckpointError(f"{folder} is in use by another process: wait until that run ends, or stop it") from None
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):  # a file system without locks
                raise
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
