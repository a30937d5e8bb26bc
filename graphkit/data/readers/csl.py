"""Circular skip links: regular graphs of equal size that color refinement cannot tell apart, with published folds."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from graphkit.data.graphs import Graphs, merge_edges, pointers
from graphkit.data.readers.pickles import SparseState, read_pickle
from graphkit.data.readers.rows import damaged
from graphkit.data.sources import DataRequest, GraphsSource

_SPLITS = 5


def read(request: DataRequest) -> GraphsSource:
    """The graphs and the split of a seed.

    Args:
        request: What was asked for; its files are graphs, labels, and the splits' training, validation and test graphs.

    Raises:
        DataError: If a file is damaged.
    """
    graphs, labels, *parts = (request.root / file.path for file in request.entry.files)
    splits = dict(zip(("train", "valid", "test"), parts, strict=True))
    found, split = read_csl(graphs, labels, splits, request.seed % _SPLITS)
    return GraphsSource(found, splits=split, num_splits=_SPLITS)


def read_csl(graphs: Path, labels: Path, splits: dict[str, Path], number: int) -> tuple[Graphs, dict[str, Tensor]]:
    """Read the graphs and one of their splits.

    Args:
        graphs: Pickled list of adjacency matrices; the self-loops in them are dropped.
        labels: Their classes, a tensor that torch saved.
        splits: Text files of `train`, `valid` and `test`; a line of graph numbers from 0, separated by commas, for each split.
        number: Number of the split, from 0.

    Returns:
        The graphs, without features, and graph ids of `train`, `valid` and `test`.

    Raises:
        DataError: If a file is damaged or they do not fit each other.

    Source:
        "Relational Pooling for Graph Representations", ICML 2019; splits of "Benchmarking Graph Neural Networks", 2020
        (arXiv:2003.00982).
    """
    matrices = read_pickle(graphs)
    try:
        sizes = torch.tensor([_size(matrix) for matrix in matrices])
        ptr = pointers(sizes)
        edges = [
            np.stack([matrix.row, matrix.col]).astype(np.int64) + start
            for matrix, start in zip(matrices, ptr.tolist()[:-1], strict=True)
        ]
    except (AttributeError, TypeError, ValueError) as error:
        raise damaged(graphs, error) from error
    edge_index, _ = merge_edges(torch.from_numpy(np.concatenate(edges, axis=1)), int(ptr[-1]))
    parts = {split: _ids(path, number, len(sizes)) for split, path in splits.items()}
    return Graphs(ptr, edge_index, _labels(labels, len(sizes))), parts


def _size(matrix: SparseState) -> int:
    """Nodes of a matrix; ValueError where its entries are out of its range."""
    rows, columns = matrix._shape
    if rows != columns or len(matrix.row) != len(matrix.col):
        raise ValueError("square matrices were expected")
    if len(matrix.row) and not 0 <= min(matrix.row.min(), matrix.col.min()) <= max(matrix.row.max(), matrix.col.max()) < rows:
        raise ValueError(f"entries between nodes 0 to {rows - 1} were expected")
    return rows


def _labels(path: Path, count: int) -> Tensor:
    try:
        y = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise damaged(path, error) from error
    if not isinstance(y, Tensor) or y.shape != (count,) or y.dtype != torch.int64 or int(y.min()) < 0:
        raise damaged(path, ValueError(f"a class for each of {count} graphs was expected"))
    return y


def _ids(path: Path, number: int, count: int) -> Tensor:
    try:
        line = path.read_text(encoding="ascii").split()[number]
        ids = np.array(line.split(","), dtype=np.int64)
    except (OSError, ValueError, IndexError) as error:
        raise damaged(path, error) from error
    if ids.min() < 0 or ids.max() >= count or len(np.unique(ids)) != len(ids):
        raise damaged(path, ValueError(f"distinct graphs from 0 to {count - 1} were expected"))
    return torch.from_numpy(np.sort(ids))
