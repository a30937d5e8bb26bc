"""Web pages as Geom-GCN publishes them: a text file of links, one of words and classes, and archives of splits."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from graphkit.data.graph import Graph
from graphkit.data.readers.npz import read_arrays
from graphkit.data.readers.rows import damaged
from graphkit.data.sources import DataRequest, GraphSource
from graphkit.data.splits.edges import message_graph

_MASKS = {"train": "train_mask", "valid": "val_mask", "test": "test_mask"}


def read(request: DataRequest) -> GraphSource:
    """A graph and the split of a seed: the first two of the data set's files are the graph, the others its splits.

    Args:
        request: What was asked for.

    Raises:
        DataError: If a file is damaged.
    """
    masks = request.root / request.entry.files[2 + request.published_split].path
    graph, split = read_webkb(request.first_file().parent, masks)
    return GraphSource(graph, nodes=split)


def read_webkb(folder: Path, masks: Path) -> tuple[Graph, dict[str, Tensor]]:
    """Read a graph and one of its splits.

    Args:
        folder: Holds `out1_graph_edges.txt` and `out1_node_feature_label.txt`.
        masks: The split's archive with `train_mask`, `val_mask` and `test_mask`.

    Returns:
        The graph with `x` and `y`, symmetric and without self-loops, and node ids of `train`, `valid` and `test`.

    Raises:
        DataError: If a file is damaged or they do not fit each other.

    Source:
        "Geom-GCN: Geometric Graph Convolutional Networks", ICLR 2020.
    """
    pages, links = folder / "out1_node_feature_label.txt", folder / "out1_graph_edges.txt"
    table, edges = _numbers(pages), _numbers(links)
    num_nodes = len(table)
    if table.shape[1] < 3 or not np.array_equal(np.sort(table[:, 0]), np.arange(num_nodes)):
        raise damaged(pages, ValueError("a row with id, words and class was expected for each of the nodes from 0 on"))
    if edges.shape[1] != 2 or edges.min() < 0 or edges.max() >= num_nodes:
        raise damaged(links, ValueError(f"edges between nodes 0 to {num_nodes - 1} were expected"))
    parts = read_arrays(masks, tuple(_MASKS.values()))
    if any(part.shape != (num_nodes,) for part in parts):
        raise damaged(masks, ValueError(f"masks of {num_nodes} nodes were expected"))
    table = table[table[:, 0].argsort()]
    data = Graph(
        x=torch.from_numpy(table[:, 1:-1].astype(np.float32)),
        edge_index=message_graph(torch.from_numpy(edges.T.copy()), num_nodes, directed=False),
        y=torch.from_numpy(table[:, -1].copy()),
        num_nodes=num_nodes,
    )
    return data, {
        name: torch.from_numpy(part.astype(bool)).nonzero().view(-1) for name, part in zip(_MASKS, parts, strict=True)
    }


def _numbers(path: Path) -> np.ndarray:
    """The whole numbers of a text file below its header, separated by tabs and commas [rows, columns]."""
    try:
        text = path.read_text(encoding="ascii").replace("\t", ",")
        table = np.loadtxt(io.StringIO(text), dtype=np.int64, delimiter=",", skiprows=1, ndmin=2)
        if table.size == 0:
            raise ValueError("rows of whole numbers were expected")
        return table
    except (OSError, ValueError) as error:
        raise damaged(path, error) from error
