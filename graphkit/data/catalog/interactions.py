"""Users and items: the splits of LightGCN's code."""

from __future__ import annotations

from graphkit.data.catalog.entries import DataFile, DatasetEntry, Protocol
from graphkit.data.catalog.shared import RANKING

_PUBLISHED_INTERACTIONS = Protocol(
    "The published training and test interactions of LightGCN's code; a tenth of each user's training items, with a new draw "
    "for every seed, is held out for validation and in no graph. All items a user has not been seen with are ranked, at test "
    "also without the validation items; users without held-out items do not count.",
    "recall@20",
    RANKING,
)
_READER = "graphkit.data.readers.interactions:read"
_LIGHTGCN_URL = "https://github.com/gusye1234/LightGCN-PyTorch/raw/master/data"


def _interactions(name: str, summary: str, source: str, checksums: dict[str, tuple[str, ...]]) -> DatasetEntry:
    files = tuple(
        DataFile(f"LightGCN/{name}/{file}", accepted[0], f"{_LIGHTGCN_URL}/{name}/{file}", also=accepted[1:])
        for file, accepted in checksums.items()
    )
    page = "https://github.com/gusye1234/LightGCN-PyTorch"
    return DatasetEntry(name, summary, {"recommend": _PUBLISHED_INTERACTIONS}, source, page, "", files, reader=_READER)


ENTRIES = (
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
)
