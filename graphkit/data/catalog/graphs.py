"""Collections of graphs: TU Dortmund's, circular skip links, planted ones, and random ones whose patterns are counted."""

from __future__ import annotations

from graphkit.data.catalog.entries import DataFile, DatasetEntry, Protocol
from graphkit.data.catalog.shared import ACCURACY, DRAWN_FOLDS, TEN_FOLDS
from graphkit.data.catalog.tu_checksums import COLLECTIONS, FOLDS

_TU = "https://github.com/bknyaz/graph_nn/raw/72eaa1c6bd70a90fde772ad4a21049ccd6bc97a2/data"
_DGCNN = "https://github.com/muhanzhang/pytorch_DGCNN/raw/50f504131ca66382f3f078ae98e59aa3ae35b795/data"
_CSL = "https://github.com/PurdueMINDS/RelationalPooling/raw/master/Synthetic_Data"
_CSL_SPLITS = "https://github.com/graphdeeplearning/benchmarking-gnns/raw/master/data/CSL"

_READ_TU = "graphkit.data.readers.tu:read"
_PUBLISHED = TEN_FOLDS.format("those of the files that DGCNN publishes, as IGN and PPGN use them")
_TWO_CLASSES = ("accuracy", "roc-auc")


def _collection(name: str, folder: str, summary: str, source: str, features: str, metrics: tuple[str, ...]) -> DatasetEntry:
    parts = tuple(
        DataFile(
            f"TUDataset/{folder}/raw/{folder}_{part}.txt", checksum, f"{_TU}/{folder}.zip", f"{folder}//{folder}_{part}.txt"
        )
        for part, checksum in COLLECTIONS[folder].items()
    )
    short = folder.replace("-", "")
    folds = tuple(
        DataFile(f"TU_10fold_idx/{short}/test_idx-{number}.txt", checksum, f"{_DGCNN}/{short}/10fold_idx/test_idx-{number}.txt")
        for number, checksum in enumerate(FOLDS.get(folder, ()), start=1)
    )
    statement = f"{_PUBLISHED if folds else DRAWN_FOLDS} {features}"
    return DatasetEntry(
        name,
        summary,
        {"graph": Protocol(statement, metrics[0], metrics)},
        f"{source}; Morris et al., TUDataset, 2020 (arXiv:2007.08663)",
        "https://chrsmrrs.github.io/datasets",
        files=(*parts, *folds),
        reader=_READ_TU,
    )


_LABELS = "Features are the one-hot labels of the nodes."
_BONDS = "Features are the one-hot labels of the nodes, and of the edges."
_NONE = "Nodes have no features."
_DEBNATH = "Debnath et al., Structure-Activity Relationship of Mutagenic Aromatic and Heteroaromatic Nitro Compounds, 1991"
_WALE = "Wale, Watson, Karypis, Comparison of Descriptor Spaces for Chemical Compound Retrieval and Classification, 2008"
_BORGWARDT = "Borgwardt et al., Protein Function Prediction via Graph Kernels, Bioinformatics 2005"
_YANARDAG = "Yanardag, Vishwanathan, Deep Graph Kernels, KDD 2015"
_HELMA = "Helma et al., The Predictive Toxicology Challenge 2000-2001, Bioinformatics 2001"
_RIESEN = "Riesen, Bunke, IAM Graph Database Repository, 2008; Kazius et al., J. Medicinal Chemistry 2005"

_PATTERNS = ("triangle", "tailed-triangle", "star", "4-cycle", "5-cycle", "6-cycle")  # of `graphkit.data.generated.counting`

