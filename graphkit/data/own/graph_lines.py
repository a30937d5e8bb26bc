"""Own graphs as JSON lines: an object per line that holds one graph."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from graphkit.data.own.collected import Collected, in_order
from graphkit.data.own.naming import number
from graphkit.data.readers.inputs import InputFile
from graphkit.data.readers.rows import LONGEST_LINE, name
from graphkit.errors import DataError, shown

LINES = (".jsonl", ".ndjson")
"""Names of such files end so."""
_KEYS = {"graph", "label", "targets", "num_nodes", "edges", "features", "edge_features"}


@dataclass(frozen=True)
class GivenLines:
    """Lines that are in memory, each an object as JSON has it.

    Attributes:
        rows: The objects.
        name: What they are called in messages.
    """

    rows: Sequence[Any]
    name: str

    def __str__(self) -> str:
        return self.name


def read_lines(path: InputFile | GivenLines, *, labeled: bool = True) -> Collected:
    """Read graphs, one per line: `{"graph": "a", "label": "toxic", "edges": [[0, 1], [1, 2]], "features": [[1], [0], [0]]}`.

    Keys of a line: `edges`, pairs of node numbers from 0; `label`, text or a number, or `targets`, a list of numbers, null
    where not known. Besides, where there are some: `graph`, the id, else the number of the line; `features`, a list of numbers
    per node; `num_nodes`, where there are no features and the last nodes have no edge; `edge_features`, a list per edge.

    Args:
        path: The file.
        labeled: Whether labels or targets are needed; else none is read.

    Raises:
        DataError: If the file is missing or a line is malformed.
    """
    rows = list(_objects(path))
    if not rows:
        raise DataError(f"{path} holds no graph: write one JSON object per line")
    names: dict[str, int] = {}
    for line, row in rows:
        graph = _text(path, line, row.get("graph", line))
        if names.setdefault(graph, line) != line:
            raise _wrong(path, line, f"graph '{shown(graph)}' stands in line {names[graph]} already; keep one of them")
    order = list(number(names))
    rows = [rows[place] for place in np.argsort(in_order(list(names), {graph: place for place, graph in enumerate(order)}))]
    edges = [_edges(path, line, row) for line, row in rows]
    x = _matrices(path, rows, "features", [None] * len(rows))
    edge_attr = _matrices(path, rows, "edge_features", [len(part) for part in edges])
    sizes = [_size(path, line, row, part) for (line, row), part in zip(rows, edges, strict=True)]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    targets = [_targets(path, line, row) if labeled else [""] for line, row in rows]
    for (line, _), given in zip(rows, targets, strict=True):
        if len(given) != len(targets[0]):
            raise _wrong(
                path, line, f"{len(given)} targets, and {len(targets[0])} in line {rows[0][0]}: give as many in each line"
            )
    return Collected(
        names=order,
        sizes=np.array(sizes, dtype=np.int64),
        edges=np.concatenate([part + start for part, start in zip(edges, starts, strict=True)]),
        targets=targets,
        target_lines=[line for line, _ in rows],
        targets_from=str(path),
        edges_from=str(path),
        x=x,
        edge_attr=edge_attr,
    )


def _objects(path: InputFile | GivenLines) -> Iterator[tuple[int, dict[str, Any]]]:
    if isinstance(path, GivenLines):
        yield from ((line, _checked(path, line, row)) for line, row in enumerate(path.rows, start=1))
        return
    number = 0
    try:
        with path.open(encoding="utf-8-sig") as file:
            while text := file.readline(LONGEST_LINE + 1):
                number += 1
                if len(text) > LONGEST_LINE:
                    raise _wrong(path, number, f"longer than {LONGEST_LINE:,} characters: write smaller graphs")
                if text.strip():
                    yield number, _object(path, number, text)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): name an existing file of JSON lines") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}, line {number + 1} or below: not text in UTF-8: save it in UTF-8") from error


def _object(path: InputFile, line: int, text: str) -> dict[str, Any]:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _wrong(path, line, f"no JSON object ({shown(str(error))}): write one graph per line") from error
    return _checked(path, line, row)


def _checked(path: InputFile | GivenLines, line: int, row: Any) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise _wrong(path, line, "no JSON object in braces: write one graph per line")
    if unknown := row.keys() - _KEYS:
        raise _wrong(path, line, f"unknown key '{shown(min(unknown))}': a graph has {', '.join(sorted(_KEYS))}")
    return row


def _targets(path: InputFile | GivenLines, line: int, row: dict[str, Any]) -> list[str]:
    given = row["targets"] if "targets" in row else [row.get("label")]
    if ("label" in row) == ("targets" in row) or not isinstance(given, list) or not given:
        raise _wrong(path, line, 'expected "label", text or a number, or else "targets", a list of numbers')
    if any(not isinstance(value, str | int | float | None) for value in given):
        raise _wrong(path, line, "expected a label or targets that are text, numbers or null")
    return ["" if value is None else _text(path, line, int(value) if isinstance(value, bool) else value) for value in given]


def _text(path: InputFile | GivenLines, line: int, value: Any) -> str:
    """An id or label, which messages, tables and files can show."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _wrong(path, line, f'expected "graph", text or a number, found {shown(json.dumps(value))}')
    return name(Path(str(path)), line, 1, str(value))


