"""A user's own pairs of nodes of a graph that is there already, from a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphkit.data.own.columns import GraphColumns
from graphkit.data.own.edges import Edges, edges_of
from graphkit.data.own.graph_file import is_graph_file, read_graph_file, table_of
from graphkit.data.own.table import Reading, Table, read_table
from graphkit.data.own.table.roles import SOURCE, TARGET
from graphkit.data.own.table.table import MOST_TOLD
from graphkit.errors import DataError, shown

Rows = Sequence[Mapping[str, Any]] | Sequence[Sequence[Any]]
"""Rows in memory: by header, or of edges source, target and perhaps weight."""
_ENDS = ("source", "target", "weight")


def table_from(rows: Rows, name: str) -> Table:
    """Rows in memory as a table.

    Raises:
        DataError: If they are not all alike.
    """
    if not len(rows):
        return Table(name, (), None)
    first = rows[0]
    kind = Mapping if isinstance(first, Mapping) else list | tuple
    if any(not isinstance(row, kind) or not row for row in rows):
        raise DataError(f"{name}: give a list of rows, all with the same keys, or of edges source and target")
    if isinstance(first, Mapping):
        keys = list(first)
        cells = [tuple(row[key] for key in keys) for row in rows if isinstance(row, Mapping) and row.keys() == first.keys()]
    else:
        keys, cells = list(_ENDS[: len(first)]), [tuple(row) for row in rows if len(row) == len(first) <= len(_ENDS)]
    plain = all(isinstance(cell, str | int | float | date | None) for row in cells for cell in row)
    if len(cells) != len(rows) or not plain or not all(isinstance(key, str) for key in keys):
        raise DataError(f"{name}: all rows need the same columns, of texts and numbers: {shown(', '.join(map(str, keys)))}")
    return table_of(name, {key: _array(column) for key, column in zip(keys, zip(*cells, strict=True), strict=True)}, "rows")


def _array(cells: Sequence[Any]) -> np.ndarray:
    column = np.empty(len(cells), dtype=object)
    column[:] = cells
    return column


@dataclass(frozen=True)
class OwnPairs:
    """Pairs as they stand in a table.

    Attributes:
        ids: Numbers of the nodes [2, P], a row each.
        weight: Weights [P], where the table has some.
        edges: The table, and which columns were read.
    """

    ids: Tensor
    weight: Tensor | None
    edges: Edges

    def refuse(self, wrong: Tensor, message: Callable[[int], str]) -> None:
        """Refuse some of the pairs, if there are any.

        Args:
            wrong: Which [P].
            message: What to say of the pair of a row.

        Raises:
            DataError: With a line per row, at most ten, and how many there are besides.
        """
        rows = wrong.nonzero().flatten().tolist()
        if rows:
            place = self.edges.columns[0]
            raise self.edges.table.broken([(row, place, message(row)) for row in rows[:MOST_TOLD]], len(rows))


def read_pairs(
    path: Path | Table,
    order: Mapping[str, int],
    unknown: Callable[[str], str],
    *,
    columns: GraphColumns = GraphColumns(),  # noqa: B008
    reading: Reading = Reading(),  # noqa: B008
) -> OwnPairs:
    """Read pairs of nodes from a table of any form, whose columns are told as those of own edges are.

    Args:
        path: The file, or a table that was read.
        order: The number of each node by its name.
        unknown: What to say of a name that no node has.
        columns: What its columns are called.
        reading: How it is to be read.

    Raises:
        DataError: If the file cannot be read, has no pair or no two columns, or names a node that there is not.
    """
    if isinstance(path, Path) and not path.exists():
        raise DataError(f"{path} cannot be read (No such file or directory): name a table of pairs, source and target")
    if isinstance(path, Path) and is_graph_file(path):
        path = read_graph_file(path).edges
    named = [name for name in (columns.source, columns.target, columns.weight) if name]
    table = read_table(path, reading, (SOURCE, TARGET), named, order)
    if not table.rows:
        raise DataError(f"{table.name} holds no pair: one pair per row is needed, source and target separated by a comma")
    edges = edges_of(table, columns)
    for column, cells in zip(edges.columns, (edges.source, edges.target), strict=True):
        table.refuse(column, np.array([name not in order for name in cells.values]), unknown)
    ids = np.stack([cells.places(dict(order)) for cells in (edges.source, edges.target)])
    weight = None if edges.weight is None else torch.from_numpy(edges.weight)
    return OwnPairs(torch.from_numpy(ids), weight, edges)