ENTRIES = (
    _collection("mutag", "MUTAG", "188 molecules, 7 kinds of atoms, mutagenic or not", _DEBNATH, _BONDS, _TWO_CLASSES),
    _collection(
        "ptc-mr", "PTC_MR", "344 molecules, 18 kinds of atoms, cancer in male rats or not", _HELMA, _BONDS, _TWO_CLASSES
    ),
    _collection(
        "proteins",
        "PROTEINS",
        "1,113 proteins of up to 620 helices, sheets and turns, enzyme or not",
        _BORGWARDT,
        f"{_LABELS} Their attribute, a length, is none.",
        _TWO_CLASSES,
    ),
    _collection(
        "enzymes",
        "ENZYMES",
        "600 enzymes of up to 126 helices, sheets and turns, 6 classes",
        _BORGWARDT,
        f"{_LABELS} Their 18 attributes are none.",
        ACCURACY,
    ),
    _collection(
        "nci1", "NCI1", "4,110 molecules, 37 kinds of atoms, active against lung cancer or not", _WALE, _LABELS, _TWO_CLASSES
    ),
    _collection(
        "nci109",
        "NCI109",
        "4,127 molecules, 38 kinds of atoms, active against ovarian cancer or not",
        _WALE,
        _LABELS,
        _TWO_CLASSES,
    ),
    _collection(
        "mutagenicity", "Mutagenicity", "4,337 molecules, 14 kinds of atoms, mutagenic or not", _RIESEN, _BONDS, _TWO_CLASSES
    ),
    _collection(
        "imdb-binary", "IMDB-BINARY", "1,000 casts of up to 136 actors, action or romance", _YANARDAG, _NONE, _TWO_CLASSES
    ),
    _collection(
        "imdb-multi", "IMDB-MULTI", "1,500 casts of up to 89 actors, comedy, romance or sci-fi", _YANARDAG, _NONE, ACCURACY
    ),
    DatasetEntry(
        "csl",
        "150 circular skip links of 41 nodes, 10 classes that no message passing without marks tells apart",
        {
            "graph": Protocol(
                "Five published splits of 90/30/30 graphs: seed s takes split s mod 5, so that seeds=5 tests each graph once. "
                "Nodes have no features; chance is 10 %.",
                "accuracy",
                ACCURACY,
            )
        },
        "Murphy et al., Relational Pooling for Graph Representations, ICML 2019; splits of Dwivedi et al., Benchmarking Graph "
        "Neural Networks, 2020 (arXiv:2003.00982)",
        "https://github.com/PurdueMINDS/RelationalPooling",
        files=(
            DataFile(
                "GNNBenchmarkDataset/CSL/raw/graphs_Kary_Deterministic_Graphs.pkl",
                "356281ea02e70241ae462426025afa72d00f6645e82df836dc3f29ad69cf9461",
                f"{_CSL}/graphs_Kary_Deterministic_Graphs.pkl",
            ),
            DataFile(
                "GNNBenchmarkDataset/CSL/raw/y_Kary_Deterministic_Graphs.pt",
                "4e64a3ee3836e56635090ebd6c39d79348243d3b957167b6193ca3b78c335eb7",
                f"{_CSL}/y_Kary_Deterministic_Graphs.pt",
            ),
            DataFile(
                "GNNBenchmarkDataset/CSL_splits/CSL_train.index",
                "c951d98c8fae5aed3b2faf0fbcb64adcc60dd754329b556f8886cb934e919edd",
                f"{_CSL_SPLITS}/CSL_train.index",
            ),
            DataFile(
                "GNNBenchmarkDataset/CSL_splits/CSL_val.index",
                "dbb5b5cd8a413a5c3268b36530301fc1620a873c6ba71d08e4fd51e93f010d83",
                f"{_CSL_SPLITS}/CSL_val.index",
            ),
            DataFile(
                "GNNBenchmarkDataset/CSL_splits/CSL_test.index",
                "e52e55cb8c57d2f4f140638ae127231d8f7c72e6bcbe62dd05682dc33f13235b",
                f"{_CSL_SPLITS}/CSL_test.index",
            ),
        ),
        reader="graphkit.data.readers.csl:read",
    ),
    DatasetEntry(
        "planted-graphs",
        "generated: 300 graphs of equal degrees with four marked nodes, on a path or apart (embedded)",
        {
            "graph": Protocol(
                f"{DRAWN_FOLDS} Which nodes are marked is the only feature; without edges the classes are equal, and no model "
                "can be better than chance, 50 %.",
                "accuracy",
                ACCURACY,
            )
        },
        "graphkit",
        reader="graphkit.data.generated.graphs:read",
        takes_split=True,
    ),
    DatasetEntry(
        "counting",
        "generated: 5,000 random graphs of 10 to 30 nodes, six small patterns counted in each (embedded)",
        {
            "graph": Protocol(
                "A fixed split of 1,500/1,000/2,500 random graphs, always the same ones: regular graphs of degree 5 or 6, from "
                "which as many random edges are taken as they have nodes. A target is the number of copies of a pattern over "
                "its standard deviation in all graphs. task.target names one pattern; by default one model learns all six. "
                "Nodes have no features.",
                "mae",
                ("mae", *(f"mae:{pattern}" for pattern in _PATTERNS)),
            )
        },
        "Chen et al., Can Graph Neural Networks Count Substructures?, NeurIPS 2020; generated as in Zhao et al., From Stars to "
        "Subgraphs, ICLR 2022 (arXiv:2110.03753)",
        reader="graphkit.data.generated.counting:read",
    ),
)
