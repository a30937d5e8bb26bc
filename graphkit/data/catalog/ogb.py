"""Data sets of the Open Graph Benchmark."""

from __future__ import annotations

from graphkit.data.catalog.entries import DataFile, DatasetEntry, Protocol

_DDI_ZIP = "https://snap.stanford.edu/ogb/data/linkproppred/ddi.zip"
_DDI_CHECKSUMS = {
    "raw/edge.csv.gz": "b2c585f425f49b640ee5a3b451069124651ee0f2863a5b6ee6737a6b14c27a6e",
    "raw/num-node-list.csv.gz": "8462870f1b8c5937c66600aeb460af98d4f9965639fcd30f72f97da95ab374e3",
    "split/target/train.pt": "694c82ba440b873e05f08eb18e1605362aaf9ee7ca12aff84fce0c9f4c8ad256",
    "split/target/valid.pt": "4a48348f01fad0980a5be269fff7ace300e963144eef22d5ec4fc9830df872ac",
    "split/target/test.pt": "b45cfcf1695babf5a13e90bdf08988be23570ca76af0737f9d517e005ea7e297",
}

ENTRIES = (
    DatasetEntry(
        "ogbl-ddi",
        "4,267 drugs, 1,334,889 interactions, no features",
        {
            "link": Protocol(
                "OGB's protein-target split with OGB's fixed negatives: 1,067,911 training edges, which alone are in message "
                "passing, also at test; 133,489 positives each against 101,882 (validation) and 95,599 (test) negatives.",
                "hits@20",
                ("hits@20", "hits@50", "hits@100", "mrr"),
            )
        },
        "Hu et al., Open Graph Benchmark: Datasets for Machine Learning on Graphs, NeurIPS 2020 (arXiv:2005.00687)",
        "https://ogb.stanford.edu/docs/linkprop/#ogbl-ddi",
        "",
        tuple(DataFile(f"ogbl_ddi/{path}", checksum, _DDI_ZIP, f"ddi/{path}") for path, checksum in _DDI_CHECKSUMS.items()),
        reader="graphkit.data.readers.ogb:read",
    ),
)
