"""All contact with the Open Graph Benchmark: its raw files, read without its package, whose import asks the network.

The split files are pickles of NumPy arrays; they are read with `weights_only=True` and exactly the globals they name, which
works with torch >= 2.6 and NumPy 2. OGB's own metric semantics are in `graphkit.metrics.pairs`.
"""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphkit.data.dataset import Pairs
from graphkit.data.graph import Graph
from graphkit.data.readers.rows import damaged
from graphkit.data.sources import DataRequest, GraphSource
from graphkit.data.splits.edges import both_directions
from graphkit.data.splits.negatives import pair_keys
from graphkit.errors import DataError

_DDI_NODES = 4267

_DDI_POSITIVES = {"train": 1067911, "valid": 133489, "test": 133489}

_DDI_NEGATIVES = {"valid": 101882, "test": 95599}

# Under its old name in the files; NumPy 2 has it elsewhere.
_RECONSTRUCT = (np._core.multiarray._reconstruct, "numpy.core.multiarray._reconstruct")  # type: ignore[attr-defined]

_SPLIT_GLOBALS: list[Any] = [_RECONSTRUCT, np.ndarray, np.dtype, np.dtypes.Int64DType]


def read(request: DataRequest) -> GraphSource:
    """The graph of the training edges, and OGB's pairs.

    Args:
        request: What was asked for.

    Raises:
        DataError: If a file is damaged.
    """
    graph, pairs = read_ddi(request.first_file().parents[1])
    return GraphSource(graph, pairs=pairs)


def read_ddi(folder: Path) -> tuple[Graph, dict[str, Pairs]]:
    """Read ogbl-ddi from its raw files.

    Args:
        folder: `ogbl_ddi` with `raw/edge.csv.gz`, `raw/num-node-list.csv.gz` and `split/target/*.pt`.

    Returns:
        The graph of the training edges, both directions, and the pairs of `train`, `valid` and `test` in OGB's order.

    Raises:
        DataError: If a file is damaged or does not hold what OGB published.
    """
    counts = read_integers(folder / "raw/num-node-list.csv.gz", columns=1)
    edges = read_integers(folder / "raw/edge.csv.gz", columns=2)
    if counts.tolist() != [[_DDI_NODES]]:
        raise _unexpected(folder / "raw/num-node-list.csv.gz", f"{_DDI_NODES} nodes expected")
    splits = {}
    for name in _DDI_POSITIVES:
        path = folder / f"split/target/{name}.pt"
        arrays = read_split(path)
        positive = _pairs(path, arrays, "edge", _DDI_POSITIVES[name], _DDI_NODES)
        negative = _pairs(path, arrays, "edge_neg", _DDI_NEGATIVES[name], _DDI_NODES) if name in _DDI_NEGATIVES else None
        splits[name] = Pairs(positive, negative)
    train = splits["train"].positive
    if not torch.equal(torch.from_numpy(edges).T, train):
        raise _unexpected(folder / "raw/edge.csv.gz", "the graph must be the training edges")
    _check_disjoint(folder, splits)
    data = Graph(edge_index=both_directions(train, _DDI_NODES), num_nodes=_DDI_NODES)
    return data, splits


def read_integers(path: Path, columns: int) -> np.ndarray:
    """Integers [rows, columns] of a gzip-compressed CSV file without header.

    Raises:
        DataError: If the file is truncated, no gzip file, or holds anything else.
    """
    try:
        text = gzip.decompress(path.read_bytes())
        if not text.strip():
            raise EOFError("it is empty")
        table = np.loadtxt(io.BytesIO(text), delimiter=",", dtype=np.int64, ndmin=2)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise damaged(path, error) from error
    if table.shape[1] != columns:
        raise _unexpected(path, f"{columns} columns expected, found {table.shape[1]}")
    return table


def read_split(path: Path) -> dict[str, np.ndarray]:
    """Named arrays of a split file, by torch's safe loader.

    Raises:
        DataError: If the file is truncated, or names anything but NumPy arrays of integers.
    """
    try:
        with torch.serialization.safe_globals(_SPLIT_GLOBALS):
            arrays = torch.load(path, weights_only=True)
    except (
        Exception
    ) as error:  # a damaged pickle raises whatever its bytes happen to ask for; torch's advice is to load it unsafely
        raise damaged(path, ValueError("it is cut off or names objects other than integer arrays")) from error
    if not isinstance(arrays, dict) or not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise _unexpected(path, "named arrays expected")
    return arrays


def _unexpected(path: Path, expected: str) -> DataError:
    return DataError(f"{path} does not hold what was published ({expected}): delete it and load again to download it")


def _pairs(path: Path, arrays: dict[str, np.ndarray], key: str, count: int, num_nodes: int) -> Tensor:
    """Pairs [2, count] of one entry of a split file."""
    array = arrays.get(key)
    if array is None or array.shape != (count, 2) or array.dtype != np.int64:
        raise _unexpected(path, f"{count} integer pairs '{key}' expected")
    if array.min() < 0 or array.max() >= num_nodes:
        raise _unexpected(path, f"node ids of '{key}' from 0 to {num_nodes - 1} expected")
    return torch.from_numpy(array).T.contiguous()


def _check_disjoint(folder: Path, splits: dict[str, Pairs]) -> None:
    """Each pair occurs once as a positive over all splits, and none of the negatives is a positive of any split."""
    positives = torch.cat([pair_keys(pairs.positive, _DDI_NODES) for pairs in splits.values()])
    negatives = [pair_keys(pairs.negative, _DDI_NODES) for pairs in splits.values() if pairs.negative is not None]
    known = torch.zeros(_DDI_NODES * _DDI_NODES, dtype=torch.bool)
    known[positives] = True
    if int(known.count_nonzero()) != positives.numel():
        raise _unexpected(folder / "split/target", "disjoint splits expected")
    if known[torch.cat(negatives)].any():
        raise _unexpected(folder / "split/target", "negatives that are no edges expected")
