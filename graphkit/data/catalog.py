"""The data sets that can be asked for: a table without torch, read by `--list`, the override checker and the loaders."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DataFile:
    """A file that a data set is read from.

    Attributes:
        path: Where it lies below the data root, in the layout of the standard loaders.
        checksum: SHA-256 of its bytes in hex; 40 digits instead are git's id of the file in the publisher's repository.
        url: The publisher's address of the file, or of the zip archive that holds it.
        member: Its name inside that archive; empty where the address is the file itself.
        also: Checksums of other files that are as good: the same content in another order.
    """

    path: str
    checksum: str
    url: str
    member: str = ""
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Protocol:
    """How a data set is judged on a task: split and graph in a plain sentence, the judging metric, all metrics reported."""

    statement: str
    metric: str
    metrics: tuple[str, ...]


@dataclass(frozen=True)
class DatasetEntry:
    """A data set: what it is, how each task is judged on it, whence it comes.

    Attributes:
        name: The name it is asked for by.
        summary: What it holds, in a few words.
        protocols: Tasks it can be asked for, each with its protocol.
        source: Citation.
        url: The publisher's page.
        license: As stated by the publisher; empty where that is not known or not needed: see `url`.
        files: What is read from the data root; empty for embedded, generated and own data.
        takes_split: Whether `data.split` applies; elsewhere the name fixes the split.
    """

    name: str
    summary: str
    protocols: dict[str, Protocol]
    source: str
    url: str = ""
    license: str = ""
    files: tuple[DataFile, ...] = ()
    takes_split: bool = False

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks it can be asked for."""
        return tuple(self.protocols)

    @property
    def embedded(self) -> bool:
        """Whether it needs no file and no download."""
        return not self.files and self.name != "custom"


_ACCURACY = ("accuracy",)
_HITS = ("hits@20", "hits@50", "hits@100", "mrr", "roc-auc")

_PUBLIC_SPLIT = Protocol(
    "Public split of Planetoid: 20 labeled nodes a class for training, 500 for validation, 1,000 for test; the whole graph is "
    "in message passing, features as published (not row-normalized).",
    "accuracy",
    _ACCURACY,
)
_NCN_SPLIT = Protocol(
    "NCN's 70/10/20 protocol: a fresh split of the undirected edges a seed; validation has 10% of the edges as positives and "
    "as many negatives as 20% of the edges, test 20% of both; negatives are distinct true non-edges. Only training edges are "
    "in message passing, also at test; features as published (not row-normalized).",
    "hits@100",
    ("hits@100", "hits@20", "hits@50", "mrr", "roc-auc"),
)
_EDGE_SPLIT = (
    "of the undirected edges, drawn anew a seed, with as many distinct true non-edges as negatives; only training edges are in "
    "message passing, also at test."
)

_DDI_ZIP = "https://snap.stanford.edu/ogb/data/linkproppred/ddi.zip"
_DDI_CHECKSUMS = {
    "raw/edge.csv.gz": "b2c585f425f49b640ee5a3b451069124651ee0f2863a5b6ee6737a6b14c27a6e",
    "raw/num-node-list.csv.gz": "8462870f1b8c5937c66600aeb460af98d4f9965639fcd30f72f97da95ab374e3",
    "split/target/train.pt": "694c82ba440b873e05f08eb18e1605362aaf9ee7ca12aff84fce0c9f4c8ad256",
    "split/target/valid.pt": "4a48348f01fad0980a5be269fff7ace300e963144eef22d5ec4fc9830df872ac",
    "split/target/test.pt": "b45cfcf1695babf5a13e90bdf08988be23570ca76af0737f9d517e005ea7e297",
}

