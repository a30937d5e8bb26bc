"""From Geom-GCN: ten splits of Cora, CiteSeer and PubMed, whose graphs are Planetoid's, and its mixture named Cornell."""

from __future__ import annotations

from graphkit.data.catalog import planetoid
from graphkit.data.catalog.entries import DataFile, DatasetEntry, Protocol
from graphkit.data.catalog.shared import ACCURACY, GEOM_SPLITS, ROW_NORMALIZED, TEN_SPLITS, WEBKB, WHOLE_GRAPH

_PAGE = "https://github.com/graphdml-uiuc-jlu/geom-gcn"
_CHECKSUMS = {
    "cora": (
        "619931e6c3f0248bf9c7b6be24680a0a617bcfaba661cb0d7afaee8e18a74a51",
        "d24be667034cb15a55bbf512dbae07b39c758eed66a9ba27106fa795422fe11c",
        "811fb695c4c9ab0a53ab3a665bf4232652a08a6e38faac5b43a7da43a8454b74",
        "9d9c19d88a689b76a4b97e8694ef8d20cb0f1b192bbd05a0d5649c91f0cb6ef4",
        "3040b6bc0ddfff3757d55f514becf0b1b6b2e382114bfb0bc900dbcbb58fca17",
        "52373862971060e366829930332acabaa90cc6f41019c52bf6c92e4c22f8f093",
        "07847ea94e8b19970cf86731f19869aac0c56310d27f687d0feb9553d7525dd6",
        "262573079c8b1f4bc043d32edd3d23a6c36f1d7258efe60c11a6197ba0eee560",
        "d6c6a2163aeadd103ae386e800e473d2388da866f3f464199180d9b0e2f7d6cc",
        "9d236d0cf723871d88dea567afe92d50c11d0ffba280349a5cc7f5f2ea42202f",
    ),
    "citeseer": (
        "31d483e4c9cbdd031c35e284fbda3935bfda6901b8618e4ef0381af5b9143582",
        "1e02e3220676a90715b5a868b207dc19f49e5bc13ef1e8a8c8305fb46e028659",
        "910ce9d1a9c12f2ce84486fa7d1953d560c2cf57f9e0c213a4ae362ca56bff77",
        "e8c84d2e0099b3c0d692a68126c03370579f0cd83c0dab42b25a0fb3b94cb2c6",
        "a45c9e6b4abe527499a1a1bf545063cdc910c82ef4676f1ef4e483bb77712c8e",
        "fc0f6091daab2b0f37a3522dbc60052d9bce4209e7c06482f6beb61a4ed442b9",
        "c99f610ff84bf5f5c3fe71b548c3cdf9c9bf02185d0152432b290877df1c4a3b",
        "26bb7e5ea3aed014df5765af845fae70db9cdbb8875c46fc89cc4d6d042fb182",
        "f8efadce7a3732ac39ec6625f591c9ed0b4222d95257f25f2a05ad5518e4a7eb",
        "d9e586dad1886b3e1fdf3999140a192bb0cacea67c7849262ec862b8e7286cdf",
    ),
    "pubmed": (
        "a15825b5bf77ffd2e9179e354f455bb9a6f8c4886cb28796688a38d45d75bdc9",
        "51f2349156410d851859ff4858ecd401d05d024f1a3936250dd8e844a6fd527b",
        "d94a2a3d607f23d7dc88dabb966db7c7da187e0a2af3c848d88ab0c5452c4a2b",
        "62c389ddac567fcd25654db846fc693973c69cddf083f5495d33b592a768515e",
        "3b2bbeb2f4bbee257bb4c626c15c3e3dd0e9da6ed23bf16f6ac520b95e18f84d",
        "23aea01576f71aa165cd70564fb53b3f158d1ff71c1227e062797870fe130551",
        "9122bd4e8e42cab8d33e952693d18d0f49c5f11327b922baefb81228ee903c44",
        "958706e960939c716a5204671c08399864600ce82094755b2e61975137ccfae9",
        "764dd33802022d7ab2595f08f21b424e83007aceeb5f85c9403c74bf791f56f6",
        "b9d4b4362fc02751c168f68f4120ab2fb516f4c84d447571653f1cd692946a66",
    ),
}

