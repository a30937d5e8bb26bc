"""Own graphs as a folder: files of GraphML or graph6 with a table of labels."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ElementTree
from typing import Any

import numpy as np

from graphkit.data.own.collected import Attributes, Collected, in_order
from graphkit.data.own.graph_tables import Targets, read_targets
from graphkit.data.own.naming import number
from graphkit.data.own.table import Reading
from graphkit.data.readers.graph6 import read_graph6
from graphkit.data.readers.inputs import InputFile, InputFolder
from graphkit.errors import DataError, shown


def read_folder(
    folder: InputFolder,
    labels: InputFile | None,
    reading: Reading,
    *,
    known: tuple[Attributes, Attributes] | None = None,
) -> Collected:
    """Read the graphs of a folder.

    Args:
        folder: Files `*.graphml` of one graph each, `*.g6` of one graph per line, or both.
        labels: Name of the graph, then its label or targets. The name is that of the file without its ending; of the several
            graphs of a `.g6` file it is followed by a colon and the graph's number from 1, as in `pairs:2`.
        reading: How the table of labels is to be read.
        known: How attributes of nodes and edges became columns of other graphs, so that these get the same; then no label is
            needed. None: what these graphs hold decides.

    Raises:
        DataError: If a file is missing or malformed, or they do not fit each other.
    """
    try:
        files = folder.files(".graphml", ".g6")
    except OSError as error:
        raise DataError(f"data.graphs={folder} cannot be read ({error.strerror}): name a folder that can") from error
    if not files:
        raise DataError(
            f"data.graphs={folder} holds no file *.graphml or *.g6: name a folder of graphs, or a CSV or JSON-lines file"
        )
    if labels is None and known is None:
        raise DataError(f"data.graphs={folder} is a folder of graphs, whose labels are needed, too: give data.labels=FILE")
    graphs: dict[str, _Graph] = {}
    for file in files:
        for name, graph in _read(file).items():
            if name in graphs:
                raise DataError(f"{folder} holds two graphs called '{shown(name)}': rename one of the files")
            graphs[name] = graph
    if labels is None:
        given = Targets({name: [""] for name in graphs}, dict.fromkeys(graphs, 0), [], lambda *_: None)
    else:
        given = read_targets(labels, reading)
    targets, lines = given.of, given.lines
    if strange := [name for name in targets if name not in graphs]:
        raise DataError(f"{labels}, line {lines[strange[0]]}: no graph '{shown(strange[0])}' in {folder}")
    if without := [name for name in graphs if name not in targets]:
        raise DataError(f"{labels} has no row for graph '{shown(without[0])}' of {folder}: add it, or remove the graph's file")
    order = list(number(graphs))
    chosen = [graphs[name] for name in order]
    sizes = np.array([graph.size for graph in chosen], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    of_nodes, of_edges = known or (None, None)
    x, nodes = _features([(graph.file, graph.nodes) for graph in chosen], "nodes", of_nodes)
    edge_attr, ties = _features([(graph.file, graph.ties) for graph in chosen], "edges", of_edges)
    return Collected(
        names=order,
        sizes=sizes,
        edges=np.concatenate([graph.edges + start for graph, start in zip(chosen, starts, strict=True)]),
        targets=[targets[name] for name in order],
        target_lines=[lines[name] for name in order],
        targets_from=str(labels),
        edges_from=str(folder),
        first_target_column=2,
        target_names=given.names,
        x=x,
        edge_attr=edge_attr,
        attributes=(nodes, ties),
    )


class _Graph:
    """A graph of a file: number of nodes, edges [E, 2], and the attributes of each node and each edge."""

    def __init__(self, file: InputFile, size: int, edges: np.ndarray, nodes: list[Any], ties: list[Any]) -> None:
        self.file, self.size, self.edges, self.nodes, self.ties = file, size, edges, nodes, ties


def _read(file: InputFile) -> dict[str, _Graph]:
    stem = file.path.name.removesuffix(file.path.suffix)
    if file.path.suffix == ".graphml":
        return {stem: _read_graphml(file)}
    found = read_graph6(file)
    names = [stem] if len(found) == 1 else [f"{stem}:{place}" for place in range(1, len(found) + 1)]
    graphs = {}
    for name, graph in zip(names, found, strict=True):
        pairs = graph.edge_index[:, graph.edge_index[0] < graph.edge_index[1]].T.numpy()
        if graph.num_nodes == 0:
            raise DataError(f"{file}: graph '{shown(name)}' has no node: remove its line")
        graphs[name] = _Graph(file, graph.num_nodes, pairs, [{}] * graph.num_nodes, [{}] * len(pairs))
    return graphs


def _read_graphml(file: InputFile) -> _Graph:
    """The graph of a GraphML file, its nodes in the order of `number`."""
    import networkx  # takes half a second, and the other forms do without

    try:
        with file.open("rb") as content:
            data = content.read()
    except OSError as error:
        raise DataError(f"{file} cannot be read ({error.strerror}): name a file that can") from error
    try:
        graph = networkx.read_graphml(io.BytesIO(data), force_multigraph=True)
    except (ElementTree.ParseError, networkx.NetworkXError, OSError, ValueError, KeyError) as error:
        raise DataError(f"{file} is no GraphML ({shown(str(error))}): save the graph again") from error
    order = number(map(str, graph.nodes))
    if not order:
        raise DataError(f"{file} holds no node: remove the file")
    nodes = dict(graph.nodes(data=True))
    named = {str(node): attributes for node, attributes in nodes.items()}
    ties = [(str(source), str(target), attributes) for source, target, attributes in graph.edges(data=True)]
    ends = [in_order([tie[end] for tie in ties], order) for end in (0, 1)]
    return _Graph(file, len(order), np.stack(ends, axis=1), [named[node] for node in order], [tie[2] for tie in ties])


def _features(
    having: list[tuple[InputFile, list[Any]]], what: str, known: Attributes | None
) -> tuple[np.ndarray | None, Attributes]:
    """One column per attribute that holds numbers, one per distinct text of an attribute that holds text; None without any."""
    rows = [(file, row) for file, rows in having for row in rows]
    keys = sorted({key for _, row in rows for key in row if key != "id"})
    attributes: dict[str, dict[str, int] | None] = dict.fromkeys(keys) if known is None else dict(known)
    columns = []
    for key in attributes:
        for file, row in rows:
            if key not in row:
                raise DataError(
                    f"{file}: attribute '{shown(key)}' is missing at some of its {what}: give it to all, or to none"
                )
        values = [row[key] for _, row in rows]
        if known is None and any(isinstance(value, str) for value in values):
            attributes[key] = number(map(str, values))
        places = attributes[key]
        for (file, _), value in zip(rows, values, strict=True):
            if isinstance(value, str) if places is None else str(value) not in places:
                holds = "numbers" if places is None else shown(", ".join(places), 200)
                found = f"attribute '{shown(key)}' of its {what} is '{shown(str(value))}'"
                raise DataError(f"{file}: {found}, and in the run's graphs it is one of {holds}")
        if places is not None:
            columns.append(np.eye(len(places), dtype=np.float32)[in_order(list(map(str, values)), places)])
        else:
            column = np.array(values, dtype=np.float32)[:, None]
            if not np.isfinite(column).all():
                file = rows[int(np.argmin(np.isfinite(column[:, 0])))][0]
                raise DataError(f"{file}: attribute '{shown(key)}' of its {what} holds no finite number: mend it")
            columns.append(column)
    return np.concatenate(columns, axis=1) if columns else None, tuple(attributes.items())
