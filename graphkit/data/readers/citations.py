"""Citation graphs that keep who cites whom: Cora-ML and CiteSeer as sparse matrices in NumPy archives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from scipy.sparse import csr_matrix

from graphkit.data.graph import Graph, required
from graphkit.data.readers.npz import read_arrays
from graphkit.data.readers.rows import damaged
from graphkit.data.sources import DataRequest, GraphSource
from graphkit.data.splits.edges import message_graph
from graphkit.data.splits.nodes import split_nodes_by_count


def read(request: DataRequest) -> GraphSource:
    """A citation graph, and a split of 20 training nodes per class and 500 for validation, drawn as DiGCN's code draws it.

    Args:
        request: What was asked for.

    Raises:
        DataError: If the file is damaged.
    """
    graph = read_citations(request.first_file(), directed=request.entry.directed)
    split = split_nodes_by_count(required(graph.y), per_class=20, num_valid=500, generator=request.generator)
    return GraphSource(graph, nodes=split)


def read_citations(path: Path, *, directed: bool) -> Graph:
    """Read a citation graph.

    Args:
        path: The archive with `adj_*` and `attr_*`, two matrices in CSR form, and `labels`.
        directed: Whether citations keep their direction, and self-loops stay as published; else the graph is made symmetric
            and has none.

    Returns:
        The graph with `x`, as published, and `y`.

    Raises:
        DataError: If the file is damaged or its arrays do not fit each other.
    """
    adjacency, features = (_matrix(path, prefix) for prefix in ("adj", "attr"))
    (labels,) = read_arrays(path, ("labels",))
    num_nodes = len(labels)
    if adjacency.shape != (num_nodes, num_nodes) or features.shape[0] != num_nodes:
        raise damaged(path, ValueError("citations, features and labels of as many papers were expected"))
    entries = adjacency.tocoo()
    edge_index = torch.from_numpy(np.stack([entries.row, entries.col]).astype(np.int64))
    return Graph(
        x=torch.from_numpy(features.toarray().astype(np.float32)),
        edge_index=message_graph(edge_index, num_nodes, directed=directed),
        y=torch.from_numpy(labels.astype(np.int64)),
        num_nodes=num_nodes,
    )


def _matrix(path: Path, prefix: str) -> csr_matrix:
    data, indices, indptr, shape = read_arrays(path, [f"{prefix}_{part}" for part in ("data", "indices", "indptr", "shape")])
    try:
        matrix = csr_matrix((data, indices, indptr), shape=tuple(shape))
        matrix.check_format(full_check=True)  # ids out of range would be written to memory that is not the matrix's
    except (TypeError, ValueError) as error:
        raise damaged(path, error) from error
    return matrix
