"""Own graphs as CSV tables: one of graphs, one of edges, perhaps one of nodes, joined by the graph's id."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from graphkit.data.own.collected import Collected, in_order, is_number
from graphkit.data.own.graph import is_integer, number
from graphkit.data.readers.inputs import InputFile
from graphkit.data.readers.rows import Row, check_width, malformed, name, node_id, read_rows
from graphkit.errors import DataError, shown

_GRAPH_WORDS = re.compile("(graph|molecule|mol|name|id)(s|[ _-]?(id|name|index))?", re.IGNORECASE)
_LARGEST = float(np.finfo(np.float32).max)


@dataclass
class _Table:
    """Rows of a file: the graph's id, the ids of nodes, numbers, and the line of each."""

    path: InputFile
    graphs: list[str] = field(default_factory=list)
    nodes: list[list[str]] = field(default_factory=list)
    numbers: list[list[float]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)


def read_tables(graphs: InputFile, edges: InputFile | None, features: InputFile | None) -> Collected:
    """Read graphs from CSV files.

    A first row is taken for a header where its graph id is a word such as `graph` or `graph_id`, or is no integer and that of
    the second row is one.

    Args:
        graphs: Graph id, then a label or targets.
        edges: Graph id, source and target, then numbers.
        features: Graph id, node id, then numbers. Where it is given its rows are the nodes; else they are all that edges name.

    Raises:
        DataError: If a file is missing or malformed, with line and column, or they do not fit each other.
    """
    if edges is None:
        raise DataError(f"{graphs} is a table of graphs, of which the edges are needed, too: give data.edges=FILE")
    targets, target_lines, target_names = read_targets(graphs)
    order = number(targets)
    ends = _read(edges, 2, "graph id, source and target, then features of the edge")
    table = _read(features, 1, "graph id, node id, then features of the node") if features else None
    if table is not None and not table.numbers[0]:
        raise malformed(
            table.path, table.lines[0], 3, "expected a feature, found the end of the row: give numbers, or leave it out"
        )
    for rows in (ends, table) if table else (ends,):
        for line, graph in zip(rows.lines, rows.graphs, strict=True):
            if graph not in order:
                raise malformed(rows.path, line, 1, f"graph '{shown(graph)}' has no row in {graphs}")
    nodes, sizes = _number_nodes(ends, table, order)
    empty = np.flatnonzero(sizes == 0)
    if len(empty):
        graph = list(order)[int(empty[0])]
        raise malformed(graphs, target_lines[graph], 1, f"graph '{shown(graph)}' has no node: {edges} does not name it"
                        + ("" if features is None else f", nor does {features}"))  # fmt: skip
    return Collected(
        names=list(order),
        sizes=sizes,
        edges=nodes[: 2 * len(ends.lines)].reshape(2, -1).T,
        targets=[targets[graph] for graph in order],
        target_lines=[target_lines[graph] for graph in order],
        targets_from=str(graphs),
        edges_from=str(edges),
        first_target_column=2,
        target_names=target_names,
        x=None if table is None else _placed(table, nodes[2 * len(ends.lines) :]),
        edge_attr=_array(ends) if ends.numbers[0] else None,
    )


def read_targets(path: InputFile) -> tuple[dict[str, list[str]], dict[str, int], list[str]]:
    """Targets by graph id as text, their lines, and the names of the targets, empty without a header.

    Raises:
        DataError: If the file is missing or malformed, with line and column.
    """
    targets: dict[str, list[str]] = {}
    lines: dict[str, int] = {}
    names: list[str] = []

    def is_header(first: list[str], second: list[str]) -> bool:
        if found := _is_header(first, second):
            names.extend(first[1:])
        return found

    width = 0
    for row in read_rows(path, is_header):
        line, fields = row
        width = width or max(2, len(fields))
        check_width(path, row, width, "graph id and label, or targets")
        graph = _graph_id(path, row)
        if graph in targets:
            raise malformed(path, line, 1, f"graph '{shown(graph)}' has a row already, line {lines[graph]}; keep one of them")
        targets[graph] = [name(path, line, column, text) for column, text in enumerate(fields[1:], 2)]
        lines[graph] = line
    if not targets:
        raise DataError(f"{path} holds no graph: one row per graph is needed, its id and label")
    return targets, lines, names


