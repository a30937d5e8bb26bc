"""A user's own graph: edges, features and labels from tables or graph files, joined by the ids of nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from graphkit.data.graph import Graph
from graphkit.data.graphs import merge_edges
from graphkit.data.own.columns import GraphColumns
from graphkit.data.own.edges import Edges, edges_of
from graphkit.data.own.features import Codings, Features, features_of
from graphkit.data.own.formats import Layout, layout_of
from graphkit.data.own.graph_file import GraphFile, is_graph_file, read_graph_file
from graphkit.data.own.memory import Matrix
from graphkit.data.own.naming import alike_note, look_alike, number
from graphkit.data.own.node_rows import File, NodeRows, node_rows
from graphkit.data.own.table import Reading, Table, read_table
from graphkit.data.own.table.roles import SOURCE, TARGET
from graphkit.data.own.table.table import MOST_TOLD
from graphkit.data.own.table.values import numbers_of
from graphkit.data.readers.inputs import InputFile
from graphkit.data.readers.rows import UNSEEN
from graphkit.data.splits.edges import message_graph
from graphkit.data.splits.negatives import pair_keys
from graphkit.errors import DataError, shown


@dataclass(frozen=True)
class OwnNames:
    """The user's own words: node ids and class names in index order."""

    nodes: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class OwnGraph:
    """A graph from own files.

    Attributes:
        data: The graph; features that are not known are NaN.
        names: Names of its nodes and classes.
        notes: Sentences on what was dropped or kept.
        read: Sentences on how the files were read.
        nodes: Ids of the nodes of `train`, `valid` and `test`, where the data says so; None: it does not.
        edge_time: When each edge of `data` first came to be [E], in either direction; None: not read.
        columns: How the columns of its features became numbers; None: they were numbers in memory, or there are none.
    """

    data: Graph
    names: OwnNames
    notes: tuple[str, ...]
    read: tuple[str, ...] = field(default=(), compare=False)
    nodes: dict[str, Tensor] | None = None
    edge_time: Tensor | None = None
    columns: Codings | None = None


def read_own(
    edges: File,
    features: File | None = None,
    labels: File | None = None,
    directed: bool = False,
    columns: GraphColumns = GraphColumns(),  # noqa: B008
    reading: Reading = Reading(),  # noqa: B008
    format: str = "auto",
    masks: Mapping[str, np.ndarray] | None = None,
) -> OwnGraph:
    """Read a graph.

    Node ids are any text; they are numbered in numerical order where all are integers, else alphabetically. Where there are
    features, their rows are the nodes; else the nodes are all that edges, labels and a graph file name. Classes are numbered
    alike. Whether a table has a header is told by `graphkit.data.own.table.header`, which columns are read by their names.

    Args:
        edges: Rows of source and target, perhaps with a weight; or a graph file. An edge counts once, however often and, unless
            `directed`, in whichever direction it is named; a self-loop is dropped, its node stays. What was dropped is counted
            in the notes.
        features: Rows of a node id and features. A node that no edge names has no neighbors: message passing gives it its own
            features alone, or what a layer's docstring says of such nodes.
        labels: Rows of a node id and a label. Nodes without a row, or with an empty label, are unlabeled: -1.
        directed: Edges keep their direction, source to target, and self-loops stay; the notes count these, too.
        columns: What the columns are called.
        reading: How tables are to be read.
        format: The setting `data.format`.
        masks: A split of the nodes that the data brings along: numbers of nodes by split.

    Returns:
        The graph, its names, and notes on what was dropped or kept.

    Raises:
        DataError: If a file is missing or malformed, with line and column, or it cannot be told how it is to be read.
    """
    files = _opened({"edges": edges, "features": features, "labels": labels})
    layouts = {key: layout_of(_path(file), key, format, reading, columns) for key, file in files.items()}
    layout = layouts["edges"]
    found = _edges(files["edges"], layout)
    ends = (found.source.values, found.target.values)
    known = frozenset(chain(*ends)) if len(files) > 1 else frozenset()
    beside = {key: node_rows(files[key], key, layouts[key], known) for key in ("features", "labels") if key in files}
    table, given = beside.get("features"), beside.get("labels")
    if table:
        index = number(table.ids.values)
    else:
        others = (_more_nodes(files["edges"]), given.ids.values if given else ())
        index = number(*ends, *filter(None, others))
    if alike := look_alike(index):
        raise DataError(
            f"ids '{shown(alike[0])}' and '{shown(alike[1])}' look alike and differ in Unicode (NFC, NFD): write all files in "
            "one form"
        )
    pairs, kept = _joined(found, index, table, layout.may_name_others)
    graph = _graph(found, pairs, kept, tuple(index), directed)
    notes = _notes(pairs, graph.edge_index, directed)
    if left := found.table.rows - pairs.size(1):
        notes = (*notes, f"Left out: {left:,} edges that name nodes without a row of features.")
    told = [_told(found.table, found.read), *_direction(files["edges"], directed)]
    classes: tuple[str, ...] = ()
    codings: Codings | None = None
    if table:
        read = _features(table, given, columns)
        graph.x = torch.from_numpy(_placed(read.x, table.ids.places(index)))
        told += [_told(table.table), *read.notes]
        codings = read.columns
    if given:
        graph.y, classes, more = _labels(given, index, table)
        told += [_told(given.table), *more]
    nodes = {split: _numbered(part, index) for split, part in masks.items()} if masks else None
    time = None if found.time is None else _earliest(pairs, torch.from_numpy(found.time[kept]), graph)
    names, said = OwnNames(tuple(index), classes), tuple(dict.fromkeys(filter(None, told)))
    return OwnGraph(graph, names, notes, said, nodes, time, codings)


