"""Citation graphs that know who cites whom."""

from __future__ import annotations

from graphkit.data.catalog.entries import DataFile, DatasetEntry, Protocol
from graphkit.data.catalog.shared import ACCURACY

_COUNTS = (
    "20 labeled nodes per class for training, 500 for validation, the others for test, with a new draw for every seed (DiGCN's "
    "code draws the same numbers once). The whole graph is in message passing, {}; features as published (not row-normalized)."
)
_SYMMETRIC = "made symmetric without self-loops"
_DIRECTED = "citations keep their direction, published self-loops stay"
_READER = "graphkit.data.readers.citations:read"
_CORA_ML = "Bojchevski, Guennemann, Deep Gaussian Embedding of Graphs, ICLR 2018 (arXiv:1707.03815)"
_CITESEER = (
    "Sen et al., Collective Classification in Network Data, AI Magazine 2008; as in Tong et al., Digraph Inception "
    "Convolutional Networks, NeurIPS 2020"
)
_CORA_ML_FILE = DataFile(
    "CitationFull/cora_ml/raw/cora_ml.npz",
    "ffbe4e64857dc6bf38f1877e4312559a064df84b59d0f32f938717de5d5af0fd",
    "https://github.com/danielzuegner/gnn-meta-attack/raw/master/data/cora_ml.npz",
)
_CITESEER_FILE = DataFile(
    "directed/citeseer_npz/raw/citeseer_npz.npz",
    "280278b21b434c047922e8389518861416fb3ad39389c27865ff0e6bbb0aaab7",
    "https://github.com/flyingtango/DiGCN/raw/main/code/data/citeseer/raw/citeseer.npz",
)


def _entry(name: str, summary: str, source: str, page: str, file: DataFile) -> DatasetEntry:
    directed = name.endswith("-directed")
    statement = _COUNTS.format(_DIRECTED if directed else _SYMMETRIC)
    protocol = Protocol(statement, ACCURACY[0], ACCURACY)
    return DatasetEntry(name, summary, {"node": protocol}, source, page, "MIT", (file,), reader=_READER, directed=directed)


_META_ATTACK = "https://github.com/danielzuegner/gnn-meta-attack"

ENTRIES = (
    _entry("cora-ml", "2,995 papers, 8,158 citations, 2,879 words, 7 topics", _CORA_ML, _META_ATTACK, _CORA_ML_FILE),
    _entry("cora-ml-directed", "cora-ml with 8,416 directed citations", _CORA_ML, _META_ATTACK, _CORA_ML_FILE),
    _entry(
        "citeseer-directed",
        "3,312 papers, 4,715 directed citations, 124 of them self-loops, 3,703 words, 6 topics",
        _CITESEER,
        "https://github.com/flyingtango/DiGCN",
        _CITESEER_FILE,
    ),
)
