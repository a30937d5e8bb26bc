"""Folders that a user names or that stand for a user: `~`, a home that there is not, a working directory that has gone."""

from __future__ import annotations

import os
from pathlib import Path

from graphkit.errors import RequestError


def expanded(path: str | os.PathLike[str], key: str = "") -> Path:
    """The path with `~` and `~name` as home folders.

    Args:
        path: A path as it was typed.
        key: The setting it belongs to, for the message.

    Raises:
        RequestError: If there is no such home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        given = f"{key}={os.fspath(path)}" if key else os.fspath(path)
        raise RequestError(f"{given}: the home folder it names is not known, give the whole path") from error


def require_working_folder() -> None:
    """RequestError if the working directory has been removed."""
    try:
        Path.cwd()
    except OSError as error:
        raise RequestError(f"the working directory cannot be used ({error.strerror}): change to another one") from error
