"""Own data in memory: PyG `Data`, networkx graphs, pandas frames, NumPy arrays, torch tensors, SciPy matrices.

Each becomes the table, graph or matrix that a file of the same content is read as, so that a run gives the same numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphkit.data.own.graph_file import GraphFile, from_matrix, from_networkx, table_of
from graphkit.data.own.table import Table
from graphkit.data.own.table.roles import LABEL, NODE
from graphkit.data.readers.inputs import Source
from graphkit.errors import RequestError

_ENDS = ("source", "target", "weight")
_RATED = ("user", "item", "rating", "time")
_PYG_MASKS = {"train": "train_mask", "valid": "val_mask", "test": "test_mask"}
KEYS = ("edges", "features", "labels", "interactions")
"""Settings that data in memory may stand for."""
PREFIX = "memory: "
"""How the setting of such data begins in a run's settings."""


@dataclass(frozen=True)
class Matrix:
    """Features whose row i is node i.

    Attributes:
        name: Where they come from.
        x: [N, F], float32; NaN where not known.
    """

    name: str
    x: np.ndarray


@dataclass(frozen=True)
class InMemory:
    """What stands in the place of an own file.

    Attributes:
        part: What a reader takes.
        masks: Node ids of `train`, `valid` and `test`, where the data says so; empty: it does not.
    """

    part: GraphFile | Table | Matrix
    masks: Mapping[str, np.ndarray]

    def source(self) -> Source:
        """What was read: a digest of the content, which has no place to go back to."""
        digest, size = hashlib.sha256(), 0
        for piece in [*_bytes_of(self.part), *(mask.tobytes() for mask in self.masks.values())]:
            digest.update(piece)
            size += len(piece)
        return Source(self.part.name, "", size, digest.hexdigest(), pipe=True)


def take(data: Any, needs: Sequence[str]) -> tuple[dict[str, Any], dict[str, InMemory]]:
    """Take data in memory out of the settings `data.*`.

    Args:
        data: The settings, of which `edges`, `features`, `labels` and `interactions` may be data themselves; or data as a
            whole: PyG's `Data`, a networkx graph, or what `edges` may be, or `interactions` where the task needs these.
        needs: The settings of own files that the task cannot do without, as its row names them.

    Returns:
        The settings with a text in the place of data, and the data by setting.

    Raises:
        RequestError: If something is of a type or shape that has no meaning there.
    """
    settings = dict(data) if isinstance(data, Mapping) else _parts(data, needs)
    taken = dict(settings)
    found: dict[str, InMemory] = {}
    for key in KEYS:
        given = settings.get(key)
        if given is None or isinstance(given, str) or hasattr(given, "__fspath__"):
            continue
        sharing = [other for other in KEYS if settings.get(other) is given]
        found[key] = _in_memory(
            key, f"{PREFIX}{', '.join(sharing)}, {type(given).__name__}", given, settings.get("node_column")
        )
        taken[key] = f"{PREFIX}{type(given).__name__}"
    return taken, found


def _parts(data: Any, needs: Sequence[str]) -> dict[str, Any]:
    """Data as a whole as the settings that read it."""
    if "data.interactions" in needs:
        return {"interactions": data}
    if _is_pyg(data):
        having = {"features": data.x, "labels": data.y}
        return {"edges": data, **{key: data for key, tensor in having.items() if tensor is not None}}
    if _is_networkx(data):
        keys = list(dict.fromkeys(key for _, attributes in data.nodes(data=True) for key in attributes))
        labels = {"labels": data} if LABEL.guess([str(key) for key in keys]) is not None else {}
        return {"edges": data, **({"features": data} if len(keys) > len(labels) else {}), **labels}
    return {"edges": data}


def _in_memory(key: str, name: str, given: Any, node_column: Any) -> InMemory:
    if key in ("edges", "features", "labels") and _is_pyg(given):
        return _of_pyg(key, name, given)
    if key in ("edges", "features", "labels") and _is_networkx(given):
        return InMemory(from_networkx(name, given), {})
    if hasattr(given, "iloc"):
        return InMemory(_of_pandas(key, name, given, node_column), {})
    import scipy.sparse

    if scipy.sparse.issparse(given):
        return InMemory(_of_sparse(key, name, given), {})
    array = np.asarray(given.detach().cpu() if hasattr(given, "detach") else given)
    if array.dtype.kind not in "biufUO" or array.ndim not in (1, 2) or not array.size:
        raise RequestError(
            f"data.{key} is a {type(given).__name__}: give a path, PyG Data, a networkx graph, a pandas frame, an array or a "
            "sparse matrix"
        )
    return InMemory(_of_array(key, name, array), {})


