"""`load`: a data set by name, split for a task."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from graphkit.data.catalog import DATASETS, DatasetEntry
from graphkit.data.catalog.own import DIRECTED
from graphkit.data.dataset import Dataset, Graph, Pairs, required
from graphkit.data.generated import embedded, planted
from graphkit.data.generated.interactions import GENERATORS as PLANTED_INTERACTIONS
from graphkit.data.interactions import Interactions, bipartite
from graphkit.data.interactions import notes as unseen
from graphkit.data.own.files import OwnFiles
from graphkit.data.own.graph import OwnGraph, OwnNames
from graphkit.data.own.interactions import Columns, split_table
from graphkit.data.readers.interactions import read_published as read_interaction_files
from graphkit.data.scaling import SCALES, Scaling, fit_scaling
from graphkit.data.splits.edges import split_edges
from graphkit.data.splits.nodes import split_nodes
from graphkit.data.splits.shares import Shares
from graphkit.data.validate import check_dataset
from graphkit.errors import DataError, RequestError, shown
from graphkit.nearest import did_you_mean
from graphkit.paths import expanded

if TYPE_CHECKING:
    from graphkit.data.published import Loaded

DEFAULT_SPLIT: Shares = (0.7, 0.1, 0.2)

PathLike = str | os.PathLike[str]


def data_root(root: PathLike | None = None) -> Path:
    """The data folder: the argument, else $GRAPHKIT_DATA, else ~/.cache/graphkit."""
    chosen = root or os.environ.get("GRAPHKIT_DATA") or "~/.cache/graphkit"
    return expanded(chosen, "data.root").absolute()


@contextlib.contextmanager
def _readable(root: Path) -> Iterator[None]:
    """DataError where the data root, or a file in it, cannot be used."""
    try:
        yield
    except OSError as error:
        advice = "make it readable, or give another folder by data.root="
        raise DataError(f"cannot use {error.filename or root} ({error.strerror}): {advice}") from error


def load(
    name: str,
    *,
    task: str,
    root: PathLike | None = None,
    seed: int = 0,
    edges: PathLike | None = None,
    features: PathLike | None = None,
    labels: PathLike | None = None,
    directed: bool = False,
    scale: str = "auto",
    split: Sequence[float] = DEFAULT_SPLIT,
    interactions: PathLike | None = None,
    user_column: str | None = None,
    item_column: str | None = None,
    rating_column: str | None = None,
    min_rating: float | None = None,
    time_column: str | None = None,
    own_files: OwnFiles | None = None,
) -> Dataset:
    """Load a data set, from its publisher's address the first time, and split it for a task.

    Args:
        name: A name of `graphkit.data.catalog.DATASETS`.
        task: `link`, `node` or `recommend`.
        root: Data folder; default: $GRAPHKIT_DATA, else ~/.cache/graphkit.
        seed: Draws what the data set's protocol draws anew each time: link splits, splits of own files, planted graphs,
            validation interactions. Where there are ten published splits, seed s takes split s mod 10.
        edges: With `custom`: CSV file, one edge a row.
        features: With `custom`: CSV file, node id and numbers a row.
        labels: With `custom`: CSV file, node id and label a row; needed by `node`.
        directed: With `custom` and `node`: edges keep their direction, source to target; else they have none.
        scale: With `link` and `node`, what is done to the columns of the features: `auto` (own features are standardized, but
            for zeros and ones and bags of words), `standard` (all are, of any data set) or `none`. Mean and deviation are those
            of the training nodes; with `link`, where no node is held out, those of all nodes.
        split: Shares of training, validation and test, for own files and planted graphs.
        interactions: With `custom` and `recommend`: CSV file with a header, one interaction a row.
        user_column: Its column of user ids; default: user.
        item_column: Its column of item ids; default: item.
        rating_column: Its column of ratings, read with `min_rating`; default: rating.
        min_rating: Interactions rated lower are left out; default: all count.
        time_column: Its column of times, by which each user's items are then split; default: a random split.
        own_files: Reads own files, once for all the calls that get the same one; default: they are read by this call.

    Returns:
        The graph with its splits; its `protocol` says what was done.

    Raises:
        RequestError: If the name, the task or an argument does not fit.
        DataError: If files are missing and cannot be downloaded, or are damaged or malformed.
    """
    entry = _entry(name, task)
    shares = _shares(entry, split)
    columns = _columns(user_column, item_column, rating_column, min_rating, time_column)
    own_files = own_files or OwnFiles()
    if name != "custom" and (edges or features or labels or interactions or columns != Columns()):
        raise RequestError(
            "own files (data.edges, data.features, data.labels, data.interactions and its columns) go with dataset=custom, "
            f"not with {name!r}"
        )
    if directed and (name != "custom" or task != "node"):
        raise RequestError(f"data.directed goes with dataset=custom and task=node, not with {name!r} and task={task}")
    if scale not in SCALES or (scale != "auto" and task == "recommend"):
        raise RequestError(
            f"data.scale={scale}: expected {', '.join(SCALES)}, and auto with task=recommend, which has no features"
        )
    generator = torch.Generator().manual_seed(seed)
    told: tuple[str, ...] = ()
    notes = [(DIRECTED if directed else entry.protocols[task]).statement]
    names = OwnNames()
    items: tuple[str, ...] = ()
    data: Graph
    splits: dict[str, Pairs] | dict[str, Tensor]
    if entry.takes_split:
        notes.append(f"data.split: {'/'.join(f'{100 * share:g}' for share in shares)}.")
    if task == "recommend":
        if name == "custom":
            taken, remarks, told = _own_interactions(own_files, interactions, columns, shares, generator)
            notes += remarks
        else:
            taken = _interactions(entry, data_root(root), shares, generator)
        notes += unseen(taken)
        data, splits = bipartite(taken), taken.splits
        names, items = OwnNames(taken.user_names), taken.item_names
    elif name == "custom":
        own = _own(own_files, task, edges, features, labels, directed)
        notes += own.notes
        names = own.names
        data, splits = _split(own.data, task, shares, generator)
    elif name in planted.GENERATORS:
        data, splits = _split(planted.GENERATORS[name](generator), task, shares, generator)
    elif entry.files:
        from graphkit.data.download import ensure  # these two take half a second, and only published graphs need them
        from graphkit.data.published import read_published

        folder = data_root(root)
        with _readable(folder):
            ensure(entry, folder)
            data, splits = read_published(entry, task, folder, seed)
    else:
        data, splits = _embedded(name, task, generator)
    scaling = _scale(entry, task, data, splits, scale)
    dataset = Dataset(
        name=name,
        task=task,
        graph=data,
        splits=splits,
        metric=entry.protocols[task].metric,
        metrics=entry.protocols[task].metrics,
        protocol=" ".join(notes),
        source=entry.source,
        node_names=names.nodes,
        class_names=names.classes,
        item_names=items,
        directed=directed or entry.directed,
        notes=(*told, *([scaling[1]] if scaling else [])),
        scaling=scaling[0] if scaling else None,
    )
    check_dataset(dataset)
    return dataset


def _entry(name: str, task: str) -> DatasetEntry:
    entry = DATASETS.get(name)
    if entry is None:
        close = did_you_mean(name, DATASETS) or f": choose one of: {', '.join(DATASETS)}"
        raise RequestError(f"unknown data set '{shown(name)}'{close}")
    if task not in entry.protocols:
        others = [other.name for other in DATASETS.values() if task in other.protocols]
        hint = f"for task={task} choose one of: {', '.join(others)}" if others else f"it has: {', '.join(entry.tasks)}"
        raise RequestError(f"data set {name!r} has no task {task!r}; {hint}")
    return entry


def _shares(entry: DatasetEntry, split: Sequence[float]) -> Shares:
    valid = len(split) == 3 and all(0 < share < 1 for share in split) and abs(sum(split) - 1) < 1e-6
    if not valid:
        raise RequestError(f"data.split must be three positive shares that sum to 1, as [0.7,0.1,0.2]; got {list(split)}")
    shares = (float(split[0]), float(split[1]), float(split[2]))
    if not entry.takes_split and any(abs(a - b) > 1e-6 for a, b in zip(shares, DEFAULT_SPLIT, strict=True)):
        raise RequestError(f"data set {entry.name!r} has its own split; data.split goes with custom and planted data")
    return shares


def _own(
    files: OwnFiles,
    task: str,
    edges: PathLike | None,
    features: PathLike | None,
    labels: PathLike | None,
    directed: bool,
) -> OwnGraph:
    if not edges:
        raise RequestError("dataset=custom needs data.edges=FILE, a CSV file with one edge a row")
    if task == "node" and not labels:
        raise RequestError("dataset=custom with task=node needs data.labels=FILE, a CSV file with a node id and a label a row")
    return files.graph(edges, features, labels, directed)


def _columns(user: str | None, item: str | None, rating: str | None, low: float | None, time: str | None) -> Columns:
    usual = Columns()
    return Columns(user or usual.user, item or usual.item, rating or usual.rating, low, time)


def _own_interactions(
    files: OwnFiles, path: PathLike | None, columns: Columns, shares: Shares, generator: torch.Generator
) -> tuple[Interactions, tuple[str, ...], tuple[str, ...]]:
    if not path:
        raise RequestError("dataset=custom with task=recommend needs data.interactions=FILE, a CSV file, one interaction a row")
    return split_table(files.interactions(path, columns), columns, shares, generator)


def _interactions(entry: DatasetEntry, root: Path, shares: Shares, generator: torch.Generator) -> Interactions:
    if not entry.files:
        return PLANTED_INTERACTIONS[entry.name](shares, generator)
    from graphkit.data.download import ensure  # only published data need it

    with _readable(root):
        ensure(entry, root)
        return read_interaction_files(root / Path(entry.files[0].path).parent, generator)


def _split(data: Graph, task: str, shares: Shares, generator: torch.Generator) -> Loaded:
    """Random splits by shares; for links the data's graph shrinks to the training edges."""
    if task == "node":
        return data, split_nodes(required(data.y), shares, generator)
    data.edge_index, splits = split_edges(data.edge_index, data.num_nodes, shares, generator)
    return data, splits


