"""metrics.csv: one line a seed and epoch, whole lines only, and rewound to the checkpoint on resume. Imports no torch."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from graphkit.errors import CheckpointError
from graphkit.training.files import read_whole, write_atomic
from graphkit.training.result import Metrics

Row = dict[str, float | None]

_FIXED = ("seed", "epoch", "loss", "seconds", "eval_seconds")


class History:
    """Writer of metrics.csv.

    A line is handed to the system in one write; `sync` makes the lines durable before a checkpoint refers to them.

    Args:
        path: The file; created with its header if missing. A torn last line is dropped.
        columns: `split/metric` columns after `seed, epoch, loss, seconds, eval_seconds`.

    Raises:
        CheckpointError: If an existing file has other columns.
    """

    def __init__(self, path: Path, columns: tuple[str, ...]) -> None:
        self._path = path
        self._columns = columns
        header = ",".join((*_FIXED, *columns)) + "\n"
        lines = read_whole(path).decode(errors="replace").splitlines(keepends=True) if path.exists() else [header]
        if lines[:1] != [header]:
            reason = "has other columns than this version of graphkit writes, or was changed"
            raise CheckpointError(f"{path} {reason}: start the run again")
        self._lines = [line for line in lines[1:] if line.endswith("\n") and line.count(",") == header.count(",")]
        write_atomic(path, "".join((header, *self._lines)).encode())
        self._header = header

    def rewind(self, seed: int, epoch: int) -> None:
        """Drop the lines of `seed` after `epoch`."""
        kept = [line for line in self._lines if not _is_after(self._path, line, seed, epoch)]
        if len(kept) < len(self._lines):
            self._lines = kept
            write_atomic(self._path, "".join((self._header, *kept)).encode())

    def append(
        self, seed: int, epoch: int, loss: float | None, seconds: float, eval_seconds: float, metrics: Metrics | None
    ) -> None:
        """Add a line; empty cells where nothing was computed. Floats are written so that reading gives them back exactly.

        Raises:
            OSError: If it cannot be written; the file then ends where it ended before.
        """
        values = [metrics[column.split("/", 1)[0]][column.split("/", 1)[1]] if metrics else None for column in self._columns]
        cells = ["" if value is None else repr(float(value)) for value in (loss, seconds, eval_seconds, *values)]
        line = ",".join((str(seed), str(epoch), *cells)) + "\n"
        self._write(line.encode())
        self._lines.append(line)

    def _write(self, data: bytes) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        try:
            size = os.fstat(descriptor).st_size
            try:
                while data:  # a short write means a nearly full disk: the next one raises
                    data = data[os.write(descriptor, data) :]
            except OSError as error:
                os.ftruncate(descriptor, size)
                raise OSError(error.errno, error.strerror, str(self._path)) from error
        finally:
            os.close(descriptor)

    def sync(self) -> None:
        """Wait until the lines so far are on the disk."""
        descriptor = os.open(self._path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._path)) from error
        finally:
            os.close(descriptor)

    def digest(self, seed: int) -> str:
        """SHA-256 of the lines of a seed."""
        own = "".join(line for line in self._lines if line.startswith(f"{seed},"))
        return hashlib.sha256(own.encode()).hexdigest()

    def sort(self, seeds: Sequence[int]) -> None:
        """Order the lines as an unbroken run writes them: by seed, then as they are. Lines of other seeds are dropped.

        After a run has got more epochs, those of its first seed stand below the earlier ones of its last.
        """
        ordered = [line for seed in seeds for line in self._lines if line.startswith(f"{seed},")]
        if ordered != self._lines:
            self._lines = ordered
            write_atomic(self._path, "".join((self._header, *ordered)).encode())

    def values(self, seed: int, column: str) -> list[float]:
        """What a column holds for a seed, in the order of epochs, empty cells left out."""
        return [value for row in self.rows() if row["seed"] == seed and (value := row[column]) is not None]

    def rows(self) -> list[Row]:
        """All lines as `{column: value}`; None for an empty cell.

        Raises:
            CheckpointError: If a cell is no number.
        """
        names = (*_FIXED, *self._columns)
        try:
            return [
                {name: float(cell) if cell else None for name, cell in zip(names, line.rstrip("\n").split(","), strict=True)}
                for line in self._lines
            ]
        except ValueError as error:
            raise CheckpointError(f"{self._path} was changed ({error}): start the run again") from error


def _is_after(path: Path, line: str, seed: int, epoch: int) -> bool:
    try:
        own_seed, own_epoch = (int(cell) for cell in line.split(",", 2)[:2])
    except ValueError:
        raise CheckpointError(f"{path} was changed ({line.strip()!r} is no row): start the run again") from None
    return own_seed == seed and own_epoch > epoch
