"""Own graphs as tables: one of graphs, one of edges, perhaps one of nodes, joined by the graph's id."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from graphkit.data.own.collected import Collected
from graphkit.data.own.naming import number
from graphkit.data.own.table import Column, Reading, Table, read_table
from graphkit.data.own.table.roles import Role
from graphkit.data.own.table.table import MOST_TOLD
from graphkit.data.own.table.values import numbers_of
from graphkit.data.readers.inputs import InputFile
from graphkit.data.readers.rows import UNSEEN
from graphkit.errors import DataError, shown

_GRAPH = Role("graph", ("graph", "graphs", "graphid", "graphname", "graphindex", "molecule", "molecules", "moleculeid",
                        "moleculename", "mol", "molid", "molname", "name", "id"))  # fmt: skip


@dataclass(frozen=True)
class _Rows:
    """Rows of a table: the graph's id, the ids of nodes, numbers [R, F], float32."""

    table: Table
    graphs: Column
    nodes: list[Column]
    numbers: np.ndarray


@dataclass(frozen=True)
class Targets:
    """Targets by graph id as text.

    Attributes:
        of: The targets of each graph.
        lines: The line of each.
        names: What the header calls them, empty without one.
        refuse: Refuses graphs whose ids do not pass a test, with a message made of the id.
    """

    of: dict[str, list[str]]
    lines: dict[str, int]
    names: list[str]
    refuse: Callable[[Callable[[str], bool], Callable[[str], str]], None]


def read_tables(
    graphs: InputFile, edges: InputFile | None, features: InputFile | None, reading: Reading, *, labeled: bool = True
) -> Collected:
    """Read graphs from tables.

    Args:
        graphs: Graph id, then a label or targets.
        edges: Graph id, source and target, then numbers.
        features: Graph id, node id, then numbers. Where it is given its rows are the nodes; else they are all that edges name.
        reading: How tables are to be read.
        labeled: Whether a label or targets must stand behind a graph's id.

    Raises:
        DataError: If a file is missing or malformed, with line and column, or they do not fit each other.
    """
    if edges is None:
        raise DataError(f"{graphs} is a table of graphs, of which the edges are needed, too: give data.edges=FILE")
    targets = read_targets(graphs, reading, labeled=labeled)
    order = number(targets.of)
    ends = _read(edges, reading, 2, "graph id, source and target, then features of the edge", order)
    rows = _read(features, reading, 1, "graph id, node id, then features of the node", order) if features else None
    if rows is not None and not rows.numbers.shape[1]:
        raise DataError(
            f"{rows.table.place(0, 2)}: expected a feature, found the end of the row: give numbers, or leave it out"
        )
    for part in (ends, rows) if rows else (ends,):
        lost = part.graphs.marked(lambda graph: graph not in order)
        part.table.refuse(0, lost, lambda graph: f"graph '{shown(graph)}' has no row in {graphs}")
    nodes, sizes = _number_nodes(ends, rows, order)
    empty = {graph for graph, size in zip(order, sizes.tolist(), strict=True) if not size}
    nor = "" if features is None else f", nor does {features}"
    targets.refuse(
        lambda graph: graph not in empty, lambda graph: f"graph '{shown(graph)}' has no node: {edges} does not name it{nor}"
    )
    count = 2 * ends.table.rows
    return Collected(
        names=list(order),
        sizes=sizes,
        edges=nodes[:count].reshape(2, -1).T,
        targets=[targets.of[graph] for graph in order],
        target_lines=[targets.lines[graph] for graph in order],
        targets_from=str(graphs),
        edges_from=str(edges),
        first_target_column=2,
        target_names=targets.names,
        x=None if rows is None else _placed(rows.numbers, nodes[count:]),
        edge_attr=ends.numbers if ends.numbers.shape[1] else None,
    )