_PLANETOID_URL = "https://github.com/kimiyoung/planetoid/raw/master/data"
_PLANETOID_CHECKSUMS = {
    "cora": {
        "x": "23cfa55d91c6f624233f5eb7b6e3f141f1bd2b2ae39608a63cf5d084bb27baab",
        "tx": "b9afbaa4a400df991f6f02ef677e1e44da55ffc04801fd02f9e673987829226a",
        "allx": "9419ba2f26f5c35243db64aba110e0f35a04851609e0dc5433450676ca6b8543",
        "y": "94465c14eb53e04ca262198dcbb2521ee8af60fb3f3d546cd6ca24a511b0e7d1",
        "ty": "41f5ac76596a1699cc33f53084a2419e92961c42bb75f36fc38e616d348532ad",
        "ally": "2b998f5cc7fedc86e7f97ca2498f47a1ffc1462c29e2d578b23bf3f62b6e7d71",
        "graph": "58f13302f39dde8852dad6fe6d15b89b077b6d7f837626bce671ef80344b383d",
        "test.index": "297ce89af2b51a6a194181c7dbe1796c6a1cf9cd9349a88383b1b1e227867875",
    },
    "citeseer": {
        "x": "d20de19150741e555de0ed037195630fc194114ebc7fd72ced62810148aa22f6",
        "tx": "539a8906a2da97628d212f2fdd668c109a8b3f0d36574b59e5d3fd5b5303da21",
        "allx": "2ac30345d95c9ec933a817ee0bdd6a5f077f8c184a20e696910192d534414668",
        "y": "8ba87e515d8e3ee3cf52f6d2c5b86aa73f11ecad825a808455209ec26cd54924",
        "ty": "55e5bd1ba1e733a04598753ad1a8d57957f4b8f89e74519f41f4f4938767e4ce",
        "ally": "f704b2d986dde6c2669934de1f3ae5696a6cf9455c0f6b2646a2d135ea0a1c95",
        "graph": "d79a4ef9d3e7169aee8946145f6b7306e35bc79bffad26346cfb94e10e9912a7",
        "test.index": "2af990671580b6b2df5d158d1038f8292e30c9cd821b5453f399659b25b723d4",
    },
    "pubmed": {
        "x": "fbe9cb5c47200d1b7769a26e579be3b7130b556831f9d850e77c4c74f2599b33",
        "tx": "4eb5f5d0f30f26497eb0ac6ac9719d09c67e284f1ed0385c93f3ef27a671da3d",
        "allx": "3b86bccf08111c37c632a9dd8ab63db25ea76361",  # git's id
        "y": "e6c807633307a07ed659249006536a147c7999c797f11a2560752990181b41b3",
        "ty": "ee2e0d4819d9fbcc403689c3bf2e49face401b605932f093bc58ab6461130fdd",
        "ally": "0c37bbe3b5014ec365e9d393cf4791925e5ed94fb194305d74f064a8d7b50f0e",
        "graph": "5b89f0036ca22909471f1e6558eb42fa06e0c730a577bde5b058b40638f81dc9",
        "test.index": "b101d421688bbaecbd82e8a18f1e282378d6830f3a37666f28ebc47f844341b5",
    },
}


def _planetoid(name: str, folder: str, summary: str) -> DatasetEntry:
    files = tuple(
        DataFile(f"Planetoid/{folder}/raw/ind.{name}.{part}", checksum, f"{_PLANETOID_URL}/ind.{name}.{part}")
        for part, checksum in _PLANETOID_CHECKSUMS[name].items()
    )
    return DatasetEntry(
        name,
        summary,
        {"node": _PUBLIC_SPLIT, "link": _NCN_SPLIT},
        "Yang, Cohen, Salakhutdinov, Revisiting Semi-Supervised Learning with Graph Embeddings, ICML 2016 (arXiv:1603.08861)",
        "https://github.com/kimiyoung/planetoid",
        "MIT",
        files,
    )


_RANKING = ("recall@20", "ndcg@20", "precision@20", "hit@20")
_PUBLISHED_INTERACTIONS = Protocol(
    "The published training and test interactions of LightGCN's code; a tenth of each user's training items, drawn anew a "
    "seed, is held out for validation and in no graph. All items a user has not been seen with are ranked, at test also "
    "without the validation items; users without held-out items do not count.",
    "recall@20",
    _RANKING,
)
_LIGHTGCN_URL = "https://github.com/gusye1234/LightGCN-PyTorch/raw/master/data"