def _read(path: InputFile, ids: int, meaning: str) -> _Table:
    table, width = _Table(path), 0
    for row in read_rows(path, _is_header):
        line, fields = row
        width = width or max(1 + ids, len(fields))
        check_width(path, row, width, meaning)
        table.graphs.append(_graph_id(path, row))
        table.nodes.append([node_id(path, line, column, text) for column, text in enumerate(fields[1 : 1 + ids], 2)])
        table.numbers.append([_number(path, line, column, text) for column, text in enumerate(fields[1 + ids :], 2 + ids)])
        table.lines.append(line)
    if not table.lines:
        raise DataError(f"{path} is empty: expected rows of {meaning}")
    return table


def _graph_id(path: InputFile, row: Row) -> str:
    line, fields = row
    if not fields[0]:
        raise malformed(path, line, 1, "expected a graph id, found an empty field")
    return name(path, line, 1, fields[0])


def _number(path: InputFile, line: int, column: int, text: str) -> float:
    if not is_number(text) or abs(float(text)) > _LARGEST:
        found = f"'{shown(text)}'" if text else "an empty field"
        raise malformed(path, line, column, f"expected a finite number within float32's range, found {found}")
    return float(text)


def _number_nodes(ends: _Table, table: _Table | None, order: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
    """Node numbers of all sources, all targets and all rows of features; and the nodes of each graph.

    A graph's nodes are numbered in numerical order of their ids where all ids are integers, else alphabetically.
    """
    sources, targets = ([pair[end] for pair in ends.nodes] for end in (0, 1))
    own = [] if table is None else [node for (node,) in table.nodes]
    ids = [*sources, *targets, *own]
    ranks = number(ids)
    graph = np.concatenate([np.tile(in_order(ends.graphs, order), 2), in_order([] if table is None else table.graphs, order)])
    keys = graph * len(ranks) + in_order(ids, ranks)
    if table is None:
        known, node = np.unique(keys, return_inverse=True)
    else:
        known, first = np.unique(keys[2 * len(sources) :], return_index=True)
        _refuse_repeated(table, first)
        node = np.searchsorted(known, keys)
        lost = known[np.minimum(node, len(known) - 1)] != keys
        if lost.any():
            place = int(np.argmax(lost)) % len(sources)
            column = 2 if lost[place] else 3
            raise malformed(ends.path, ends.lines[place], column,
                            f"node '{shown(ends.nodes[place][column - 2])}' of graph '{shown(ends.graphs[place])}' has no row "
                            f"in {table.path}")  # fmt: skip
    return node, np.bincount(known // len(ranks), minlength=len(order))


def _refuse_repeated(table: _Table, first: np.ndarray) -> None:
    again = np.setdiff1d(np.arange(len(table.lines)), first)
    if len(again):
        place = int(again[0])
        (node,), graph = table.nodes[place], table.graphs[place]
        raise malformed(
            table.path,
            table.lines[place],
            2,
            f"node '{shown(node)}' of graph '{shown(graph)}' has a row already; keep one of them",
        )


def _array(table: _Table) -> np.ndarray:
    return np.array(table.numbers, dtype=np.float32)


def _placed(table: _Table, nodes: np.ndarray) -> np.ndarray:
    """Features in the order of the nodes."""
    values = _array(table)
    placed = np.empty_like(values)
    placed[nodes] = values
    return placed


def _is_header(first: Sequence[str], second: Sequence[str]) -> bool:
    """Whether the first row's graph id is a header's: a known word, or no integer above an integer."""
    if not first:
        return False
    return bool(_GRAPH_WORDS.fullmatch(first[0])) or (bool(second) and is_integer(second[0]) and not is_integer(first[0]))