def _earliest(pairs: Tensor, time: Tensor, graph: Graph) -> Tensor:
    """The first time [E] of each edge of a graph, of rows that name it in either direction."""
    keys, place = torch.unique(pair_keys(pairs, graph.num_nodes), return_inverse=True)
    first = torch.full((keys.numel(),), torch.inf, dtype=time.dtype).scatter_reduce_(0, place, time, "amin")
    return first[torch.searchsorted(keys, pair_keys(graph.edge_index, graph.num_nodes))]


def _numbered(nodes: np.ndarray, index: dict[str, int]) -> Tensor:
    """Nodes by their number in the data as nodes of the graph, ascending."""
    return torch.tensor(sorted(index[str(node)] for node in nodes.tolist()), dtype=torch.int64)


def _features(table: NodeRows, labels: NodeRows | None, columns: GraphColumns) -> Features:
    """Features of the rows, without the label where both come from the same table."""
    if table.x is not None:
        return Features(table.x)
    label = labels.beside if labels and labels.table.name == table.table.name else ()
    beside = [column for column in table.beside if column not in label]
    return features_of(table.table, beside, columns.categorical, columns.ignore)


def _opened(given: Mapping[str, File | None]) -> dict[str, File]:
    """The same, graph files read, each once."""
    read: dict[Path, GraphFile] = {}
    opened: dict[str, File] = {}
    for key, file in given.items():
        if isinstance(file, Path | InputFile) and is_graph_file(path := _path(file)):
            if path not in read or isinstance(file, InputFile):  # whose bytes are counted
                read[path] = read_graph_file(file)
            opened[key] = read[path]
        elif file is not None:
            opened[key] = file
    return opened


def _path(file: File) -> Path:
    return file if isinstance(file, Path) else file.path if isinstance(file, InputFile) else Path(file.name)


def _more_nodes(edges: File) -> Sequence[str]:
    """Nodes that a graph file names, also those without an edge."""
    return edges.nodes.columns[0].values if isinstance(edges, GraphFile) and edges.nodes.rows else ()


def _direction(edges: File, directed: bool) -> tuple[str, ...]:
    if isinstance(edges, GraphFile) and edges.directed and not directed:
        return (f"{edges.name} says that its edges are directed; data.directed=true keeps the direction",)
    return ()


def _told(table: Table, more: tuple[str, ...] = ()) -> str:
    took = "; ".join([*table.took, *more])
    return f"{table.name}: {table.rows:,} rows{'; ' if took else ''}{took}"


def _edges(file: File, layout: Layout) -> Edges:
    columns = layout.columns
    if isinstance(file, GraphFile):
        return edges_of(file.edges, columns)
    assert not isinstance(file, Matrix)  # which is features
    named = [name for name in (columns.source, columns.target, columns.weight, columns.time) if name]
    return edges_of(read_table(file, layout.reading, (SOURCE, TARGET), named), columns)


def _joined(edges: Edges, index: dict[str, int], table: NodeRows | None, may_name_others: bool) -> tuple[Tensor, np.ndarray]:
    """Edges [2, E] by the numbers of their nodes, and which rows they are."""
    pairs = np.stack([edges.source.places(index), edges.target.places(index)])
    lost = pairs < 0
    if not lost.any():
        return torch.from_numpy(pairs), np.arange(edges.table.rows)
    assert table is not None  # else every end is in the index
    if may_name_others:
        kept = np.flatnonzero(~lost.any(axis=0))
        return torch.from_numpy(pairs[:, kept].copy()), kept
    rows, ends = np.nonzero(lost.T)
    found = []
    for row, end in zip(rows[:MOST_TOLD].tolist(), ends[:MOST_TOLD].tolist(), strict=True):
        side = (edges.source, edges.target)[end]
        found.append((row, edges.columns[end], _no_row(side.values[side.codes[row]], index, table.table.name)))
    raise edges.table.broken(found, rows.size)


