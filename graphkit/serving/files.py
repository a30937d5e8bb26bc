"""Lists of many users, and embeddings, as files that other programs read."""

from __future__ import annotations

import contextlib
import csv
import importlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from graphkit.errors import RequestError, RunError
from graphkit.training.artifacts import is_own_file
from graphkit.training.files import replaced, write_arrays
from graphkit.training.table import cells

Array = np.ndarray[Any, np.dtype[Any]]
Columns = Mapping[str, Array]
"""Columns of equal length by their header."""
_MOST_ROOM = 1 << 30


def check_out(path: Path, run: Path, inputs: Iterable[Path] = ()) -> None:
    """Say before any work that a file cannot be written, or must not be.

    Args:
        path: The file to be written.
        run: The run folder that answers.
        inputs: Files that the answer is made from.

    Raises:
        RequestError: If its folder is missing or closed, it is itself a folder, it would replace a file of the run or an input,
            or it needs a package that is not installed.
    """
    try:
        if is_own_file(run, path):
            raise RequestError(f"out={path}: that is a file of the run itself, choose another one")
        if any(path.resolve() == other.resolve() for other in inputs):
            raise RequestError(f"out={path}: the answer is read from that file, choose another one")
        if not path.parent.is_dir():
            raise RequestError(f"out={path}: there is no folder {path.parent}, make it first")
        if path.is_dir() or not os.access(path.parent, os.W_OK):
            raise RequestError(f"out={path}: cannot write there, choose another file")
    except (OSError, RuntimeError) as error:  # a name that is too long; links in a circle
        raise RequestError(f"out={path}: cannot write there ({error}), choose another file") from error
    if path.suffix == ".parquet":
        _require_parquet()


def write_rows(path: Path, blocks: Iterable[Columns]) -> int:
    """Write blocks of rows as .csv or .parquet, replacing the file as a whole; one block is in memory at a time.

    Args:
        path: The file.
        blocks: The columns of each block, all with the same headers.

    Returns:
        How many rows were written.

    Raises:
        RunError: If the disk is full or the file cannot be written.
    """
    write = _write_parquet if path.suffix == ".parquet" else _write_csv
    with _disk(path), replaced(path) as temporary:
        return write(temporary, blocks)


def write_embeddings(path: Path, users: Array, items: Array, user_names: Array, item_names: Array) -> None:
    """Write embeddings with the names of their rows, replacing the file as a whole.

    .npz: arrays `users` [U, d], `items` [I, d], `user_names` [U], `item_names` [I]. .parquet: a row an embedding, users first,
    with the columns `kind` (user or item), `name`, `embedding`.

    Raises:
        RequestError: If the names cannot be stored in .npz, which gives each the room of the longest one.
        RunError: If the disk is full or the file cannot be written.
    """
    with _disk(path):
        if path.suffix == ".npz":
            names = {"user_names": _fixed_width(path, user_names), "item_names": _fixed_width(path, item_names)}
            write_arrays(path, {"users": users, "items": items, **names})
            return
        arrow = _require_parquet()
        parts = (("user", user_names, users), ("item", item_names, items))
        tables = [
            arrow.table(
                {
                    "kind": arrow.array([kind] * len(names)),
                    "name": arrow.array(names.tolist()),
                    "embedding": arrow.FixedSizeListArray.from_arrays(arrow.array(vectors.ravel()), vectors.shape[1]),
                }
            )
            for kind, names, vectors in parts
        ]
        with replaced(path) as temporary:
            importlib.import_module("pyarrow.parquet").write_table(arrow.concat_tables(tables), temporary)


def _fixed_width(path: Path, names: Array) -> Array:
    """Names as .npz can hold them without pickle."""
    longest = int(np.strings.str_len(names).max(initial=1))
    room = 4 * len(names) * longest
    if room > _MOST_ROOM:
        raise RequestError(f"out={path}: names as long as these would take {room / 2**30:.1f} GiB in .npz, write .parquet")
    return names.astype(f"U{longest}")


def _write_csv(path: Path, blocks: Iterable[Columns]) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        for number, columns in enumerate(blocks):
            if number == 0:
                writer.writerow(columns)
            writer.writerows(zip(*map(cells, columns.values()), strict=True))
            count += _length(columns)
    return count


def _write_parquet(path: Path, blocks: Iterable[Columns]) -> int:
    arrow, count, file = _require_parquet(), 0, None
    try:
        for columns in blocks:
            plain = {name: column.tolist() if column.dtype.kind in "UT" else column for name, column in columns.items()}
            table = arrow.table({name: arrow.array(column) for name, column in plain.items()})
            file = file or importlib.import_module("pyarrow.parquet").ParquetWriter(path, table.schema)
            file.write_table(table)
            count += _length(columns)
    finally:
        if file is not None:
            file.close()
    return count


def _length(columns: Columns) -> int:
    return max(map(len, columns.values()))


@contextlib.contextmanager
def _disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RunError(f"cannot write out={path} ({error.strerror or error}): free space or choose another file") from error


def _require_parquet() -> ModuleType:
    try:
        return importlib.import_module("pyarrow")
    except ModuleNotFoundError:
        raise RequestError(
            "a .parquet file needs the package pyarrow: install the extra with `pip install -e '.[parquet]'`, or write .csv "
            "or .npz"
        ) from None
