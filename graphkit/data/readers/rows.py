"""What readers of rows share: which characters are blanks, which no name holds, and errors that name file, line and column."""

from __future__ import annotations

import re
from pathlib import Path

from graphkit.data.readers.inputs import InputFile
from graphkit.errors import DataError, shown

LONGEST_LINE = 1 << 24
"""Characters of a line, enough for a million features; a longer one is no row, and could fill the memory."""

BLANKS = " \t\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]")  # control characters, line ends, byte order mark


def malformed(path: Path | InputFile, line: int, column: int, message: str) -> DataError:
    """The error for one field; line and column count from 1."""
    return DataError(f"{path}, line {line}, column {column}: {message}")


def repeated_header(path: Path | InputFile, line: int) -> DataError:
    """The error for a header further down."""
    return DataError(f"{path}, line {line}: the header comes again, as in files put one below another: remove this line")


def name(path: Path | InputFile, line: int, column: int, field: str) -> str:
    """The field as an id or label, which messages, tables and files can show.

    Raises:
        DataError: If it holds a control character, a line end or a byte order mark.
    """
    if unseen := UNSEEN.search(field):
        found = f"U+{ord(unseen.group()):04X} in '{shown(field)}'"
        raise malformed(path, line, column, f"expected text without control characters, found {found}: remove it")
    return field


def damaged(path: Path, error: Exception) -> DataError:
    """The error for a raw file that cannot be read."""
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return DataError(f"{path} is damaged ({reason}): delete it and load again to download it")