def _no_row(text: str, index: dict[str, int], where: str) -> str:
    other = text.removesuffix(".0") if text.endswith(".0") else f"{text}.0"
    alike = f", '{shown(other)}' has: write ids alike in all files" if other in index else ""
    return f"node '{shown(text)}' has no row in {where}{alike}"


def _graph(edges: Edges, pairs: Tensor, kept: np.ndarray, names: tuple[str, ...], directed: bool) -> Graph:
    """The message passing graph; with weights if there are any."""
    if edges.weight is None:
        return Graph(edge_index=message_graph(pairs, len(names), directed=directed), num_nodes=len(names))
    weight = edges.weight[kept]
    _refuse_two_weights(edges, pairs, weight, kept, directed)
    edge_index, merged = merge_edges(pairs, len(names), torch.from_numpy(weight)[:, None], directed=directed)
    assert merged is not None
    return Graph(edge_index=edge_index, num_nodes=len(names), edge_weight=merged.view(-1))


def _refuse_two_weights(edges: Edges, pairs: Tensor, weight: np.ndarray, kept: np.ndarray, directed: bool) -> None:
    ends = pairs.numpy() if directed else np.sort(pairs.numpy(), axis=0)
    order = np.lexsort((ends[1], ends[0]))
    same = (ends[:, order[1:]] == ends[:, order[:-1]]).all(axis=0)
    same &= directed | (ends[0] != ends[1])[order[1:]]  # self-loops are dropped
    wrong = np.flatnonzero(same & (weight[order[1:]] != weight[order[:-1]]))
    if wrong.size:
        found = []
        for place in wrong[:MOST_TOLD].tolist():
            first, second = sorted((int(order[place]), int(order[place + 1])))
            before = edges.table.place(int(kept[first]), 0).removeprefix(f"{edges.table.name}, ").partition(",")[0]
            told = f"the edge has weight {weight[second]:g} here and {weight[first]:g} in {before}"
            way = "" if directed else ", or data.directed=true if direction matters"
            found.append((int(kept[second]), edges.columns[0], f"{told}: give one row per edge, e.g. with the sum{way}"))
        raise edges.table.broken(found, wrong.size)


def _placed(values: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Rows in the order of the nodes."""
    placed = np.empty_like(values)
    placed[nodes] = values
    return placed


def _labels(given: NodeRows, index: dict[str, int], table: NodeRows | None) -> tuple[Tensor, tuple[str, ...], tuple[str, ...]]:
    """The class of every node, -1 where it is not known; names of classes; notes."""
    cells, column = given.table.columns[given.beside[0]], given.beside[0]
    if UNSEEN.search("".join(cells.values)):
        given.table.ids(column)
    nodes = given.ids.places(index)
    if (nodes < 0).any():
        assert table is not None
        if given.column is None:
            sizes = f"{given.table.name} has {given.table.rows:,} rows, and {table.table.name} {table.table.rows:,}"
            raise DataError(f"{sizes}: one per node is needed in both")
        lost = np.array([value not in index for value in given.ids.values])
        given.table.refuse(given.column, lost, lambda text: _no_row(text, index, table.table.name))
    classes = number(value for value in cells.values if value)
    if not classes:
        raise DataError(f"{given.table.name} holds no label: column {given.table.title(column)} is empty")
    y = np.full(len(index), -1)
    y[nodes] = cells.places(classes)
    notes = list(alike_note(f"{given.table.name}: labels", classes))
    if len(classes) > max(2, given.table.rows // 10) and not np.isnan(numbers_of([*classes])).any():
        notes.append(
            f"{given.table.name}: the {len(classes):,} distinct numbers in column {given.table.title(column)} are classes"
        )
    if (empty := int((cells.places(classes) < 0).sum())) > 0:
        notes.append(f"{given.table.name}: {empty:,} rows have no label; their nodes are unlabeled")
    return torch.from_numpy(y), tuple(classes), tuple(notes)


def _notes(given: Tensor, kept: Tensor, directed: bool) -> tuple[str, ...]:
    """What became of the given edges [2, E], of which `kept` [2, E'] are in the graph."""
    loops = 0 if directed else int((given[0] == given[1]).sum())
    repeated = given.size(1) - loops - (kept.size(1) if directed else kept.size(1) // 2)
    dropped = [f"{count} {what}" for count, what in ((loops, "self-loops"), (repeated, "repeated edges")) if count]
    notes = (f"Dropped from the edge list: {', '.join(dropped)}.",) if dropped else ()
    stayed = int((kept[0] == kept[1]).sum())
    return (*notes, f"Kept in the graph: {stayed} self-loops.") if stayed else notes
