"""The decorator of compiled kernels: numba's `njit`, with machine code that is kept on disk between processes.

numba keeps it beside the source, else in the user's cache folder, and refuses to compile where it can write to neither, as in
many containers. There a folder of this user in the temporary directory takes it, and where that cannot be had nothing is kept.
"""

from __future__ import annotations

import os
import stat
import tempfile
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core.compiler_lock import global_compiler_lock

from graphkit import __version__

# A child of a fork has only the thread that forked: a compilation of another one would hold numba's lock there for ever.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=global_compiler_lock.acquire,
        after_in_parent=global_compiler_lock.release,
        after_in_child=global_compiler_lock.release,
    )


def kernel(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile a function when it is first called, with these options of `numba.njit`, and keep the machine code."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        try:
            return _kept(function, options)
        except RuntimeError as error:
            if not _has_no_folder(error):
                raise
        return _kept_elsewhere(function, options)

    return decorate


def _kept(function: Callable[..., Any], options: dict[str, Any]) -> Callable[..., Any]:
    compiled: Callable[..., Any] = numba.njit(cache=True, **options)(function)
    return compiled


def _kept_elsewhere(function: Callable[..., Any], options: dict[str, Any]) -> Callable[..., Any]:
    folder = _spare_folder()
    if folder is None:
        plain: Callable[..., Any] = numba.njit(**options)(function)
        return plain
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(folder)  # read once, when a function is decorated
    try:
        return _kept(function, options)
    finally:
        numba.config.CACHE_DIR = before


def _has_no_folder(error: RuntimeError) -> bool:
    return "cannot cache function" in str(error)


@cache
def _spare_folder() -> Path | None:
    """A folder of this user alone in the temporary directory, or None; warns, once, of what was found."""
    folder = None
    if not hasattr(os, "getuid"):  # Windows, where the cache folder of the user is always there
        return folder
    try:
        folder = Path(tempfile.gettempdir()) / f"graphkit-{__version__}-kernels-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
        # What is loaded from a cache is run: a folder that somebody else can write to is none.
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
            folder = None
    except OSError:
        folder = None
    kept = "are compiled again in every process" if folder is None else f"are kept in {folder}"
    warnings.warn(
        f"compiled kernels {kept}, since neither the folder of graphkit nor a cache folder of the user can be written to; "
        "set NUMBA_CACHE_DIR to a folder that can be.",
        RuntimeWarning,
        stacklevel=2,
    )
    return folder
