"""Data of which it is known which edges the classes rest on: what explanations are compared with."""

from __future__ import annotations

from dataclasses import replace

from graphkit.data.catalog.entries import DataFile, DatasetEntry, Protocol
from graphkit.data.catalog.graphs import ENTRIES as GRAPHS
from graphkit.data.catalog.shared import ACCURACY

_FILES = "https://github.com/flyingdoog/PGExplainer/raw/51edc7b3000e980635f68618af027ae24297f6e5/dataset"
_PAGE = "https://github.com/flyingdoog/PGExplainer"
_SOURCE = (
    "Ying et al., GNNExplainer, NeurIPS 2019 (arXiv:1903.03894); files of Luo et al., Parameterized Explainer for Graph Neural "
    "Network, NeurIPS 2020 (arXiv:2011.04573)"
)
_ARCHIVE = DataFile(
    "motif/pgexplainer_datasets.zip",
    "5ccc4ae0009519a5c59bb60e4fd28da82ba7b3cc3bdedc6e41da2718f625c937",
    f"{_FILES}/datasets.zip",
)
_TRUTH = DataFile(
    "motif/Mutagenicity_edge_gt.txt",
    "d520a35eb480a94a36ff257d9a653d9bcd1fb8adae7698bfe72cc2c101cbce01",
    f"{_FILES}/Mutagenicity.zip",
    "Mutagenicity_edge_gt.txt",
)


def _planted(name: str, summary: str, features: str) -> DatasetEntry:
    statement = (
        "The published split of 80/10/10 %, the same for every seed. The whole graph is in message passing, symmetric without "
        f"self-loops; {features}. Which edges are part of a motif is known to evaluations of explanations, and to no model."
    )
    return DatasetEntry(
        name,
        summary,
        {"node": Protocol(statement, ACCURACY[0], ACCURACY)},
        _SOURCE,
        _PAGE,
        files=(_ARCHIVE,),
        reader="graphkit.data.readers.motifs:read",
    )


def _with_truth(entry: DatasetEntry) -> DatasetEntry:
    (protocol,) = entry.protocols.values()
    known = (
        "Which bonds are those of nitro and amine groups (N-O, N-H) is known to evaluations of explanations, and to no model; "
        "molecules that are not mutagenic have such bonds, too."
    )
    return replace(
        entry,
        name="mutagenicity-truth",
        summary="mutagenicity with the bonds of nitro and amine groups as ground truth of explanations",
        protocols={"graph": replace(protocol, statement=f"{protocol.statement} {known}")},
        source=f"{entry.source}; ground truth of Luo et al., Parameterized Explainer for Graph Neural Network, NeurIPS 2020",
        files=(*entry.files, _TRUTH),
        reader="graphkit.data.readers.tu:read_with_truth",
    )


_SAME = "all features are one"

ENTRIES = (
    _planted("ba-shapes", "700 nodes, 2,055 edges: 80 houses on a Barabasi-Albert graph, 4 roles", _SAME),
    _planted(
        "ba-community",
        "1,400 nodes, 4,460 edges: two such graphs, 8 roles",
        "10 normal features whose mean tells the two graphs apart",
    ),
    _planted("tree-cycles", "871 nodes, 971 edges: 60 cycles of six nodes on a tree, 2 roles", _SAME),
    _planted("tree-grid", "1,231 nodes, 1,565 edges: 80 grids of 3 x 3 nodes on a tree, 2 roles", _SAME),
    *(_with_truth(entry) for entry in GRAPHS if entry.name == "mutagenicity"),
)