def read_targets(path: InputFile, reading: Reading, *, labeled: bool = True) -> Targets:
    """Targets of graphs, from a table of graph ids and targets.

    Args:
        path: The table.
        reading: How it is to be read.
        labeled: Whether it must have targets.

    Raises:
        DataError: If the file is missing or malformed, with line and column.
    """
    table = read_table(path, reading, (_GRAPH,))
    if not table.rows:
        raise DataError(f"{path} holds no graph: one row per graph is needed, its id and label")
    _require_width(table, 1 + labeled, "graph id and label, or targets")
    ids = table.ids(0, "a graph id")
    _, first = np.unique(ids.codes, return_index=True)
    lines = table.lines
    again = np.setdiff1d(np.arange(table.rows), first)
    if again.size:
        found = []
        for row in again[:MOST_TOLD].tolist():
            before = lines[int(first[ids.codes[row]])]
            text = shown(ids.values[ids.codes[row]])
            found.append((row, 0, f"graph '{text}' has a row already, line {before}: give each graph one row"))
        raise table.broken(found, again.size)
    for column in range(1, len(table.columns)):
        cells = table.columns[column]
        if UNSEEN.search("".join(cells.values)):
            table.ids(column)
    names = ids.texts()
    rows = zip(*(column.texts() for column in table.columns[1:]), strict=True) if len(table.columns) > 1 else [()] * len(names)

    def refuse(test: Callable[[str], bool], message: Callable[[str], str]) -> None:
        table.refuse(0, ~ids.marked(test), message)

    return Targets(
        dict(zip(names, map(list, rows), strict=True)),
        dict(zip(names, lines, strict=True)),
        list(table.header[1:]) if table.header else [],
        refuse,
    )


def _read(path: InputFile, reading: Reading, ids: int, meaning: str, known: Collection[str]) -> _Rows:
    table = read_table(path, reading, (_GRAPH,), known=known)
    if not table.rows:
        raise DataError(f"{path} is empty: expected rows of {meaning}")
    _require_width(table, 1 + ids, meaning)
    graphs = table.ids(0, "a graph id")
    nodes = [table.ids(column) for column in range(1, 1 + ids)]
    numbers = [_numbers(table, column) for column in range(1 + ids, len(table.columns))]
    joined = np.stack(numbers, axis=1) if numbers else np.empty((table.rows, 0), dtype=np.float32)
    return _Rows(table, graphs, nodes, joined)


def _require_width(table: Table, least: int, meaning: str) -> None:
    width = len(table.columns)
    if width < least:
        raise DataError(f"{table.place(0, width)}: expected {least} columns ({meaning}), found {width}")


def _numbers(table: Table, column: int) -> np.ndarray:
    cells = table.columns[column]
    with np.errstate(over="ignore"):
        values = numbers_of(cells.values).astype(np.float32)
    table.refuse(
        column, ~np.isfinite(values), lambda text: f"expected a finite number within float32's range, found {_found(text)}"
    )
    numbers: np.ndarray = values[cells.codes]
    return numbers


def _found(text: str) -> str:
    return f"'{shown(text)}'" if text else "an empty field"


def _number_nodes(ends: _Rows, rows: _Rows | None, order: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
    """Node numbers of all sources, all targets and all rows of features; and the nodes of each graph.

    A graph's nodes are numbered in numerical order of their ids where all ids are integers, else alphabetically.
    """
    own = [] if rows is None else rows.nodes
    columns = [*ends.nodes, *own]
    ranks = number(value for column in columns for value in column.values)
    graphs = [ends.graphs, ends.graphs, *([] if rows is None else [rows.graphs])]
    keys = np.concatenate(
        [graph.places(order) * len(ranks) + node.places(ranks) for graph, node in zip(graphs, columns, strict=True)]
    )
    if rows is None:
        known, node = np.unique(keys, return_inverse=True)
    else:
        known, first = np.unique(keys[2 * ends.table.rows :], return_index=True)
        _refuse_repeated(rows, first)
        node = np.searchsorted(known, keys)
        _refuse_unknown(ends, rows, known[np.minimum(node, len(known) - 1)] != keys)
    return node, np.bincount(known // len(ranks), minlength=len(order))


def _refuse_unknown(ends: _Rows, rows: _Rows, lost: np.ndarray) -> None:
    """Refuse edges that name nodes without a row."""
    if not lost.any():
        return
    places, sides = np.nonzero(lost[: 2 * ends.table.rows].reshape(2, -1).T)
    found = []
    for row, side in zip(places[:MOST_TOLD].tolist(), sides[:MOST_TOLD].tolist(), strict=True):
        node, graph = (shown(column.values[column.codes[row]]) for column in (ends.nodes[side], ends.graphs))
        found.append((row, side + 1, f"node '{node}' of graph '{graph}' has no row in {rows.table.name}"))
    raise ends.table.broken(found, places.size)


def _refuse_repeated(rows: _Rows, first: np.ndarray) -> None:
    again = np.setdiff1d(np.arange(rows.table.rows), first)
    if again.size:
        found = []
        for row in again[:MOST_TOLD].tolist():
            node, graph = (shown(column.values[column.codes[row]]) for column in (rows.nodes[0], rows.graphs))
            found.append((row, 1, f"node '{node}' of graph '{graph}' has a row already: give each node one row"))
        raise rows.table.broken(found, again.size)


def _placed(values: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Features in the order of the nodes."""
    placed = np.empty_like(values)
    placed[nodes] = values
    return placed