def _edges(path: InputFile | GivenLines, line: int, row: dict[str, Any]) -> np.ndarray:
    given = row.get("edges")
    if given == []:
        return np.empty((0, 2), dtype=np.int64)
    edges = _array(given, np.int64)
    if edges is None or edges.ndim != 2 or edges.shape[1] != 2 or edges.min() < 0:
        raise _wrong(path, line, 'expected "edges", a list of pairs of node numbers from 0 on, such as [[0, 1], [1, 2]]')
    return edges


def _matrices(
    path: InputFile | GivenLines, rows: list[tuple[int, dict[str, Any]]], key: str, counts: list[int | None]
) -> np.ndarray | None:
    """The rows of numbers under a key of all graphs, one below another; None where no graph has any."""
    having = [key in row for _, row in rows]
    if not any(having):
        return None
    if not all(having):
        line = rows[having.index(False)][0]
        raise _wrong(path, line, f'no "{key}", which other lines have: give them in each line')
    matrices: list[np.ndarray] = []
    for (line, row), count in zip(rows, counts, strict=True):
        given = row[key]
        matrix = np.empty((0, 0), dtype=np.float32) if given == [] else _array(given, np.float32)
        if matrix is None or matrix.ndim != 2 or (len(matrix) and not matrix.shape[1]) or not np.isfinite(matrix).all():
            raise _wrong(path, line, f'expected "{key}", a list with one list of finite numbers for each')
        if count is not None and len(matrix) != count:
            raise _wrong(path, line, f'{len(matrix)} rows of "{key}" for {count} edges: give one per edge')
        if len(matrix):
            if matrices and matrix.shape[1] != matrices[0].shape[1]:
                raise _wrong(
                    path, line, f'"{key}" have {matrix.shape[1]} numbers each, and {matrices[0].shape[1]} in a line above'
                )
            matrices.append(matrix)
    return np.concatenate(matrices) if matrices else None


def _size(path: InputFile | GivenLines, line: int, row: dict[str, Any], edges: np.ndarray) -> int:
    least = int(edges.max()) + 1 if len(edges) else 0
    given = len(row["features"]) if "features" in row else row.get("num_nodes", least)
    if "features" in row and row.get("num_nodes", given) != given:
        raise _wrong(path, line, f'"num_nodes" is {shown(str(row["num_nodes"]))}, and "features" has {given} rows')
    if type(given) is not int or given < max(least, 1):
        named = f"its edges name node {least - 1}" if least else 'give "num_nodes" or "features"'
        raise _wrong(path, line, f"the graph has {shown(str(given))} nodes: {named}")
    return given


def _array(given: Any, dtype: type) -> np.ndarray | None:
    """Nested lists of numbers as an array; None where they are something else."""
    try:
        array = np.array(given)
    except ValueError:  # lists of different lengths
        return None
    whole = array.dtype.kind in "iu"
    if not whole and (array.dtype.kind != "f" or dtype is np.int64):
        return None
    with np.errstate(over="ignore"):  # what is too large for float32 is not finite, and the caller looks
        return array.astype(dtype)


def _wrong(path: InputFile | GivenLines, line: int, message: str) -> DataError:
    return DataError(f"{path}, line {line}: {message}")
