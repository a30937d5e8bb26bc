"""`load`: a data set by name, split for a task."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, TypedDict, Unpack

from graphkit.conf.catalog import TASKS, task_settings
from graphkit.conf.schema import Data
from graphkit.data.catalog import DATASETS, DatasetEntry
from graphkit.data.dataset import Dataset
from graphkit.data.own.files import OwnFiles
from graphkit.data.own.memory import take
from graphkit.data.sources import DataRequest
from graphkit.data.splits.shares import Shares
from graphkit.errors import RequestError, shown
from graphkit.nearest import did_you_mean
from graphkit.paths import expanded

PathLike = str | os.PathLike[str]


class Options(TypedDict, total=False):
    """The options of `load`: the fields of `graphkit.conf.schema.Data`, which declares them with their defaults."""

    root: PathLike | None
    edges: Any
    features: Any
    labels: Any
    graphs: PathLike | None
    images: PathLike | None
    targets: str
    directed: bool
    scale: str
    embed: str
    embed_channels: int
    format: str
    header: str
    separator: str
    comments: str
    encoding: str
    source_column: str | None
    target_column: str | None
    weight_column: str | None
    node_column: str | None
    label_column: str | None
    categorical: str | None
    ignore: str | None
    interactions: Any
    user_column: str | None
    item_column: str | None
    rating_column: str | None
    min_rating: float | None
    time_column: str | None
    time_split: str | None
    split: Sequence[float]


def data_root(root: PathLike | None = None) -> Path:
    """The data folder: the argument, else $GRAPHKIT_DATA, else ~/.cache/graphkit."""
    chosen = root or os.environ.get("GRAPHKIT_DATA") or "~/.cache/graphkit"
    return expanded(chosen, "data.root").absolute()


def load(
    name: str,
    *,
    task: str,
    seed: int = 0,
    own_files: OwnFiles | None = None,
    protocol: str = "auto",
    **options: Unpack[Options],
) -> Dataset:
    """Load a data set, from its publisher's address the first time, and split it for a task.

    Args:
        name: A name of `graphkit.data.catalog.DATASETS`.
        task: `link`, `node`, `graph`, `image` or `recommend`.
        seed: Draws what the data set's protocol draws per seed: link splits, splits of own files, planted graphs,
            validation interactions. Where there are ten published splits, seed s takes split s mod 10.
        own_files: Reads own files, once for all the calls that get the same one; default: they are read by this call.
        protocol: With `link`, how edges are held out and judged, as `task.protocol` of a run; `auto`: the data set's own.
        **options: By keyword, as `data.*` of a run:

            - `root`: Data folder; default: $GRAPHKIT_DATA, else ~/.cache/graphkit.
            - `edges`, `features`, `labels`, `interactions`, `graphs`: With `custom`, the own files: tables of any form, packed
              or not, graph files, folders; all but `graphs` also data in memory, as `graphkit.data.own.memory` takes it.
              `labels` are needed by `node`, `interactions` by `recommend`, `graphs` by `graph`.
            - `source_column`, `target_column`, `weight_column`, `node_column`, `label_column`, `user_column`, `item_column`,
              `rating_column`, `time_column`: Headers of their columns, or numbers from 1; default: by their usual names.
            - `categorical`, `ignore`: Columns of features that are categories, and that are left out, with commas between.
            - `format`, `header`, `separator`, `comments`, `encoding`: How tables are read; default: `auto`.
            - `min_rating`: Interactions rated lower are left out; default: all count.
            - `time_split`: With `time_column`, interactions are split at one date for all users (`global`, the default), or
              each user's latest are held out (`user`). Without, the split is random.
            - `images`: With `custom` and `image`: a folder with a subfolder per class, or a CSV of path and label.
            - `targets`: What own graphs' or images' labels are: `classes`, `labels`, `numbers` (graphs), or `auto`.
            - `directed`: With `custom` and `node` or `graph`: edges keep their direction, else they have none.
            - `scale`: With `link` and `node`, what is done to the columns of the features: `auto` (own features are
              standardized, but for zeros and ones and bags of words), `standard` (all are, of any data set) or `none`. Mean and
              deviation are those of the training nodes; with `link`, where no node is held out, those of all nodes.
            - `embed`, `embed_channels`: With `fastrp`, with `link`, `node` and `graph`: so many features of the nodes are added
              that are made of the graph alone.
            - `split`: Shares of training, validation and test, for own files and planted graphs.

    Returns:
        The data of the task with its splits, e.g. a `graphkit.data.dataset.NodeData`; its `protocol` says what was done.

    Raises:
        RequestError: If the name, the task or an argument does not fit.
        DataError: If files are missing and cannot be downloaded, or are damaged or malformed.
    """
    given: Mapping[str, Any] = options
    if own_files is None:
        given, memory = take(options)
        own_files = OwnFiles(memory=memory)
    entry, data = _entry(name, task), _options(given)
    _check_protocol(protocol, task)
    shares = _shares(entry, data.split)
    _check_options(entry, task, data)
    request = DataRequest(
        entry=entry,
        protocol=entry.protocols[task],
        root=data_root(data.root),
        seed=seed,
        options=data,
        shares=shares,
        own_files=own_files,
        asked_protocol=protocol,
    )
    dataset: Dataset = resolve_name(TASKS[task].data)(request)
    dataset.check()
    return dataset


def _options(given: Mapping[str, Any]) -> Data:
    """Options as settings have them, with paths as text."""
    values: dict[str, Any] = dict(given)
    return Data(**{key: os.fspath(value) if isinstance(value, os.PathLike) else value for key, value in values.items()})


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


def _check_protocol(protocol: str, task: str) -> None:
    if protocol == "auto":
        return
    if not TASKS[task].splits_by_protocol:
        raise RequestError(f"protocol={shown(protocol)}: the data of task={task} has one protocol, leave it out")
    choices = task_settings(task)["task.protocol"].choices
    if protocol not in choices:
        close = did_you_mean(protocol, choices) or f": choose one of: {', '.join(choices)}"
        raise RequestError(f"unknown protocol '{shown(protocol)}'{close}")


def _shares(entry: DatasetEntry, split: Sequence[float]) -> Shares:
    valid = len(split) == 3 and all(0 < share < 1 for share in split) and abs(sum(split) - 1) < 1e-6
    if not valid:
        raise RequestError(f"data.split must be three positive shares that sum to 1, as [0.7,0.1,0.2]; got {list(split)}")
    shares = (float(split[0]), float(split[1]), float(split[2]))
    if not entry.takes_split and any(abs(a - b) > 1e-6 for a, b in zip(shares, Data().split, strict=True)):
        raise RequestError(f"data set {entry.name!r} has its own split; data.split goes with custom and planted data")
    return shares


def _check_options(entry: DatasetEntry, task: str, data: Data) -> None:
    """RequestError where options do not go with the data set or the task, or own files are missing."""
    row, usual = TASKS[task], Data()
    declared = {f"data.{field.name}": field for field in fields(Data)}
    values = {key: getattr(data, field.name) for key, field in declared.items()}
    given = [key for key, field in declared.items() if values[key] != getattr(usual, field.name)]
    own = [key for key, field in declared.items() if field.metadata["own"] and field.default is None]  # not data.directed
    if entry.timed:
        own.remove("data.time_split")
    if not entry.own and (needless := [key for key in given if key in own]):
        raise RequestError(f"own files ({', '.join(needless)}) go with dataset=custom, not with {entry.name!r}")
    if "data.directed" in given and not (entry.own and "data.directed" in row.own):
        reading = "/".join(name for name, other in TASKS.items() if "data.directed" in other.own)
        raise RequestError(
            f"data.directed goes with dataset=custom and task={reading}, not with {entry.name!r} and task={task}"
        )
    if entry.own and (missing := [key for key in row.needs if key not in given]):
        help = declared[missing[0]].metadata["help"]
        raise RequestError(f"dataset=custom with task={task} needs {missing[0]}=FILE: {help}")
    for key in ("data.scale", "data.time_split"):
        if values[key] not in (None, *(known := declared[key].metadata["choices"])):
            raise RequestError(f"{key}={shown(values[key])}: expected {', '.join(known)}")
    if data.embed not in (embeds := declared["data.embed"].metadata["choices"]) or data.embed_channels < 1:
        asked = f"data.embed={shown(data.embed)} data.embed_channels={data.embed_channels}"
        raise RequestError(f"{asked}: expected {', '.join(embeds)}, and at least 1 channel")
    if entry.own and data.time_split and data.time_column is None:
        raise RequestError(f"data.time_split={data.time_split} splits by times: name their column by data.time_column=")
    for key in filter(row.refuses.get, given):
        raise RequestError(f"{key}={values[key]}: task={task} {row.refuses[key]}, leave it out")
