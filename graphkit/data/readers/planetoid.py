"""Cora, CiteSeer and PubMed from the files of Planetoid: pickles of 2016."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from graphkit.data.graph import Graph, required
from graphkit.data.readers.npz import read_arrays
from graphkit.data.readers.pickles import read_pickle
from graphkit.data.readers.rows import damaged
from graphkit.data.sources import DataRequest, GraphSource
from graphkit.data.splits.edges import both_directions, split_edges_as_ncn, undirected_pairs
from graphkit.errors import DataError

_VALID = 500


def read(request: DataRequest) -> GraphSource:
    """A citation graph with its public split of the nodes; edges are held out as NCN does.

    Args:
        request: What was asked for.

    Raises:
        DataError: If a file is damaged.
    """
    graph, split = read_planetoid(request.first_file().parent, request.entry.name)
    return GraphSource(graph, nodes=split, split_edges=split_edges_as_ncn)


def read_geom_split(request: DataRequest) -> GraphSource:
    """The same graph with the split of a seed: the ten splits come first among the data set's files.

    Args:
        request: What was asked for.

    Raises:
        DataError: If a file is damaged.
    """
    files = [request.root / file.path for file in request.entry.files]
    folder = next(path.parent for path in files if path.name.startswith("ind."))
    graph, split = read_geom_gcn(folder, request.entry.name.removesuffix("-geom"), files[request.published_split])
    return GraphSource(graph, nodes=split)


def read_planetoid(folder: Path, name: str) -> tuple[Graph, dict[str, Tensor]]:
    """Read a citation graph and its public split.

    Features are those of the files, not row-normalized. Edges are undirected, without duplicates and self-loops. CiteSeer's
    15 test nodes without features or label have zeros and class 0, as in PyG, and are in no split.

    Args:
        folder: `Planetoid/*/raw`, with the eight files `ind.<name>.*`.
        name: `cora`, `citeseer` or `pubmed`.

    Returns:
        The graph with `x` and `y`, and node ids of `train`, `valid` and `test`.

    Raises:
        DataError: If a file is damaged, names a forbidden object, or does not fit the others.

    Source:
        "Revisiting Semi-Supervised Learning with Graph Embeddings", ICML 2016.
    """
    data, _, splits = _read(folder, name)
    return data, splits


def read_geom_gcn(folder: Path, name: str, masks: Path) -> tuple[Graph, dict[str, Tensor]]:
    """Read a citation graph and a split of Geom-GCN.

    The graph is that of `read_planetoid`. CiteSeer's 15 nodes without features or label are unlabeled, -1, and in no split;
    their edges stay.

    Args:
        folder: `Planetoid/*/raw`, with the eight files `ind.<name>.*`.
        name: `cora`, `citeseer` or `pubmed`.
        masks: The split's archive with `train_mask`, `val_mask` and `test_mask`.

    Returns:
        The graph with `x` and `y`, and node ids of `train`, `valid` and `test`.

    Raises:
        DataError: If a file is damaged, names a forbidden object, or does not fit the others.

    Source:
        "Geom-GCN: Geometric Graph Convolutional Networks", ICLR 2020, without the unlabeled nodes, as in the code of "Neural
        Sheaf Diffusion", NeurIPS 2022.
    """
    data, labeled, _ = _read(folder, name)
    parts = read_arrays(masks, ("train_mask", "val_mask", "test_mask"))
    if any(part.shape != (data.num_nodes,) for part in parts):
        raise damaged(masks, ValueError(f"masks of {data.num_nodes} nodes were expected"))
    required(data.y)[~labeled] = -1
    names = ("train", "valid", "test")
    kept = {split: labeled & torch.from_numpy(part.astype(bool)) for split, part in zip(names, parts, strict=True)}
    return data, {split: mask.nonzero().view(-1) for split, mask in kept.items()}


def _read(folder: Path, name: str) -> tuple[Graph, Tensor, dict[str, Tensor]]:
    """The graph, which nodes have a label, and the public split."""
    paths = {part: folder / f"ind.{name}.{part}" for part in ("allx", "tx", "ally", "ty", "y", "graph", "test.index")}
    allx, tx = _dense(paths["allx"]), _dense(paths["tx"])
    ally, ty, y = (_array(paths[part]) for part in ("ally", "ty", "y"))
    test = _test_ids(paths["test.index"])
    num_nodes = int(test.max()) + 1
    if len(allx) != len(ally) or len(tx) != len(test) or len(ty) != len(test) or test.min() < len(allx):
        raise DataError(f"the files of {name} in {folder} do not fit each other: delete them and load again")
    features = np.zeros((num_nodes, allx.shape[1]), dtype=np.float32)
    classes = np.zeros((num_nodes, ally.shape[1]), dtype=np.int64)
    features[: len(allx)], classes[: len(ally)] = allx, ally
    features[test], classes[test] = tx, ty
    edges = undirected_pairs(_edges(paths["graph"], num_nodes), num_nodes)
    data = Graph(
        x=torch.from_numpy(features),
        edge_index=both_directions(edges, num_nodes),
        y=torch.from_numpy(classes.argmax(axis=1)),
        num_nodes=num_nodes,
    )
    splits = {
        "train": torch.arange(len(y)),
        "valid": torch.arange(len(y), len(y) + _VALID),
        "test": torch.from_numpy(np.sort(test)),
    }
    return data, torch.from_numpy(classes.any(axis=1)), splits


def _dense(path: Path) -> np.ndarray:
    """Features [n, F] of a pickled sparse matrix."""
    state = read_pickle(path)
    try:
        matrix = csr_matrix((state.data, state.indices, state.indptr), shape=state._shape)
        matrix.check_format(full_check=True)  # ids out of range would be written to memory that is not the matrix's
        return np.asarray(matrix.toarray(), dtype=np.float32)
    except (AttributeError, TypeError, ValueError) as error:
        raise damaged(path, error) from error


def _array(path: Path) -> np.ndarray:
    array = read_pickle(path)
    if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.hasobject:
        raise damaged(path, TypeError("a table of numbers was expected"))
    return array


def _test_ids(path: Path) -> np.ndarray:
    try:
        ids = np.array(path.read_text(encoding="ascii").split(), dtype=np.int64)
    except (OSError, ValueError) as error:
        raise damaged(path, error) from error
    if ids.size == 0 or ids.min() < 0 or len(np.unique(ids)) != len(ids):
        raise damaged(path, ValueError("distinct node ids were expected"))
    return ids


def _edges(path: Path, num_nodes: int) -> Tensor:
    """Edges [2, E] of the pickled adjacency lists, as they stand in the file."""
    lists = read_pickle(path)
    try:
        lengths = [len(targets) for targets in lists.values()]
        source = np.repeat(np.fromiter(lists, dtype=np.int64, count=len(lists)), lengths)
        target = np.fromiter((node for targets in lists.values() for node in targets), dtype=np.int64, count=sum(lengths))
    except (AttributeError, TypeError, ValueError) as error:
        raise damaged(path, error) from error
    edges = np.stack([source, target])
    if edges.size == 0 or edges.min() < 0 or edges.max() >= num_nodes:
        raise damaged(path, ValueError(f"edges between nodes 0 to {num_nodes - 1} were expected"))
    return torch.from_numpy(edges)
