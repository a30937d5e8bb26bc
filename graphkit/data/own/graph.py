"""A user's own graph from CSV files; whatever is wrong in them is named by file, line and column."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from graphkit.data.graph import Graph
from graphkit.data.readers.inputs import InputFile
from graphkit.data.readers.rows import check_width, malformed, name, node_id, read_rows
from graphkit.data.splits.edges import message_graph
from graphkit.errors import DataError, shown

_HEADER_WORDS = frozenset(
    (
        "node",
        "id",
        "node_id",
        "name",
        "source",
        "target",
        "src",
        "dst",
        "from",
        "to",
        "u",
        "v",
        "head",
        "tail",
        "node1",
        "node2",
    )
)


@dataclass(frozen=True)
class OwnNames:
    """The user's own words: node ids and class names in index order."""

    nodes: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class OwnGraph:
    """A graph from own files, and sentences on what was dropped or kept while reading it."""

    data: Graph
    names: OwnNames
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Column:
    """Rows of one file: node ids, their lines, and what stands beside each."""

    path: Path | InputFile
    ids: list[str]
    lines: list[int]
    values: np.ndarray


def read_own(
    edges: Path | InputFile,
    features: Path | InputFile | None = None,
    labels: Path | InputFile | None = None,
    directed: bool = False,
) -> OwnGraph:
    """Read a graph.

    Node ids are any text; they are numbered in numerical order where all are integers, else alphabetically. Where there are
    features, their rows are the nodes; else the nodes are all that edges and labels name. Classes are numbered alike. A first
    row is taken for a header where its ids are words such as `source,target` or `node`, where its ids are no integers but those
    of the second row are, or where none of its features is a number.

    Args:
        edges: CSV rows of source id and target id. An edge counts once, however often and, unless `directed`, in whichever
            direction it is named; a self-loop is dropped, its node stays. What was dropped is counted in the notes.
        features: CSV rows of a node id and finite numbers. A node that no edge names has no neighbors: message passing gives it
            its own features alone, or what a layer's docstring says of such nodes.
        labels: CSV rows of a node id and a label. Nodes without a row are unlabeled, -1.
        directed: Edges keep their direction, source to target, and self-loops stay; the notes count these, too.

    Returns:
        The graph, its names, and notes on what was dropped or kept.

    Raises:
        DataError: If a file is missing or malformed, with line and column.
    """
    ends = _read_edges(edges)
    table = _read_features(features) if features else None
    given = _read_labels(labels) if labels else None
    index = number(table.ids if table else [*ends.ids, *(given.ids if given else ())])
    num_nodes = len(index)
    edge_index = torch.from_numpy(_indices(ends, index, table).reshape(-1, 2).T.copy())
    data = Graph(edge_index=message_graph(edge_index, num_nodes, directed=directed), num_nodes=num_nodes)
    if table:
        x = np.empty_like(table.values)
        x[_indices(table, index, table)] = table.values
        data.x = torch.from_numpy(x)
    classes: dict[str, int] = {}
    if given:
        classes = number(given.values)
        y = np.full(num_nodes, -1)
        y[_indices(given, index, table)] = [classes[label] for label in given.values]
        data.y = torch.from_numpy(y)
    return OwnGraph(data, OwnNames(tuple(index), tuple(classes)), _notes(edge_index, data.edge_index, directed))