_CORNELL = {
    "out1_graph_edges.txt": "c4522a00cc40873c8a04a3a07c49e24a48a507eb284ac9c9f2d3e0590351bbb7",
    "out1_node_feature_label.txt": "cf5a3ca346cdd1210b8342e22517fcbbdae658065b7a3145f59350e50e6236a3",  # that of Texas
    "cornell_split_0.6_0.2_0.npz": "14022a1e19ec7fc0a07a2c06a785a2f9dc52809dbcd1c14fc318f7800675d73f",
    "cornell_split_0.6_0.2_1.npz": "5568fa27e968a724c92211bf97026a36a08893cf94b218043e49b4c973c35cfb",
    "cornell_split_0.6_0.2_2.npz": "763fc1f423395e4172617fa5b6bc0d7adad2241e5fedd1a4f0a098a67f9dc8e9",
    "cornell_split_0.6_0.2_3.npz": "4334321cd9ec42de9d51107fb9a6dc310512e0921bc1cff0f390301ee37315fa",
    "cornell_split_0.6_0.2_4.npz": "2b6b3ef396f4dc7fcdc276fb16b88bb87409b25879dd672b3a506eca844dd8d7",
    "cornell_split_0.6_0.2_5.npz": "1a40ef8b20aa9e1aa850e1abdaba3efac1f66c98ef2c6a59eadefa21136ece6b",
    "cornell_split_0.6_0.2_6.npz": "bcddf4ab59eae4c7d47b8a6cec9025a54ec0e6d3f3bdcd7678e201f25ace4642",
    "cornell_split_0.6_0.2_7.npz": "2b497e12dfc123d7e7c9bb4fc4a82b5bee18409e109a3e3a04da439cacec964d",
    "cornell_split_0.6_0.2_8.npz": "5c4e110d252d7ad156b2e4cd34b6dbd1cecbcc1755f8d72e932cc2a54f2b643c",
    "cornell_split_0.6_0.2_9.npz": "80f1531807194d301affbf6f879a4ab4f56a19bdccb62d192e3ecd1b5275f052",
}


def _cornell_file(name: str) -> DataFile:
    place = "new_data/cornell" if name.startswith("out1_") else "splits"
    return DataFile(f"WebKB/cornell/raw/{name}", _CORNELL[name], f"{_PAGE}/raw/master/{place}/{name}")


def _entry(graph: DatasetEntry, remark: str) -> DatasetEntry:
    names = [f"{graph.name}_split_0.6_0.2_{split}.npz" for split in range(len(_CHECKSUMS[graph.name]))]
    splits = tuple(
        DataFile(f"geom_gcn_splits/{name}", checksum, f"{_PAGE}/raw/master/splits/{name}")
        for name, checksum in zip(names, _CHECKSUMS[graph.name], strict=True)
    )
    statement = (
        f"The ten 48/32/20 % splits of Geom-GCN, whose files are named 0.6/0.2. {TEN_SPLITS} {remark}The whole graph is in "
        "message passing, features are row-normalized (each node's sum to 1)."
    )
    return DatasetEntry(
        f"{graph.name}-geom",
        f"{graph.summary}; ten splits of 48/32/20 %",
        {"node": Protocol(statement, ACCURACY[0], ACCURACY)},
        f"{graph.source}; splits of Pei et al., Geom-GCN, ICLR 2020 (arXiv:2002.05287)",
        _PAGE,
        "",
        (*splits, *graph.files),
        reader="graphkit.data.readers.planetoid:read_geom_split",
        row_normalized=True,
    )


_REMARKS = {
    "cora": "They hold the 2,485 papers of the largest component. ",
    "citeseer": "Splits 4 and 5 hold the largest component alone; the 15 papers without label are in none, as in NSD's code. ",
    "pubmed": "",
}

ENTRIES = (
    *(_entry(graph, _REMARKS[graph.name]) for graph in planetoid.ENTRIES),
    DatasetEntry(
        "cornell-geom-gcn",
        "Cornell as Geom-GCN publishes it: 183 web pages, Cornell's 277 links under Texas' 1,703 words and 5 classes",
        {
            "node": Protocol(
                f"{GEOM_SPLITS} {TEN_SPLITS} {WHOLE_GRAPH} {ROW_NORMALIZED} Geom-GCN's file of words and classes for Cornell "
                "is that of Texas, byte for byte, so that links and words do not belong together. Figures for Cornell "
                "from these files, which PyG's WebKB reads too, belong here; dataset=cornell is Cornell's own pages.",
                ACCURACY[0],
                ACCURACY,
            )
        },
        WEBKB,
        _PAGE,
        "",
        tuple(_cornell_file(name) for name in _CORNELL),
        reader="graphkit.data.readers.webkb:read",
        row_normalized=True,
    ),
)