def _interactions(name: str, summary: str, source: str, checksums: dict[str, tuple[str, ...]]) -> DatasetEntry:
    files = tuple(
        DataFile(f"LightGCN/{name}/{file}", accepted[0], f"{_LIGHTGCN_URL}/{name}/{file}", also=accepted[1:])
        for file, accepted in checksums.items()
    )
    page = "https://github.com/gusye1234/LightGCN-PyTorch"
    return DatasetEntry(name, summary, {"recommend": _PUBLISHED_INTERACTIONS}, source, page, "", files)


_ENTRIES = (
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
    ),
    _planetoid("cora", "Cora", "2,708 papers, 5,278 citations, 1,433 words, 7 topics"),
    _planetoid("citeseer", "CiteSeer", "3,327 papers, 4,552 citations, 3,703 words, 6 topics"),
    _planetoid("pubmed", "PubMed", "19,717 papers, 44,324 citations, 500 words, 3 topics"),
    DatasetEntry(
        "digits",
        "1,797 images of 8x8 pixels as a cosine 10-nearest-neighbor graph, 10 classes (embedded)",
        {
            "node": Protocol(
                "A fixed split: 20 labeled images a class for training, 500 for validation, the other 1,097 for test; the "
                "whole graph is in message passing.",
                "accuracy",
                _ACCURACY,
            ),
            "link": Protocol(f"70/10/20 {_EDGE_SPLIT}", "hits@20", _HITS),
        },
        "Alpaydin, Kaynak, Optical Recognition of Handwritten Digits, UCI 1998, as shipped with scikit-learn",
        "https://archive.ics.uci.edu/dataset/80",
        "CC BY 4.0",
    ),
    DatasetEntry(
        "karate",
        "Zachary's karate club: 34 members, 78 ties, 2 factions (embedded)",
        {
            "node": Protocol(
                "A fixed split of the members: 4 a faction, the two leaders among them, for training, 10 for validation, 16 "
                "for test; the whole graph is in message passing, features are one-hot ids.",
                "accuracy",
                _ACCURACY,
            ),
            "link": Protocol(f"70/10/20 {_EDGE_SPLIT}", "roc-auc", ("roc-auc", "hits@3", "mrr")),
        },
        "Zachary, An Information Flow Model for Conflict and Fission in Small Groups, J. Anthropological Research 1977",
        "https://doi.org/10.1086/jar.33.4.3629752",
    ),
    DatasetEntry(
        "planted-partition",
        "generated: 800 nodes, 4 classes that show in the edges, weakly in the features (embedded)",
        {
            "node": Protocol(
                "A graph drawn anew a seed and split class by class in the shares of data.split; the whole graph is in message "
                "passing. Features alone allow an accuracy of 55 %.",
                "accuracy",
                _ACCURACY,
            )
        },
        "Holland, Laskey, Leinhardt, Stochastic Blockmodels: First Steps, Social Networks 1983",
        "https://doi.org/10.1016/0378-8733(83)90021-7",
        takes_split=True,
    ),
    DatasetEntry(
        "planted-communities",
        "generated: 50 dense communities of 20 nodes and a few stray edges; common neighbors decide (embedded)",
        {
            "link": Protocol(
                f"A graph drawn anew a seed, split in the shares of data.split {_EDGE_SPLIT} A twentieth of the edges are "
                "stray and cannot be foretold.",
                "hits@20",
                _HITS,
            )
        },
        "Holland, Laskey, Leinhardt, Stochastic Blockmodels: First Steps, Social Networks 1983",
        "https://doi.org/10.1016/0378-8733(83)90021-7",
        takes_split=True,
    ),
    _interactions(
        "gowalla",
        "29,858 users, 40,981 places, 1,027,370 check-ins; LightGCN's split, not the one of 50,821 users",
        "Cho, Myers, Leskovec, Friendship and Mobility, KDD 2011; split of Wang et al., NGCF, SIGIR 2019 (arXiv:1905.08108)",
        {
            "train.txt": (
                "a27782bd7a1d4d0744148dc0460ea94da74763f2",  # git's id
                "0f086326b28a56c2e6dcb81d86ee72d4ccb7eed3a8d26788392356d8f51111cc",  # each user's items sorted
            ),
            "test.txt": ("099a2a73924e4b754dc6efd730d764f492321b53c38eb93298850c83acf57be3",),
            "user_list.txt": ("5344c4d0deef610e1f148f23ad216a0db03b36f88834cd39a06786a672c5f5a1",),
            "item_list.txt": ("6b186f92890cc3f0c15a6dae5d6285f125a302bb8c5ea0cd9a16cf9c16347139",),
        },
    ),
    _interactions(
        "lastfm",
        "1,892 users, 4,489 artists, 52,668 listenings; the split of LightGCN's code",
        "Cantador, Brusilovsky, Kuflik, HetRec 2011 at RecSys; split of He et al., LightGCN, SIGIR 2020 (arXiv:2002.02126)",
        {
            "data1.txt": ("c82af3228cbbda2f55a39244de09ed93292894f1d0d9f1908ebb57e27598fded",),
            "test1.txt": ("de4417c0e6123284ce59a0934bcf5288ec1ec8774a18a1eef453c9952dfa48f9",),
        },
    ),
    _interactions(
        "yelp2018",
        "31,668 users, 38,048 businesses, 1,561,406 reviews; LightGCN's split",
        "Yelp Dataset Challenge 2018; split of Wang et al., NGCF, SIGIR 2019 (arXiv:1905.08108), as in LightGCN, SIGIR 2020",
        {  # git's ids
            "train.txt": ("cda12361055ba448ae4bd1070f6000c16dea8f22",),
            "test.txt": ("30dfbc3437b27b74cb2970b435a5ec93ad9f2468",),
            "user_list.txt": ("e307ac182d9acebc8f4e929eac0569f8b964e244",),
            "item_list.txt": ("8518b74211e56ab05462b4ce0a3222bb19c238f9",),
        },
    ),
    _interactions(
        "amazon-book",
        "52,643 users, 91,599 books, 2,984,108 reviews; LightGCN's split",
        "He, McAuley, Ups and Downs, WWW 2016; split of Wang et al., NGCF, SIGIR 2019 (arXiv:1905.08108)",
        {  # git's ids
            "train.txt": ("6ef55159c5f1fd7f6d86eb9ff290d0cc2854ac99",),
            "test.txt": ("09e5da4e0bf46c751c4ba0f4375e414fd13512cd",),
            "user_list.txt": ("9caeb9c0c9abd6ef1bdc2dbad1dcbda2dcffb8dc",),
            "item_list.txt": ("a855fe36654521c76a9fe1bb2144dc420f279c9d",),
        },
    ),
    DatasetEntry(
        "planted-interactions",
        "generated: 500 users and 500 items in 20 communities that decide who takes what (embedded)",
        {
            "recommend": Protocol(
                "Interactions drawn anew a seed; each user's items split in the shares of data.split, held-out ones in no "
                "graph. All items a user has not been seen with are ranked, at test also without the validation items. A "
                "twentieth of the interactions is stray and cannot be foretold.",
                "recall@20",
                _RANKING,
            )
        },
        "Holland, Laskey, Leinhardt, Stochastic Blockmodels: First Steps, Social Networks 1983",
        "https://doi.org/10.1016/0378-8733(83)90021-7",
        takes_split=True,
    ),
    DatasetEntry(
        "custom",
        "own CSV files: data.edges, data.features, data.labels, data.interactions",
        {
            "node": Protocol(
                "Own files, read as an undirected graph; labeled nodes split class by class in the shares of data.split, anew "
                "a seed; the whole graph is in message passing.",
                "accuracy",
                _ACCURACY,
            ),
            "link": Protocol(
                f"Own files, read as an undirected graph; a split in the shares of data.split {_EDGE_SPLIT}", "hits@20", _HITS
            ),
            "recommend": Protocol(
                "Own interactions; each user's items split in the shares of data.split, held-out ones in no graph. All items a "
                "user has not been seen with are ranked, at test also without the validation items; users without held-out "
                "items do not count.",
                "recall@20",
                _RANKING,
            ),
        },
        "own files",
        takes_split=True,
    ),
)

DATASETS: dict[str, DatasetEntry] = {entry.name: entry for entry in _ENTRIES}