def _read_edges(path: Path | InputFile) -> _Column:
    """Both ends of every row, one after the other."""
    ids: list[str] = []
    lines: list[int] = []
    for row in read_rows(path, lambda first, second: _ids_are_words(first[:2], second[:2])):
        line, fields = row
        check_width(path, row, 2, "source and target")
        ids += [node_id(path, line, 1, fields[0]), node_id(path, line, 2, fields[1])]
        lines += [line, line]
    if not ids:
        raise DataError(f"{path} holds no edge: one edge per row is needed, source and target separated by a comma")
    return _Column(path, ids, lines, np.tile([1, 2], len(ids) // 2))


def _read_features(path: Path | InputFile) -> _Column:
    ids: list[str] = []
    lines: list[int] = []
    values: list[np.ndarray] = []
    width = 0
    for row in read_rows(path, _is_feature_header):
        line, fields = row
        width = width or max(2, len(fields))
        check_width(path, row, width, "node id and features")
        ids.append(node_id(path, line, 1, fields[0]))
        lines.append(line)
        values.append(np.array([_number_in(path, line, column, field) for column, field in enumerate(fields[1:], 2)]))
    if not ids:
        raise DataError(f"{path} holds no features: one row per node is needed, its id and numbers")
    _refuse_repeated(path, ids, lines)
    with np.errstate(over="ignore"):  # too large for float32 is found below
        table = np.stack(values).astype(np.float32)
    wrong = np.argwhere(~np.isfinite(table))
    if len(wrong):
        row_at, column_at = wrong[0]
        found = values[row_at][column_at]
        raise malformed(
            path, lines[row_at], int(column_at) + 2, f"expected a finite number within float32's range, found {found}"
        )
    return _Column(path, ids, lines, table)


def _read_labels(path: Path | InputFile) -> _Column:
    ids: list[str] = []
    lines: list[int] = []
    labels: list[str] = []
    for row in read_rows(path, lambda first, second: _ids_are_words(first[:1], second[:1])):
        line, fields = row
        check_width(path, row, 2, "node id and label")
        ids.append(node_id(path, line, 1, fields[0]))
        lines.append(line)
        if not fields[1]:
            raise malformed(path, line, 2, "expected a label, found an empty field; leave out the row of an unlabeled node")
        labels.append(name(path, line, 2, fields[1]))
    if not ids:
        raise DataError(f"{path} holds no label: one row per labeled node is needed, its id and label")
    _refuse_repeated(path, ids, lines)
    return _Column(path, ids, lines, np.array(labels, dtype=object))


def _number_in(path: Path | InputFile, line: int, column: int, field: str) -> float:
    try:
        return float(field)
    except ValueError:
        found = f"'{shown(field)}'" if field else "an empty field"
        raise malformed(path, line, column, f"expected a number, found {found}") from None


def _indices(column: _Column, index: dict[str, int], table: _Column | None) -> np.ndarray:
    """Node index of each id; with features, an id without a row there is an error."""
    found = np.fromiter((index.get(node, -1) for node in column.ids), dtype=np.int64, count=len(column.ids))
    if table and (found < 0).any():
        at = int(np.argmax(found < 0))
        position = int(column.values[at]) if column.values.dtype.kind == "i" else 1
        raise malformed(column.path, column.lines[at], position, f"node '{shown(column.ids[at])}' has no row in {table.path}")
    return found


def number(names: Iterable[str]) -> dict[str, int]:
    """Distinct names, numbered in numerical order where all are integers, else alphabetically."""
    distinct = set(names)
    # Decimal, because int() refuses text of more than 4,300 digits.
    ordered = sorted(distinct, key=lambda text: (Decimal(text), text)) if all(map(is_integer, distinct)) else sorted(distinct)
    return {name: number for number, name in enumerate(ordered)}


def _refuse_repeated(path: Path | InputFile, ids: list[str], lines: list[int]) -> None:
    first: dict[str, int] = {}
    for node, line in zip(ids, lines, strict=True):
        if first.setdefault(node, line) != line:
            raise malformed(path, line, 1, f"node '{shown(node)}' has a row already, line {first[node]}; keep one of them")


def is_integer(text: str) -> bool:
    """Whether a text is a whole number in ASCII digits."""
    return text.isascii() and text.removeprefix("-").isdigit()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _ids_are_words(first: list[str], second: list[str]) -> bool:
    """Whether the ids of the first row are a header's: known words, or not integers above integers."""
    if all(field.lower() in _HEADER_WORDS for field in first):
        return True
    return bool(second) and all(map(is_integer, second)) and all(field and not is_integer(field) for field in first)


def _is_feature_header(first: list[str], second: list[str]) -> bool:
    words = [field for field in first[1:] if not _is_number(field)]
    return len(first) > 1 and len(words) == len(first) - 1 and all(words) and not is_integer(first[0])


def _notes(given: Tensor, kept: Tensor, directed: bool) -> tuple[str, ...]:
    """What became of the given edges [2, E], of which `kept` [2, E'] are in the graph."""
    loops = 0 if directed else int((given[0] == given[1]).sum())
    repeated = given.size(1) - loops - (kept.size(1) if directed else kept.size(1) // 2)
    dropped = [f"{count} {what}" for count, what in ((loops, "self-loops"), (repeated, "repeated edges")) if count]
    notes = (f"Dropped from the edge list: {', '.join(dropped)}.",) if dropped else ()
    stayed = int((kept[0] == kept[1]).sum())
    return (*notes, f"Kept in the graph: {stayed} self-loops.") if stayed else notes
