"""A user's own collection of graphs: which form its files have, and what becomes of its labels and edges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from graphkit.data.graphs import Graphs, merge_edges, pointers
from graphkit.data.own.collected import Attributes, Collected, is_number
from graphkit.data.own.graph_folder import read_folder
from graphkit.data.own.graph_lines import LINES, GivenLines, read_lines
from graphkit.data.own.graph_tables import read_tables
from graphkit.data.own.naming import is_integer, number
from graphkit.data.own.table import Reading
from graphkit.data.readers.inputs import InputFile, InputFolder
from graphkit.data.readers.rows import malformed
from graphkit.errors import DataError, RequestError, shown

KINDS = ("auto", "classes", "labels", "numbers")


@dataclass(frozen=True)
class OwnGraphs:
    """Graphs from own files.

    Attributes:
        graphs: The graphs, in numerical order of their ids where all are integers, else in alphabetical order.
        kind: What is predicted: `classes`, `labels` or `numbers`.
        names: Their ids.
        classes: The names of the classes in index order; empty where labels or numbers are predicted.
        targets: The names of the labels or numbers, where the files have some.
        dropped: Sentences on which edges were dropped or kept.
        notes: Sentences on what may be meant otherwise.
        attributes: How attributes of nodes and of edges became columns, of graphs from a folder.
    """

    graphs: Graphs
    kind: str
    names: tuple[str, ...]
    classes: tuple[str, ...]
    targets: tuple[str, ...]
    dropped: tuple[str, ...]
    notes: tuple[str, ...]
    attributes: tuple[Attributes, Attributes] = ((), ())


@dataclass(frozen=True)
class KnownForm:
    """What new graphs must look like.

    Attributes:
        channels: Features of a node.
        edge_channels: Features of an edge.
        y: Targets of the run's graphs, of which the shape and type count.
        directed: Whether edges keep their direction.
        attributes: How attributes of nodes and edges became columns, of graphs from a folder.
    """

    channels: int
    edge_channels: int
    y: Tensor
    directed: bool
    attributes: tuple[Attributes, Attributes]


def read_own_graphs(
    graphs: InputFile | InputFolder,
    edges: InputFile | None = None,
    features: InputFile | None = None,
    labels: InputFile | None = None,
    *,
    targets: str = "auto",
    directed: bool = False,
    reading: Reading = Reading(),  # noqa: B008
) -> OwnGraphs:
    """Read a collection of graphs.

    Args:
        graphs: One of three forms. A CSV file, a graph per row: its id, then its label or targets; with `edges`, and perhaps
            `features`. A file `*.jsonl`, a graph per line, which holds all. A folder of `*.graphml` or `*.g6` files with
            `labels`.
        edges: With CSV: graph id, source and target, then numbers: features of the edge.
        features: With CSV: graph id, node id, then numbers.
        labels: With a folder of `*.graphml` or `*.g6`: name of the graph, then its label or targets.
        targets: What they are: `classes`; `labels`, 0 or 1 for each of several questions; `numbers`. `auto`: a single column
            is classes, unless it holds a number that is no integer; several columns are labels where all are 0 or 1, else
            numbers. An empty field is a label or number that is not known.
        directed: Whether edges keep their direction and self-loops stay; else repeated edges and both directions count once,
            self-loops are dropped, and nodes without an edge stay.
        reading: How tables are to be read.

    Raises:
        RequestError: If a file does not go with the form of `graphs`.
        DataError: If a file is missing or malformed, with file and line, or they do not fit each other.
    """
    _check_form("data.", "data.graphs", graphs, {"edges": edges, "features": features, "labels": labels})
    if isinstance(graphs, InputFolder):
        found = read_folder(graphs, labels, reading)
    elif graphs.path.suffix in LINES:
        found = read_lines(graphs)
    else:
        found = read_tables(graphs, edges, features, reading)
    kind = _kind(found.targets) if targets == "auto" else targets
    y, classes = _targets(found, kind)
    merged = _merged(found, y, directed)
    return OwnGraphs(
        graphs=merged,
        kind=kind,
        names=tuple(found.names),
        classes=classes,
        targets=tuple(found.target_names) if kind != "classes" else (),
        dropped=_dropped(torch.from_numpy(np.ascontiguousarray(found.edges.T)), merged.num_nodes, directed),
        notes=_could_be_numbers(classes, len(found.names)) if targets == "auto" else (),
        attributes=found.attributes,
    )


def read_new_graphs(
    graphs: InputFile | InputFolder | GivenLines,
    edges: InputFile | None = None,
    features: InputFile | None = None,
    *,
    known: KnownForm,
    reading: Reading = Reading(),  # noqa: B008
) -> tuple[Graphs, tuple[str, ...]]:
    """Read graphs that a run does not know, in the forms of `read_own_graphs`; labels are not needed, and not read.

    Args:
        graphs: As there; or objects as JSON lines have them.
        edges: With CSV, as there.
        features: With CSV, as there.
        known: What the run's graphs look like.
        reading: How tables are to be read.

    Returns:
        The graphs, their targets not known, and their ids.

    Raises:
        RequestError: If a file does not go with the form of `graphs`.
        DataError: If a file is missing or malformed, or nodes or edges have other features than the run's.
    """
    if not isinstance(graphs, GivenLines):
        _check_form("", "new", graphs, {"edges": edges, "features": features})
    if isinstance(graphs, InputFolder):
        found = read_folder(graphs, None, reading, known=known.attributes)
    elif isinstance(graphs, GivenLines) or graphs.path.suffix in LINES:
        found = read_lines(graphs, labeled=False)
    else:
        found = read_tables(graphs, edges, features, reading, labeled=False)
    for what, matrix, width in (("nodes", found.x, known.channels), ("edges", found.edge_attr, known.edge_channels)):
        having = 0 if matrix is None else matrix.shape[1]
        if having != width and (matrix is not None or what == "nodes" or len(found.edges)):
            raise DataError(f"{graphs}: {having:,} features of its {what}, and {width:,} in the run's graphs: give as many")
    unknown = known.y.new_full((len(found.names), *known.y.shape[1:]), -1 if known.y.dim() == 1 else torch.nan)
    return _merged(found, unknown, known.directed), tuple(found.names)


def _merged(found: Collected, y: Tensor, directed: bool) -> Graphs:
    """The graphs, each edge once."""
    ptr = pointers(torch.from_numpy(found.sizes))
    given = torch.from_numpy(np.ascontiguousarray(found.edges.T))
    edge_attr = None if found.edge_attr is None else torch.from_numpy(found.edge_attr)
    try:
        edge_index, edge_attr = merge_edges(given, int(ptr[-1]), edge_attr, directed=directed)
    except DataError as error:
        raise DataError(f"{found.edges_from}: {error}") from error
    return Graphs(ptr, edge_index, y, None if found.x is None else torch.from_numpy(found.x), edge_attr)


def _check_form(section: str, key: str, graphs: InputFile | InputFolder, others: dict[str, InputFile | None]) -> None:
    folder = isinstance(graphs, InputFolder)
    lines = not folder and graphs.path.suffix in LINES
    taken = ("labels",) if folder else () if lines else ("edges", "features")
    form = "a folder" if folder else "a file of JSON lines" if lines else "a CSV file"
    for other, file in others.items():
        if file is not None and other not in taken:
            raise RequestError(f"{section}{other}: {key}={graphs} is {form}, which goes without it, leave it out")


def _targets(found: Collected, kind: str) -> tuple[Tensor, tuple[str, ...]]:
    """Targets as a tensor, and the names of classes."""
    rows = found.targets
    if kind == "classes":
        if len(rows[0]) != 1:
            place = f"{len(rows[0])} columns of targets"
            raise DataError(f"{found.targets_from} has {place}, and classes need one: give data.targets=labels or numbers")
        for line, (label,) in zip(found.target_lines, rows, strict=True):
            if not label:
                raise _wrong(found, line, 0, "expected a label, found an empty field; leave out graphs without a label")
        numbered = number(label for (label,) in rows)
        return torch.tensor([numbered[label] for (label,) in rows]), tuple(numbered)
    values = [
        [_value(found, line, column, field, kind) for column, field in enumerate(row)]
        for line, row in zip(found.target_lines, rows, strict=True)
    ]
    y = torch.tensor(values, dtype=torch.float32)
    if bool(y.isnan().all(dim=0).any()):
        column = int(y.isnan().all(dim=0).nonzero()[0])
        raise DataError(f"{found.targets_from}: target {column + 1} is known of no graph: leave it out")
    return y, ()


def _kind(rows: Sequence[Sequence[str]]) -> str:
    fields = [field for row in rows for field in row if field]
    if len(rows[0]) == 1:
        return "numbers" if all(map(is_number, fields)) and not all(map(is_integer, fields)) else "classes"
    return "labels" if all(field in ("0", "1") for field in fields) else "numbers"


def _could_be_numbers(classes: tuple[str, ...], count: int) -> tuple[str, ...]:
    """A sentence where integers are many and may be meant as numbers."""
    if len(classes) <= max(2, count // 10) or not all(map(is_integer, classes)):
        return ()
    return (f"the {len(classes):,} distinct labels are read as classes; data.targets=numbers predicts them as numbers",)


def _value(found: Collected, line: int, column: int, field: str, kind: str) -> float:
    if not field:
        return float("nan")
    if not is_number(field) or (kind == "labels" and float(field) not in (0.0, 1.0)):
        wanted = "0, 1 or an empty field" if kind == "labels" else "a finite number or an empty field"
        raise _wrong(found, line, column, f"expected {wanted} (data.targets={kind}), found '{shown(field)}'")
    return float(field)


def _wrong(found: Collected, line: int, column: int, message: str) -> DataError:
    if found.first_target_column is None:
        return DataError(f"{found.targets_from}, line {line}: {message}")
    return malformed(Path(found.targets_from), line, found.first_target_column + column, message)


def _dropped(given: Tensor, num_nodes: int, directed: bool) -> tuple[str, ...]:
    """What became of the given edges [2, E]."""
    loose = given[:, given[0] != given[1]]
    loops = given.size(1) - loose.size(1)
    # That an undirected edge stands in both directions is no repetition that needs telling.
    repeated = loose.size(1) - torch.unique(loose[0] * num_nodes + loose[1]).numel()
    dropped = [
        f"{count:,} {what}" for count, what in ((0 if directed else loops, "self-loops"), (repeated, "repeated edges")) if count
    ]
    notes = (f"Dropped from the edges: {', '.join(dropped)}.",) if dropped else ()
    return (*notes, f"Kept in the graphs: {loops:,} self-loops.") if directed and loops else notes
