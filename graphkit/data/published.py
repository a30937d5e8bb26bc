"""Published graphs from their files: the top folder of a data set's first file tells its reader."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from graphkit.data.catalog import DatasetEntry
from graphkit.data.dataset import Graph, Pairs, required
from graphkit.data.readers.citations import read_citations
from graphkit.data.readers.heterophily import read_heterophilous
from graphkit.data.readers.ogb import read_ddi
from graphkit.data.readers.planetoid import read_geom_gcn, read_planetoid
from graphkit.data.readers.webkb import read_webkb
from graphkit.data.splits.edges import split_edges_as_ncn
from graphkit.data.splits.nodes import split_nodes_by_count

Loaded = tuple[Graph, dict[str, Pairs] | dict[str, Tensor]]

SPLITS = 10
"""Published splits of a data set that has several: seed s takes split s mod 10."""


def read_published(entry: DatasetEntry, task: str, root: Path, seed: int) -> Loaded:
    """Read a data set whose files are there.

    Args:
        entry: The data set.
        task: One of its tasks.
        root: The data root.
        seed: Takes the published split, or draws what the protocol draws anew.

    Returns:
        The message passing graph, and `train`, `valid` and `test`.

    Raises:
        DataError: If a file is damaged.
    """
    generator = torch.Generator().manual_seed(seed)
    first = root / entry.files[0].path
    family = Path(entry.files[0].path).parts[0]
    if family == "ogbl_ddi":
        return read_ddi(root / family)
    if family == "Planetoid":
        return _planetoid(entry.name, task, first.parent, generator)
    data, splits = _nodes(family, entry, root, seed, generator)
    if entry.row_normalized:
        data.x = row_normalized(required(data.x))
    return data, splits


def row_normalized(x: Tensor) -> Tensor:
    """Features [N, F] scaled so that each node's sum to 1; a node without features keeps its zeros."""
    total = x.sum(dim=1, keepdim=True)
    return x / total.masked_fill(total == 0, 1.0)


def _planetoid(name: str, task: str, folder: Path, generator: torch.Generator) -> Loaded:
    data, public = read_planetoid(folder, name)
    if task == "node":
        return data, public
    data.edge_index, splits = split_edges_as_ncn(data.edge_index, data.num_nodes, generator)
    return data, splits


def _nodes(
    family: str, entry: DatasetEntry, root: Path, seed: int, generator: torch.Generator
) -> tuple[Graph, dict[str, Tensor]]:
    if family == "geom_gcn_splits":
        graph = next(root / file.path for file in entry.files if file.path.startswith("Planetoid/"))
        return read_geom_gcn(graph.parent, entry.name.removesuffix("-geom"), root / entry.files[seed % SPLITS].path)
    path = root / entry.files[0].path
    if family == "WebKB":
        return read_webkb(path.parent, path.parent / Path(entry.files[2 + seed % SPLITS].path).name)
    if family in ("heterophilous_npz", "HeterophilousGraphDataset"):
        return read_heterophilous(path, seed % SPLITS, directed=entry.directed)
    data = read_citations(path, directed=entry.directed)
    return data, split_nodes_by_count(required(data.y), per_class=20, num_valid=500, generator=generator)