def _scale(
    entry: DatasetEntry, task: str, data: Graph, splits: dict[str, Pairs] | dict[str, Tensor], scale: str
) -> tuple[Scaling, str] | None:
    """Scale the features of `data`, and say how; None where they stay as they are."""
    own = entry.name == "custom"
    if data.x is None and scale == "standard":
        raise RequestError(f"data.scale=standard: data set {entry.name!r} has no node features, leave it out")
    if data.x is None or scale == "none" or (scale == "auto" and not own):
        return None
    train = splits["train"] if task == "node" else None
    scaling = fit_scaling(data.x, train if isinstance(train, Tensor) else None, every=scale == "standard")
    if not scaling.num_scaled:
        return None
    data.x = scaling.apply(data.x)
    nodes = "the training nodes" if task == "node" else "all nodes, of which none is held out"
    return scaling, (
        f"features: {scaling.num_scaled:,} of {data.x.size(1):,} columns are standardized by mean and deviation of {nodes} "
        f"(data.scale={scale}); data.scale=none leaves them as they are"
    )


def _embedded(name: str, task: str, generator: torch.Generator) -> Loaded:
    data, fixed_split = embedded.LOADERS[name]
    graph = data()
    if task == "node":
        return graph, fixed_split(required(graph.y))
    return _split(graph, task, DEFAULT_SPLIT, generator)
