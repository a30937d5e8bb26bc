"""Collections of graphs in the text files of the TU Dortmund benchmark, and the published folds of some."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from graphkit.data.graphs import Graphs, merge_edges, one_hot, pointers
from graphkit.data.readers.rows import damaged
from graphkit.data.sources import DataRequest, GraphsSource


def read(request: DataRequest) -> GraphsSource:
    """A collection and its published folds, where it has some.

    Args:
        request: What was asked for; of its files those called `test_idx-*` are folds.

    Raises:
        DataError: If a file is damaged.
    """
    folder = request.first_file().parent
    graphs, classes = read_tu(folder, folder.parent.name)
    files = [file.path for file in request.entry.files if "test_idx" in file.path]
    folds = tuple(read_folds(request.root, files, graphs.num_graphs))
    return GraphsSource(graphs, "classes" if classes else "numbers", folds, class_names=classes)


def read_with_truth(request: DataRequest) -> GraphsSource:
    """A collection, its published folds, and which edges its classes rest on.

    Args:
        request: What was asked for; the last of its files has a 0 or 1 for each line of the list of edges.

    Raises:
        DataError: If a file is damaged.
    """
    source, folder = read(request), request.first_file().parent
    edges = _integers(folder / f"{folder.parent.name}_A.txt", width=2) - 1
    marks = _rows_of(request.root / request.entry.files[-1].path, np.int64, len(edges))
    if marks.shape[1] != 1 or not np.isin(marks, (0, 1)).all():
        raise damaged(request.root / request.entry.files[-1].path, ValueError("rows of 0 or 1 were expected"))
    marked = edges[marks[:, 0] == 1]
    key = source.graphs.edge_index * torch.tensor([[source.graphs.num_nodes], [1]])
    wanted = np.concatenate([marked, marked[:, ::-1]]) @ np.array([source.graphs.num_nodes, 1])  # true in both directions
    truth = torch.isin(key.sum(dim=0), torch.from_numpy(wanted))
    return replace(source, graphs=replace(source.graphs, edge_truth=truth))


def read_tu(folder: Path, name: str, *, attributes: bool = False) -> tuple[Graphs, tuple[str, ...]]:
    """Read a collection of graphs.

    Node labels and edge labels become one-hot features, a column per distinct label in ascending order. Edges are undirected,
    without duplicates and self-loops.

    Args:
        folder: Holds `<name>_A.txt`, `<name>_graph_indicator.txt`, and `<name>_graph_labels.txt` (classes) or else
            `<name>_graph_attributes.txt` (numbers to predict); perhaps `_node_labels`, `_edge_labels`, `_node_attributes` and
            `_edge_attributes`.
        name: The name before the underscore.
        attributes: Whether the attributes of nodes and edges are features, too, in the columns after the labels'.

    Returns:
        The graphs, and the published names of their classes in index order; none where numbers are predicted.

    Raises:
        DataError: If a file is damaged or they do not fit each other.

    Source:
        "TUDataset: A collection of benchmark datasets for learning with graphs", 2020 (arXiv:2007.08663).
    """
    files = {part: folder / f"{name}_{part}.txt" for part in _PARTS}
    graph = _integers(files["graph_indicator"])[:, 0]
    if not len(graph) or graph[0] != 1 or not np.isin(np.diff(graph), (0, 1)).all():
        raise damaged(files["graph_indicator"], ValueError("the numbers of graphs from 1 on were expected, in ascending order"))
    num_nodes, num_graphs = len(graph), int(graph[-1])
    edges = _integers(files["A"], width=2) - 1
    if edges.size and (edges.min() < 0 or edges.max() >= num_nodes or (graph[edges[:, 0]] != graph[edges[:, 1]]).any()):
        raise damaged(files["A"], ValueError("edges between two nodes of one graph were expected"))
    edge_index, edge_attr = merge_edges(
        torch.from_numpy(edges.T.copy()), num_nodes, _features(files, "edge", len(edges), attributes)
    )
    y, classes = _targets(files, num_graphs)
    ptr = pointers(torch.from_numpy(np.bincount(graph - 1, minlength=num_graphs)))
    return Graphs(ptr, edge_index, y, _features(files, "node", num_nodes, attributes), edge_attr), classes


def read_folds(folder: Path, files: Sequence[str], num_graphs: int) -> list[Tensor]:
    """Test graphs of published folds, a text file of graph numbers from 0 for each.

    Raises:
        DataError: If a file is damaged, names no graph of the collection, or two folds share a graph.
    """
    folds: list[Tensor] = []
    seen = np.zeros(num_graphs, dtype=bool)
    for file in files:
        ids = _integers(folder / file)[:, 0]
        if not len(ids) or ids.min() < 0 or ids.max() >= num_graphs or seen[ids].any() or len(np.unique(ids)) < len(ids):
            raise damaged(
                folder / file, ValueError(f"graphs from 0 to {num_graphs - 1} that no other fold tests were expected")
            )
        seen[ids] = True
        folds.append(torch.from_numpy(np.sort(ids)))
    return folds


_PARTS = (
    "A",
    "graph_indicator",
    "graph_labels",
    "graph_attributes",
    "node_labels",
    "node_attributes",
    "edge_labels",
    "edge_attributes",
)


def _targets(files: dict[str, Path], num_graphs: int) -> tuple[Tensor, tuple[str, ...]]:
    if not files["graph_labels"].exists() and files["graph_attributes"].exists():
        numbers = _rows_of(files["graph_attributes"], np.float32, num_graphs)
        return torch.from_numpy(numbers), ()
    labels = _rows_of(files["graph_labels"], np.int64, num_graphs)[:, 0]
    classes, y = np.unique(labels, return_inverse=True)
    return torch.from_numpy(y.astype(np.int64)), tuple(map(str, classes.tolist()))


def _features(files: dict[str, Path], of: str, count: int, attributes: bool) -> Tensor | None:
    parts = []
    if files[f"{of}_labels"].exists():
        parts.append(one_hot(torch.from_numpy(_rows_of(files[f"{of}_labels"], np.int64, count))))
    if attributes and files[f"{of}_attributes"].exists():
        parts.append(torch.from_numpy(_rows_of(files[f"{of}_attributes"], np.float32, count)))
    return torch.cat(parts, dim=1) if parts else None


def _rows_of(path: Path, dtype: type, count: int) -> np.ndarray:
    table = _table(path, dtype)
    if len(table) != count:
        raise damaged(path, ValueError(f"{count} rows were expected, found {len(table)}"))
    return table


def _integers(path: Path, width: int = 1) -> np.ndarray:
    table = _table(path, np.int64)
    if table.shape[1] != width:
        raise damaged(path, ValueError(f"rows of {width} whole numbers were expected"))
    return table


def _table(path: Path, dtype: type) -> np.ndarray:
    """The numbers of a text file, separated by commas [rows, columns]."""
    try:
        text = path.read_bytes().strip()
        width = _width(text)
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # NumPy warns where it comes to something that is no number
            # np.loadtxt checks each row, and takes ten times as long
            table: np.ndarray = np.fromstring(text.replace(b",", b" ").decode("ascii"), dtype=dtype, sep=" ").reshape(-1, width)
        if len(table) != 1 + text.count(b"\n"):
            raise ValueError("numbers separated by commas were expected")
    except (OSError, ValueError, DeprecationWarning) as error:
        raise damaged(path, error) from error
    if not np.isfinite(table).all():
        raise damaged(path, ValueError("finite numbers were expected"))
    return table


def _width(text: bytes) -> int:
    """The numbers in each row; ValueError where rows differ in it."""
    letters = np.frombuffer(text + b"\n", dtype=np.uint8)
    commas, ends = np.flatnonzero(letters == ord(",")), np.flatnonzero(letters == ord("\n"))
    widths = np.unique(np.diff(np.searchsorted(commas, ends), prepend=0)) + 1
    if not text or len(widths) > 1:
        raise ValueError("rows of as many numbers each were expected")
    return int(widths[0])
