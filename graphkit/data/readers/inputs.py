"""A user's data file that is read once, with the digest of exactly the bytes that were read."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

_CHUNK = 1 << 18


@dataclass(frozen=True)
class Source:
    """What was read under a setting.

    Attributes:
        typed: The path as the setting gives it.
        path: The absolute path.
        size: Bytes.
        sha256: SHA-256 of the bytes, in hex.
        pipe: Whether it was a pipe or a device, which gives its content once.
    """

    typed: str
    path: str
    size: int
    sha256: str
    pipe: bool = False


class InputFile:
    """A file that is opened as a `Path` is, and knows afterwards what was read.

    Args:
        path: The file, or a pipe.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: _Counted | None = None

    def __str__(self) -> str:
        return str(self.path)

    def __fspath__(self) -> str:
        return str(self.path)

    def open(self, mode: str = "r", newline: str | None = None, encoding: str | None = None) -> IO[Any]:
        """Open the file for reading, as text or, with mode `rb`, as bytes."""
        self._read = _Counted(io.FileIO(self.path))
        buffered = io.BufferedReader(self._read, _CHUNK)
        return buffered if mode == "rb" else io.TextIOWrapper(buffered, encoding=encoding, newline=newline)

    def source(self) -> Source:
        """What was read, once a reader has come to the end of the file."""
        assert self._read is not None  # it was opened
        pipe = not self._read.regular
        path = str(self.path.absolute()) if pipe else absolute(self.path)
        return Source(str(self.path), path, self._read.size, self._read.digest.hexdigest(), pipe)


class InputFolder:
    """A folder of a user's data files, read one by one; its digest is that of their names and contents.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files: list[InputFile] = []

    def __str__(self) -> str:
        return str(self.path)

    def files(self, *endings: str) -> list[InputFile]:
        """The files whose names end so, in the order of their names.

        Raises:
            OSError: If the folder cannot be read.
        """
        found = [InputFile(path) for path in sorted(self.path.iterdir()) if path.name.endswith(endings) and path.is_file()]
        self._files += found
        return found

    def files_below(self, *endings: str) -> list[InputFile]:
        """The files in it and in its subfolders whose names end so in any case, in the order of their paths.

        Raises:
            OSError: If a folder cannot be read.
        """
        self.path.stat()  # rglob is silent about a folder that is not there
        paths = sorted(path for path in self.path.rglob("*") if path.name.lower().endswith(endings) and path.is_file())
        found = [InputFile(path) for path in paths]
        self._files += found
        return found

    def source(self) -> Source:
        """What was read, once all files that were asked for have been."""
        return _together(self.path, self.path, self._files)


class InputList:
    """A user's table that names data files, and those files; its digest is that of all, with their names.

    Args:
        path: The table.
    """

    def __init__(self, path: Path) -> None:
        self.table = InputFile(path)
        self._files = [self.table]

    def __str__(self) -> str:
        return str(self.table)

    def file(self, name: str) -> InputFile:
        """A file that the table names, below the folder of the table."""
        found = InputFile(self.table.path.parent / name)
        self._files.append(found)
        return found

    def source(self) -> Source:
        """What was read, once the table and all files have been."""
        return _together(self.table.path, self.table.path.parent, self._files)


def _together(path: Path, folder: Path, files: list[InputFile]) -> Source:
    """The source of several files: their names below a folder, and their contents."""
    digest, size = hashlib.sha256(), 0
    for file in files:
        source = file.source()
        name = file.path.relative_to(folder) if file.path.is_relative_to(folder) else file.path
        digest.update(f"{name.as_posix()}\0{source.sha256}\n".encode())
        size += source.size
    return Source(str(path), absolute(path), size, digest.hexdigest())


class _Counted(io.RawIOBase):
    """A raw file whose bytes are counted and hashed as they are read."""

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self.regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
        self.size, self.digest = 0, hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        count = self._file.readinto(buffer)
        if count:
            self.size += count
            self.digest.update(memoryview(buffer)[:count])
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


def absolute(path: Path) -> str:
    """The path from the root; what a process calls /dev/stdin or /dev/fd/3 is the file that it stands for."""
    found = path.absolute()
    return str(found.resolve() if str(found).startswith(("/dev/", "/proc/")) else found)
