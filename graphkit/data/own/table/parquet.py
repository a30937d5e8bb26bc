"""A table as a Parquet file."""

from __future__ import annotations

from typing import Any

from graphkit.data.own.table.table import Column, Table
from graphkit.errors import DataError, shown


def read_parquet(name: str, data: bytes) -> Table:
    """Read a Parquet file; an empty cell is an empty text.

    Args:
        name: The file.
        data: Its content.

    Raises:
        DataError: If it is damaged, holds lists or objects, or pyarrow is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise DataError(f"{name} is a Parquet file: install the extra 'parquet', or save it as CSV") from None
    try:
        table = pyarrow.parquet.read_table(pyarrow.BufferReader(data))
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{name} is a Parquet file and damaged ({shown(str(error))}): write it again") from error
    return Table(name, [_column(name, title, table[title]) for title in table.column_names], tuple(table.column_names),
                 took=("Parquet",))  # fmt: skip


def _column(name: str, title: str, given: Any) -> Column:
    import pyarrow
    import pyarrow.compute

    if pyarrow.types.is_nested(given.type):
        raise DataError(f"{name}: column '{shown(title)}' holds lists or objects: leave it out, or give it several columns")
    kept = given if pyarrow.types.is_dictionary(given.type) else given.dictionary_encode()
    chunk = kept.combine_chunks()
    chunk = chunk.chunk(0) if isinstance(chunk, pyarrow.ChunkedArray) else chunk
    values = [
        "" if value is None else value if isinstance(value, str) else _text(value) for value in chunk.dictionary.to_pylist()
    ]
    codes = chunk.indices.fill_null(len(values)).to_numpy(zero_copy_only=False).astype("int64")
    return Column([*values, ""], codes).trimmed().taken(slice(None))


def _text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
