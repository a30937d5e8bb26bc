"""The data sets that can be asked for: a table without torch, read by `--list`, the override checker and the loaders.

One module a family; adding a data set means a row there and a loader beside its relatives.
"""

from __future__ import annotations

from graphkit.data.catalog import (
    citations,
    embedded,
    geom_gcn,
    graphs,
    heterophily,
    images,
    interactions,
    motifs,
    ogb,
    own,
    planetoid,
)
from graphkit.data.catalog.entries import DataFile, DatasetEntry, Protocol

__all__ = ["DATASETS", "DataFile", "DatasetEntry", "Protocol"]

DATASETS: dict[str, DatasetEntry] = {
    entry.name: entry
    for family in (
        ogb.ENTRIES,
        planetoid.ENTRIES,
        geom_gcn.ENTRIES,
        citations.ENTRIES,
        heterophily.ENTRIES,
        embedded.ENTRIES,
        graphs.ENTRIES,
        images.ENTRIES,
        interactions.ENTRIES,
        motifs.ENTRIES,
        own.ENTRIES,
    )
    for entry in family
}
