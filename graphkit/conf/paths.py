"""Paths as a user types them."""

from __future__ import annotations

import os
from pathlib import Path

from graphkit.errors import RequestError, shown


def expanded(path: str | os.PathLike[str], key: str) -> Path:
    """The path with the user's home folder in place of `~`, and another user's in place of `~name`.

    Args:
        path: The path.
        key: The setting that names it, for the message.

    Raises:
        RequestError: If that user's home folder is not known.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise RequestError(f"{key}={shown(str(path))}: no home folder is known for it, write the path in full") from error
