"""Own edges: which columns hold source, target and weight, and what they say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from graphkit.data.own.columns import GraphColumns
from graphkit.data.own.table import Column, Table
from graphkit.data.own.table.roles import SOURCE, TARGET, TIME, WEIGHT, named
from graphkit.data.own.table.values import numbers_of
from graphkit.data.own.times import times_of
from graphkit.errors import DataError, shown


@dataclass(frozen=True)
class Edges:
    """Edges as they stand in a table.

    Attributes:
        table: The table.
        source: Ids of the sources, a row each.
        target: Ids of the targets.
        columns: Where both stand.
        weight: Weights [E], float32; None without any.
        time: When each came to be [E], float64; None without a column.
        read: What was read, in few words each.
    """

    table: Table
    source: Column
    target: Column
    columns: tuple[int, int]
    weight: np.ndarray | None
    time: np.ndarray | None
    read: tuple[str, ...]


def edges_of(table: Table, columns: GraphColumns) -> Edges:
    """Take the edges out of a table.

    Raises:
        DataError: If there are none, columns are missing or unclear, an id is empty, or a weight is no finite number above 0,
            or a time is neither a number nor a date.
    """
    if not table.rows:
        raise DataError(f"{table.name} holds no edge: one edge per row is needed, source and target separated by a comma")
    source, target = _ends(table, columns)
    weight = _weight_column(table, columns, (source, target))
    read = [f"source is column {table.title(source)}, target {table.title(target)}"]
    if weight is not None:
        read.append(f"weights are column {table.title(weight)}")
    time = named(table.name, table.header, len(table.columns), TIME, columns.time) if columns.time else None
    if time is not None:
        read.append(f"times are column {table.title(time)}")
    others = [table.title(place) for place in range(len(table.columns)) if place not in (source, target, weight, time)]
    if others:
        read.append(f"not read: {', '.join(others[:5])}{' and others' if len(others) > 5 else ''}")
    return Edges(
        table,
        table.ids(source),
        table.ids(target),
        (source, target),
        None if weight is None else _weights(table, weight),
        None if time is None else times_of(table, time),
        tuple(read),
    )


def _ends(table: Table, columns: GraphColumns) -> tuple[int, int]:
    width, header = len(table.columns), table.header
    if width < 2:
        raise DataError(
            f"{table.name} has one column, and edges need two, source and target: separate them by a comma, or give "
            "data.separator="
        )
    given = ((SOURCE, columns.source), (TARGET, columns.target))
    found = [
        named(table.name, header, width, role, text) if text else role.guess(header) if header else None for role, text in given
    ]
    source, target = found
    if source is None and target is None and (not header or width == 2):
        return 0, 1
    if width == 2 and source is None and target is not None:
        return 1 - target, target
    if width == 2 and target is None and source is not None:
        return source, 1 - source
    if source is None or target is None:
        role = SOURCE if source is None else TARGET
        told = f"its header is {shown(', '.join(header), 200)}" if header else "it has no header"
        raise DataError(f"{table.name}: cannot tell the column of the {role.name} nodes, {told}: name it by {role.setting}=")
    if source == target:
        raise DataError(f"{table.name}: source and target are both column {table.title(source)}: name two columns")
    return source, target


def _weight_column(table: Table, columns: GraphColumns, ends: tuple[int, int]) -> int | None:
    if columns.weight:
        return named(table.name, table.header, len(table.columns), WEIGHT, columns.weight)
    found = WEIGHT.guess(table.header) if table.header else None
    return None if found in ends else found


def _weights(table: Table, column: int) -> np.ndarray:
    cells = table.columns[column]
    values = numbers_of(cells.values)
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    wrong = ~np.isfinite(single) | (single <= 0)
    table.refuse(column, wrong, lambda text: f"expected a weight, a finite number above 0, found {_found(text)}")
    weights: np.ndarray = single[cells.codes]
    return weights


def _found(text: str) -> str:
    return f"'{shown(text)}'" if text else "an empty field"
