"""`read_table`: a user's file of any form as a `Table`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from graphkit.data.own.table.cells import Lines, lines_of
from graphkit.data.own.table.content import in_utf8, read_content
from graphkit.data.own.table.header import has_header, repeated
from graphkit.data.own.table.json_lines import is_lines, read_lines
from graphkit.data.own.table.parquet import read_parquet
from graphkit.data.own.table.roles import Role
from graphkit.data.own.table.table import Column, Table
from graphkit.data.readers.inputs import InputFile
from graphkit.data.readers.rows import malformed, repeated_header


@dataclass(frozen=True)
class Reading:
    """How tables are to be read.

    Attributes:
        header: Whether the first row is a header: `auto`, `true` or `false`.
        separator: `auto` or a key of `graphkit.data.own.table.cells.SEPARATORS`.
        comments: Whether lines at the top that begin with # or % are comments: `auto`, `true` or `false`.
        encoding: `auto` or a name that Python knows.
    """

    header: str = "auto"
    separator: str = "auto"
    comments: str = "auto"
    encoding: str = "auto"


def read_table(
    path: Path | InputFile | Table,
    reading: Reading = Reading(),  # noqa: B008
    needed: Sequence[Role] = (),
    named: Collection[str] = (),
    known: Collection[str] = (),
) -> Table:
    """Read a table: CSV and its relatives, JSON lines, or Parquet, perhaps packed.

    Args:
        path: The file; a `Table` is returned as it is.
        reading: How it is to be read.
        needed: What columns are needed for; a first row that names all of them is a header.
        named: Headers that the user gave.
        known: Ids of nodes that other files have; a first row with one of them is none.

    Returns:
        The table; without rows where the file is empty.

    Raises:
        DataError: If the file cannot be read or is malformed, or if it cannot be told how it is to be read.
    """
    if isinstance(path, Table):
        return path
    content = read_content(path)
    took: tuple[str, ...] = (f"{content.packed} unpacked",) if content.packed else ()
    name = str(path)
    if content.parquet:
        return read_parquet(name, content.data)
    data, encoding = in_utf8(path, content.data, reading.encoding)
    del content  # the file as it was, which takes memory
    took += () if encoding == "utf-8" else (f"text in {encoding}",)
    if is_lines(data[:4096].decode(errors="ignore")):
        found = read_lines(name, data.decode())
        return replace(found, took=(*took, *found.took))
    lines, more = lines_of(name, data, reading.separator, reading.comments)
    del data
    first, columns = lines.columns()
    if not columns:
        return Table(name, (), None, took=took)
    _refuse_inner_mark(path, first[0], columns[0], lines)
    words = bool(needed) and len({role.guess(first) for role in needed} - {None}) == len(needed)
    wanted = [given for given in named if not given.isdigit()]
    header, why = has_header(name, first, columns, reading.header, wanted, words, known)
    took += more
    if not header:
        rows = [column.below(text) for text, column in zip(first, columns, strict=True)]
        return Table(name, rows, None, lines.numbers, took)
    if (again := repeated(first, columns)) is not None:
        raise repeated_header(path, lines.numbers()[again + 1])
    took += (f"the first row is a header: {why}; data.header=false reads it as data",) if why else ()
    return Table(name, columns, tuple(first), lambda: lines.numbers()[1:], took)


def _refuse_inner_mark(path: Path | InputFile, first: str, column: Column, lines: Lines) -> None:
    if lines.data.isascii():
        return
    cells = column.below(first)
    wrong = cells.marked(lambda text: text.startswith("\ufeff"))
    if wrong.any():
        row = int(wrong[cells.codes].argmax())
        raise malformed(path, lines.numbers()[row], 1, "a byte order mark (U+FEFF) inside the file: remove it")
