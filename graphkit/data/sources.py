"""What readers and the tasks' builders get and give: `load` asks, a reader answers with a source, a task makes data of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from graphkit.data.catalog import DatasetEntry, Protocol
from graphkit.data.dataset import Pairs
from graphkit.data.graph import Graph
from graphkit.data.graphs import Graphs
from graphkit.data.own.collected import Attributes
from graphkit.data.own.features import Codings
from graphkit.data.own.files import OwnFiles
from graphkit.data.splits.shares import Shares
from graphkit.errors import DataError

if TYPE_CHECKING:
    from graphkit.conf.schema import Data

EdgeSplit = Callable[[Tensor, int, torch.Generator], tuple[Tensor, dict[str, Pairs]]]
"""From edges [2, E], number of nodes and randomness to the message passing graph and the pairs of each split."""

_SPLITS = 10
"""Published splits of a data set that has several: seed s takes split s mod 10."""


@dataclass(frozen=True)
class DataRequest:
    """What `graphkit.data.load` was asked for. Readers and the tasks' builders get it whole.

    Attributes:
        entry: The data set's row in the catalog.
        protocol: How it is judged on the task.
        root: The data folder.
        seed: The seed of whatever is drawn.
        options: The section `data` of a run's settings: own files, and how they are to be read.
        shares: Shares of training, validation and test, where the name does not fix the split.
        own_files: Reads own files.
        asked_protocol: The name in `task.protocol`, of a task whose data it splits; `auto`: the data set's own.
    """

    entry: DatasetEntry
    protocol: Protocol
    root: Path
    seed: int
    options: Data
    shares: Shares
    own_files: OwnFiles
    asked_protocol: str = "auto"

    @cached_property
    def generator(self) -> torch.Generator:
        """The one source of randomness, from which reader and builder draw in turn."""
        return torch.Generator().manual_seed(self.seed)

    @property
    def published_split(self) -> int:
        """Number of the published split, from 0, of a data set that has ten."""
        return self.seed % _SPLITS

    def first_file(self) -> Path:
        """The first of the data set's files."""
        return self.root / self.entry.files[0].path

    def read(self) -> Any:
        """What the data set's reader gives, its files downloaded if they are missing.

        Raises:
            DataError: If files are missing and cannot be downloaded, or are damaged or malformed.
        """
        read = resolve_name(self.protocol.reader or self.entry.reader)
        if not self.entry.files:
            return read(self)
        from graphkit.data.download import ensure  # it takes half a second, and only published data need it

        with _readable(self.root):
            ensure(self.entry, self.root)
            return read(self)

    def statement(self, *remarks: str, protocol: Protocol | None = None) -> str:
        """The protocol in plain sentences.

        Args:
            remarks: Sentences on what was done while reading and splitting.
            protocol: In place of the row's.
        """
        chosen = [f"data.split: {'/'.join(f'{100 * share:g}' for share in self.shares)}."] if self.entry.takes_split else []
        return " ".join([(protocol or self.protocol).statement, *chosen, *remarks])


@dataclass(frozen=True)
class GraphSource:
    """A whole graph as its reader found it.

    Attributes:
        graph: The graph.
        nodes: A published or fixed split of the nodes: ids of `train`, `valid` and `test`; None: by shares, class by class.
        pairs: A published split of the edges, of which the graph then holds the training part; None: see `split_edges`.
        split_edges: Holds out edges; None: at random by shares.
        edge_time: When each edge of the graph [E] came to be, both directions alike; None: not known.
        node_names: The user's own node ids in index order, for own files; else empty.
        class_names: Names of the classes in index order, where known.
        remarks: Sentences on what was dropped or kept while reading.
        notes: Sentences that a run tells before it begins.
        columns: How the columns of own features became numbers, where they were something else.
    """

    graph: Graph
    nodes: dict[str, Tensor] | None = None
    pairs: dict[str, Pairs] | None = None
    split_edges: EdgeSplit | None = None
    edge_time: Tensor | None = None
    node_names: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    columns: Codings | None = None


@dataclass(frozen=True)
class GraphsSource:
    """A collection of graphs as its reader found it.

    Attributes:
        graphs: The graphs with their classes or targets.
        kind: What is predicted: `classes`, `labels` (yes or no for each of several) or `numbers`.
        folds: Published test graphs of each fold; empty: ten folds are drawn, class by class.
        splits: A published split, of which validation is no fold that others test; None: see `folds`.
        num_splits: How many such splits there are, that of seed s being number s mod num_splits.
        graph_names: The user's own graph ids in index order, for own files; else empty.
        class_names: Names of the classes in index order, where known.
        target_names: Names of the labels or numbers in index order, where known.
        remarks: Sentences on what was dropped or kept while reading.
        notes: Sentences that a run tells before it begins.
        attributes: How attributes of nodes and of edges became columns, of own graphs from a folder.
    """

    graphs: Graphs
    kind: str = "classes"
    folds: tuple[Tensor, ...] = ()
    splits: dict[str, Tensor] | None = None
    num_splits: int = 1
    graph_names: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    target_names: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    attributes: tuple[Attributes, Attributes] = ((), ())


@dataclass(frozen=True)
class ImagesSource:
    """Images as their reader found them.

    Attributes:
        pixels: Values [N, C, H, W] in [0, 1], float32, of one channel or three.
        y: Classes [N], int64; or labels [N, T], float32, 0 and 1, NaN where not known.
        kind: What is predicted: `classes` or `labels`.
        splits: A published split: image ids of `train`, `valid` and `test`; None: by shares, class by class.
        boxes: Where the part lies that decides the class [N, 4], where that is known.
        image_names: The user's own names in index order, for own files; else empty.
        class_names: Names of the classes in index order, where known.
        target_names: Names of the labels in index order, where known.
        remarks: Sentences on what was done while reading.
        notes: Sentences that a run tells before it begins.
    """

    pixels: Tensor
    y: Tensor
    kind: str = "classes"
    splits: dict[str, Tensor] | None = None
    boxes: Tensor | None = None
    image_names: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    target_names: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@contextlib.contextmanager
def _readable(root: Path) -> Iterator[None]:
    """DataError where the data root, or a file in it, cannot be used."""
    try:
        yield
    except OSError as error:
        advice = "make it readable, or give another folder by data.root="
        raise DataError(f"cannot use {error.filename or root} ({error.strerror}): {advice}") from error