def _of_pyg(key: str, name: str, data: Any) -> InMemory:
    if key == "features":
        return InMemory(Matrix(name, data.x.detach().cpu().float().numpy()), {})
    if key == "labels":
        masks: dict[str, Any] = {split: getattr(data, attribute, None) for split, attribute in _PYG_MASKS.items()}
        split = all(mask is not None and mask.dim() == 1 for mask in masks.values())
        nodes = {name: mask.cpu().numpy().nonzero()[0] for name, mask in masks.items()} if split else {}
        return InMemory(_labels(name, data.y.detach().cpu().numpy()), nodes)
    source, target = data.edge_index.cpu().numpy()
    columns = {"source": source, "target": target}
    weight = data.edge_weight if getattr(data, "edge_weight", None) is not None else getattr(data, "edge_attr", None)
    if weight is not None and weight.numel() == source.size:
        columns["weight"] = weight.detach().cpu().view(-1).numpy()
    kind, ids = "PyG Data", {"node": np.arange(data.num_nodes)}
    return InMemory(GraphFile(name, table_of(name, columns, kind), table_of(name, ids, kind), data.is_directed()), {})


def _of_pandas(key: str, name: str, frame: Any, node_column: Any) -> Table:
    """A frame or a series; beside nodes an index that has a name, or is more than a count of the rows, is their column."""
    counted = bool((frame.index == np.arange(len(frame))).all()) if frame.index.dtype.kind in "iu" else False
    series = not hasattr(frame, "columns")
    columns = {str(frame.name or key): frame} if series else {str(title): frame[title] for title in frame.columns}
    if len(columns) < (1 if series else frame.shape[1]):
        raise RequestError(f"data.{key}: two columns of the frame have the same name: rename one of them")
    values = {title: column.to_numpy() for title, column in columns.items()}
    nodes = key in ("features", "labels") and (series or not counted or frame.index.name is not None)
    if key in ("features", "labels") and not nodes and node_column is None and NODE.guess(tuple(columns)) is None:
        raise RequestError(
            f"data.{key}: cannot tell which column of the frame holds the ids of nodes: name it by data.node_column=, or name "
            "the index, frame.rename_axis('node'), where that does"
        )
    index = {str(frame.index.name or "node"): frame.index.to_numpy()} if nodes else {}
    return table_of(name, {**index, **values}, "pandas")


def _of_sparse(key: str, name: str, matrix: Any) -> GraphFile | Table | Matrix:
    coo = matrix.tocoo()
    if key == "edges":
        return from_matrix(name, coo, "entry (i, j) is the edge from node i to node j")
    if key == "features":
        return Matrix(name, np.asarray(coo.toarray(), dtype=np.float32))
    if key == "labels":
        raise RequestError("data.labels is a sparse matrix: give an array with a label per node")
    return table_of(
        name, {"user": coo.row, "item": coo.col, "rating": coo.data}, "entry (u, i) is the rating of item i by user u"
    )


def _of_array(key: str, name: str, array: np.ndarray) -> GraphFile | Table | Matrix:
    if key == "features":
        if array.dtype.kind not in "biuf":
            raise RequestError("data.features is an array that holds no numbers: give a pandas frame")
        return Matrix(name, np.asarray(array.reshape(len(array), -1), dtype=np.float32))
    if key == "labels":
        return _labels(name, array)
    if array.ndim != 2:
        raise RequestError(f"data.{key} is an array of shape {list(array.shape)}: a row per edge or interaction is needed")
    if key == "edges" and array.shape[0] == array.shape[1] > 2 and array.dtype.kind in "biuf":
        return from_matrix(name, array, "adjacency matrix, entry (i, j) is the edge from node i to node j")
    titles = _ENDS if key == "edges" else _RATED
    rows = array.T if array.shape[0] == 2 and key == "edges" else array  # [2, E] as PyG's edge_index, else a row each
    if not 2 <= rows.shape[1] <= len(titles):
        raise RequestError(f"data.{key} is an array of shape {list(array.shape)}: give [2, E], or columns {', '.join(titles)}")
    ids = [column.astype(np.int64) if column.dtype.kind == "f" and (column == np.floor(column)).all() else column
           for column in rows.T[:2]]  # fmt: skip
    return table_of(name, dict(zip(titles, [*ids, *rows.T[2:]], strict=False)), "array")


def _labels(name: str, y: np.ndarray) -> Table:
    """Labels whose row i is node i; negative integers, as PyG has them, are unlabeled nodes."""
    y = y.reshape(-1) if y.ndim == 2 and y.shape[1] == 1 else y
    if y.ndim != 1:
        raise RequestError(f"data.labels is of shape {list(y.shape)}: give one label per node")
    known = y >= 0 if y.dtype.kind == "i" else np.ones(y.size, dtype=bool)
    return table_of(name, {"node": np.arange(y.size)[known], "label": y[known]}, "array")


def _is_pyg(data: Any) -> bool:
    return hasattr(data, "edge_index") and hasattr(data, "num_nodes")


def _is_networkx(data: Any) -> bool:
    return all(hasattr(data, name) for name in ("nodes", "edges", "is_directed", "adj"))


def _bytes_of(part: GraphFile | Table | Matrix) -> list[bytes]:
    if isinstance(part, Matrix):
        return [repr(part.x.shape).encode(), part.x.tobytes()]
    if isinstance(part, GraphFile):
        return [*_bytes_of(part.edges), *_bytes_of(part.nodes)]
    pieces = [repr(part.header).encode()]
    for column in part.columns:
        pieces += [repr(list(column.values)).encode(), column.codes.tobytes()]
    return pieces
