"""Rows of own tables that hold a node each: which column holds its id, and which stand beside it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from graphkit.data.own.formats import Layout
from graphkit.data.own.graph_file import GraphFile
from graphkit.data.own.memory import Matrix
from graphkit.data.own.table import Column, Table, read_table
from graphkit.data.own.table.roles import LABEL, NODE, named
from graphkit.data.own.table.table import MOST_TOLD
from graphkit.data.readers.inputs import InputFile
from graphkit.errors import DataError, shown

File = Path | InputFile | GraphFile | Table | Matrix
"""What a part of a graph is read from; all but the first two are in memory already."""


@dataclass(frozen=True)
class NodeRows:
    """Rows of one table, a node each: ids, the column where they stand, if they do, and the columns that are read beside."""

    table: Table
    ids: Column
    column: int | None
    beside: tuple[int, ...]
    x: np.ndarray | None = None


def node_rows(file: File, key: str, layout: Layout, known: Collection[str]) -> NodeRows:
    """The table of features or labels, with its column of ids, and the columns that are read beside it."""
    if isinstance(file, Matrix):
        rows = np.arange(len(file.x))
        return NodeRows(Table(file.name, (), None), Column(list(map(str, rows.tolist())), rows), None, (), file.x)
    columns = layout.columns
    names = [columns.node, columns.label] if key == "labels" else [columns.node, *columns.categorical, *columns.ignore]
    table = (
        file.nodes
        if isinstance(file, GraphFile)
        else read_table(file, layout.reading, (NODE,), list(filter(None, names)), known)
    )
    what = "features: one row per node is needed, its id and numbers"
    if not table.rows:
        one = "label: one row per labeled node is needed, its id and label"
        raise DataError(f"{table.name} holds no {one if key == 'labels' else what}")
    width = len(table.columns)
    if layout.rows_are_nodes:
        rows = np.arange(table.rows)
        return NodeRows(table, Column(list(map(str, rows.tolist())), rows), None, tuple(range(width)))
    if columns.node:
        place = named(table.name, table.header, width, NODE, columns.node)
    else:
        place = (NODE.guess(table.header) if table.header else None) or 0
    ids = table.ids(place)
    _refuse_repeated(table, place, ids)
    if key == "labels":
        return NodeRows(table, ids, place, (_label_column(table, place, layout),))
    last = {width - 1} if layout.label_last else set()
    beside = tuple(column for column in range(width) if column != place and column not in last)
    if not beside:
        raise DataError(
            f"{table.name} has one column, and features need two or more: a node id, then features separated by commas"
        )
    return NodeRows(table, ids, place, beside)


def _label_column(table: Table, node: int, layout: Layout) -> int:
    width = len(table.columns)
    if layout.columns.label:
        return named(table.name, table.header, width, LABEL, layout.columns.label)
    if layout.label_last:
        return width - 1
    others = [column for column in range(width) if column != node]
    if len(others) == 1:
        return others[0]
    guess = LABEL.guess(table.header) if table.header else None
    if guess is None or guess == node:
        told = f"its header is {shown(', '.join(table.header), 200)}" if table.header else "it has no header"
        raise DataError(
            f"{table.name} has {width} columns, and {told}: a node id and a label are needed: name the label's by "
            "data.label_column="
        )
    return guess


def _refuse_repeated(table: Table, column: int, ids: Column) -> None:
    _, first = np.unique(ids.codes, return_index=True)
    if first.size == table.rows:
        return
    again = np.setdiff1d(np.arange(table.rows), first)
    found = []
    for row in again[:MOST_TOLD]:
        before = table.place(int(first[ids.codes[row]]), column).removeprefix(f"{table.name}, ").partition(",")[0]
        text = shown(ids.values[ids.codes[row]])
        found.append((int(row), column, f"node '{text}' has a row already, {before}: give each node one row"))
    raise table.broken(found, again.size)
