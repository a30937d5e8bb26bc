"""Graph files as a table of edges and a table of nodes: GraphML, GEXF, GML, edge and adjacency lists, Matrix Market."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from graphkit.data.own.table import Column, Table
from graphkit.data.own.table.content import Content, in_utf8, read_content
from graphkit.data.readers.inputs import InputFile
from graphkit.errors import DataError, shown

_KINDS = {
    ".graphml": "GraphML",
    ".gexf": "GEXF",
    ".gml": "GML",
    ".adjlist": "adjacency list",
    ".edgelist": "edge list",
    ".mtx": "Matrix Market",
}
_SILENT = (".adjlist", ".edgelist")
"""Files that do not say whether their edges have a direction."""
_PACKED = (".gz", ".bz2", ".xz", ".zst")


@dataclass(frozen=True)
class GraphFile:
    """A graph that says its nodes and edges.

    Attributes:
        name: Where it comes from.
        edges: Columns `source` and `target`, then attributes of the edges.
        nodes: Column `node`, then attributes of the nodes.
        directed: Whether it says that its edges have a direction.
    """

    name: str
    edges: Table
    nodes: Table
    directed: bool


def is_graph_file(path: Path) -> bool:
    """Whether the name of a file ends as those of graph files do."""
    return _ending(path) in _KINDS


def read_graph_file(path: Path | InputFile) -> GraphFile:
    """Read a graph file.

    Raises:
        DataError: If it cannot be read, or is not what its name says.
    """
    content = read_content(path)
    ending = _ending(path if isinstance(path, Path) else path.path)
    name, kind = str(path), _KINDS[ending]
    if ending == ".mtx":
        return _from_matrix_market(name, content)
    import networkx  # takes half a second, and tables do without

    try:
        graph = _parsed(networkx, path, content, ending)
    except DataError:
        raise
    except Exception as error:  # networkx' readers raise whatever their parsers do
        raise DataError(f"{name} is no {kind} ({shown(str(error) or type(error).__name__)}): save the graph again") from error
    found = from_networkx(name, graph, kind)
    return replace(found, directed=found.directed and ending not in _SILENT)


def from_networkx(name: str, graph: Any, kind: str = "networkx graph") -> GraphFile:
    """A networkx graph; ids are the texts of its nodes.

    Raises:
        DataError: If two nodes have the same text.
    """
    ids = [str(node) for node in graph.nodes]
    if len(set(ids)) < len(ids):
        raise DataError(f"{name}: two nodes are the same as text, such as 1 and '1': rename one of them")
    ends = list(graph.edges(data=True))
    edges = {
        "source": [str(source) for source, _, _ in ends],
        "target": [str(target) for _, target, _ in ends],
        **_attributes([attributes for _, _, attributes in ends], ("id",)),
    }
    nodes = {"node": ids, **_attributes([attributes for _, attributes in graph.nodes(data=True)], ("node",))}
    return GraphFile(name, _table(name, edges, kind), _table(name, nodes, kind), bool(graph.is_directed()))


def text_of(value: Any) -> str:
    """A value as a table has it; None, NaN and what is not there are an empty cell."""
    if value is None or type(value).__name__ == "NAType" or value != value:  # pandas' NA compares with nothing
        return ""
    if isinstance(value, np.generic):
        value = value.item()
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return repr(value) if isinstance(value, float) else str(value)


def _parsed(networkx: Any, path: Path | InputFile, content: Content, ending: str) -> Any:
    if ending == ".graphml":
        return networkx.read_graphml(io.BytesIO(content.data), force_multigraph=True)
    if ending == ".gexf":
        return networkx.read_gexf(io.BytesIO(content.data))
    text = in_utf8(path, content.data)[0].decode()
    if ending == ".adjlist":
        return networkx.parse_adjlist(text.splitlines())
    if ending == ".edgelist":  # attributes in braces, or a weight
        data = True if "{" in text or len(text.partition("\n")[0].split()) < 3 else (("weight", float),)
        return networkx.parse_edgelist(text.splitlines(), create_using=networkx.MultiDiGraph, data=data)
    try:
        return networkx.parse_gml(text)
    except networkx.NetworkXError:
        return networkx.parse_gml(text, label="id")  # nodes without labels


def _from_matrix_market(name: str, content: Content) -> GraphFile:
    import scipy.io

    try:
        matrix = scipy.io.mmread(io.BytesIO(content.data))
    except Exception as error:  # whatever its parser raises
        raise DataError(f"{name} is no Matrix Market file ({shown(str(error))}): save the matrix again") from error
    return from_matrix(name, matrix, "Matrix Market, entry (i, j) is the edge from node i to node j", first=1)


def from_matrix(name: str, matrix: Any, kind: str, first: int = 0) -> GraphFile:
    """A square matrix, sparse or dense: entry (i, j) is the edge from node i to node j with that weight.

    Args:
        name: Where it comes from.
        matrix: The matrix; values that are all 1 are no weights.
        kind: What it is, in few words.
        first: The number of the first node.

    Raises:
        DataError: If it is not square.
    """
    import scipy.sparse

    coo = scipy.sparse.coo_array(matrix)
    if len(coo.shape) != 2 or coo.shape[0] != coo.shape[1]:
        raise DataError(f"{name} is a matrix of {' x '.join(map(str, coo.shape))}, no graph: give a square one")
    values = np.asarray(coo.data)
    edges = {"source": coo.row + first, "target": coo.col + first}
    if not (values == 1).all():
        edges["weight"] = values
    nodes = {"node": np.arange(first, coo.shape[0] + first)}
    return GraphFile(name, table_of(name, edges, kind), table_of(name, nodes, kind), False)


def table_of(name: str, columns: Mapping[str, np.ndarray], kind: str) -> Table:
    """A table of arrays."""
    return Table(name, [_column(values) for values in columns.values()], tuple(columns), took=(kind,))


def _column(values: np.ndarray) -> Column:
    if values.dtype.kind in "biu":
        distinct, codes = np.unique(values, return_inverse=True)
        return Column([text_of(value) for value in distinct.tolist()], codes.reshape(-1).astype(np.int64))
    moments = values.astype("datetime64[us]") if values.dtype.kind == "M" else values
    return Column.of(map(text_of, moments.tolist()))


def _table(name: str, columns: Mapping[str, Iterable[str]], kind: str) -> Table:
    return Table(name, [Column.of(cells) for cells in columns.values()], tuple(columns), took=(kind,))


def _attributes(rows: list[dict[str, Any]], taken: tuple[str, ...]) -> dict[str, list[str]]:
    keys = list(dict.fromkeys(key for row in rows for key in row))
    return {str(key): [text_of(row.get(key)) for row in rows] for key in keys if key not in ("source", "target", *taken)}


def _ending(path: Path) -> str:
    name = path.name.lower()
    for packed in _PACKED:
        name = name.removesuffix(packed)
    return Path(name).suffix
