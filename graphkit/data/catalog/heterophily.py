"""Graphs whose edges often join different classes, in the archives of Platonov et al.: ten splits each."""

from __future__ import annotations

from graphkit.data.catalog.entries import DataFile, DatasetEntry, Protocol
from graphkit.data.catalog.shared import ACCURACY, ROC_AUC, ROW_NORMALIZED, TEN_SPLITS, WEBKB, WHOLE_GRAPH

_PAGE = "https://github.com/yandex-research/heterophilous-graphs"
_PLATONOV = "Platonov et al., A Critical Look at the Evaluation of GNNs under Heterophily, ICLR 2023 (arXiv:2302.11640)"
_ACTOR = "Tang et al., Social Influence Analysis in Large-Scale Networks, KDD 2009; splits of Pei et al., Geom-GCN, ICLR 2020"
_WIKIPEDIA = (
    "Rozemberczki, Allen, Sarkar, Multi-Scale Attributed Node Embedding, J. Complex Networks 2021 (arXiv:1909.13021); splits "
    "of Pei et al., Geom-GCN, ICLR 2020"
)
_OWN_LAYOUT = ("minesweeper", "tolokers", "roman-empire", "amazon-ratings", "questions")
"""Those of which torch-geometric has a loader, with folders of its own."""

_CHECKSUMS = {
    "texas": "b164b99e6c3d43e4ab07488ec59bd8c815f90cbc1bd4cf425ce587d2b534d844",
    "texas-4-classes": "2da438ba7f41fd82e0953e2c9f63ef18e5a58da51ae6369cb5f5010bdf0e67bd",
    "wisconsin": "2543c89838cfc75f737f7c4664cc1d097f8268602c20b2d1bd4f21407df9c074",
    "cornell": "684c54ba3daa13b0ba1f04a3d6dd1b1175c1ae9bdeb982851fd4ff96d3aac298",
    "actor": "c350eef06b2c2a9bf8218be2b57cac6d4003d0922eb597a039e9123f75817816",
    "chameleon": "4c640bd2877fc4f9f101531e2f977bc16445a54e09a5cb01178df608e552f3fd",
    "chameleon-directed": "34aea6b6888063544232100d53d4aa7e87e37953ec8dd3a7092afb25bb2f0328",
    "chameleon-filtered": "bf46f07e1fb5249280447e5fe3100f3e82fc4b93ad1e13ffcfdec924b6ac0bb5",
    "chameleon-filtered-directed": "5a2d40701407188f1661d37a326484b49cc15251e0dedaa7bd380873dac80f21",
    "squirrel": "d436e3b42c0546b105241c0ab0766097074e68e55f67b133eeb9b0162e55cbd9",
    "squirrel-directed": "3f0436486716cf77b651c372e54f6b4c2cc52262e7faeeab584a34b41bae2616",
    "squirrel-filtered": "f06370ffb3116c5de8b7a600005400b2293c025e0ce2f6916d8201a825505ac7",
    "squirrel-filtered-directed": "0526e53252f0b052124f7390829c32e923d432acaf64206191a1144a07b39620",
    "minesweeper": "e664c8dacf1e8ac466c2c09ed4b237bd2c5541f47a6eae9c6092cb87f16412b3",
    "tolokers": "dacf3ac94cec53d03cd2adb5255c08b33dee1656c33ca8164a464bd9450a1667",
    "roman-empire": "1f9bae5e95b28e529015269e98acb237b65d8d3b",  # git's id
    "amazon-ratings": "29647a8b0ff0ef856d73d683a8c3595bd5efbd38",  # git's id
    "questions": "4c7cb65057dbc9771af00fdfdee64a41b3875079",  # git's id
}

_DIRECTED = "The whole graph is in message passing; edges keep their direction, published self-loops stay."
_AS_PUBLISHED = "Features as published (not row-normalized)."
_TWINS = (
    "Beware: about {} % of the test nodes have a twin in training, of the same neighbors and label; "
    "{}-filtered is without them."
)


def _entry(
    name: str,
    summary: str,
    source: str,
    shares: str,
    metrics: tuple[str, ...] = ACCURACY,
    *,
    row_normalized: bool = False,
    remark: str = "",
) -> DatasetEntry:
    directed = name.endswith("-directed")
    file = f"{name.replace('-', '_')}.npz"
    folder = f"HeterophilousGraphDataset/{file.removesuffix('.npz')}/raw" if name in _OWN_LAYOUT else "heterophilous_npz"
    sentences = (
        f"Ten published splits of {shares} %. {TEN_SPLITS}",
        _DIRECTED if directed else WHOLE_GRAPH,
        ROW_NORMALIZED if row_normalized else _AS_PUBLISHED,
        remark,
    )
    return DatasetEntry(
        name,
        summary,
        {"node": Protocol(" ".join(filter(None, sentences)), metrics[0], metrics)},
        source,
        _PAGE,
        "MIT",
        (DataFile(f"{folder}/{file}", _CHECKSUMS[name], f"{_PAGE}/raw/main/data/{file}"),),
        reader="graphkit.data.readers.heterophily:read",
        directed=directed,
        row_normalized=row_normalized,
    )


_GEOM = "48/32/20"
_ABOUT = "about 48/32/20"
_HALF = "50/25/25"

ENTRIES = (
    _entry(
        "texas",
        "183 web pages, 279 links, 1,703 words, 5 classes",
        WEBKB,
        _GEOM,
        row_normalized=True,
        remark="One class has a single page, which four of the splits have in validation or test.",
    ),
    _entry(
        "texas-4-classes",
        "183 web pages, 279 links, 1,703 words, 4 classes; Texas without the class that has a single page",
        _PLATONOV,
        _GEOM,
        row_normalized=True,
        remark="The page of the fifth class is in the graph, unlabeled and in no split.",
    ),
    _entry("wisconsin", "251 web pages, 450 links, 1,703 words, 5 classes", WEBKB, _GEOM, row_normalized=True),
    _entry(
        "cornell",
        "183 web pages, 277 links, 1,703 words, 5 classes; Cornell's own pages, unlike cornell-geom-gcn",
        WEBKB,
        _GEOM,
        row_normalized=True,
        remark="Words and classes are Cornell's own. Beware: figures published for Cornell are mostly of Geom-GCN's files, "
        "where they are those of Texas: dataset=cornell-geom-gcn.",
    ),
    _entry("actor", "7,600 actors, 26,659 shared pages, 932 words, 5 classes (film)", _ACTOR, _GEOM, row_normalized=True),
    _entry(
        "chameleon",
        "2,277 Wikipedia pages, 31,371 links, 2,325 words, 5 levels of traffic; with twins, not filtered",
        _WIKIPEDIA,
        _GEOM,
        row_normalized=True,
        remark=_TWINS.format(50, "chameleon"),
    ),
    _entry(
        "chameleon-directed",
        "chameleon with 36,101 directed links, 50 of them self-loops; with twins, not filtered",
        _WIKIPEDIA,
        _GEOM,
        row_normalized=True,
        remark=_TWINS.format(50, "chameleon"),
    ),
    _entry("chameleon-filtered", "890 pages of chameleon without twins, 8,854 links", _PLATONOV, _ABOUT),
    _entry(
        "chameleon-filtered-directed",
        "chameleon-filtered with 13,584 directed links, 50 of them self-loops",
        _PLATONOV,
        _ABOUT,
    ),
    _entry(
        "squirrel",
        "5,201 Wikipedia pages, 198,353 links, 2,089 words, 5 levels of traffic; with twins, not filtered",
        _WIKIPEDIA,
        _GEOM,
        row_normalized=True,
        remark=_TWINS.format(40, "squirrel"),
    ),
    _entry(
        "squirrel-directed",
        "squirrel with 217,073 directed links, 140 of them self-loops; with twins, not filtered",
        _WIKIPEDIA,
        _GEOM,
        row_normalized=True,
        remark=_TWINS.format(40, "squirrel"),
    ),
    _entry("squirrel-filtered", "2,223 pages of squirrel without twins, 46,998 links", _PLATONOV, _ABOUT),
    _entry(
        "squirrel-filtered-directed",
        "squirrel-filtered with 65,718 directed links, 140 of them self-loops",
        _PLATONOV,
        _ABOUT,
    ),
    _entry("minesweeper", "10,000 cells, 39,402 adjacencies, 7 features; mine or not", _PLATONOV, _HALF, ROC_AUC),
    _entry("tolokers", "11,758 workers, 519,000 shared tasks, 10 features; banned or not", _PLATONOV, _HALF, ROC_AUC),
    _entry("roman-empire", "22,662 words of an article, 32,927 dependencies, 300 features, 18 roles", _PLATONOV, _HALF),
    _entry("amazon-ratings", "24,492 products, 93,050 joint purchases, 300 features, 5 levels of rating", _PLATONOV, _HALF),
    _entry("questions", "48,921 users, 153,540 answers, 301 features; active or not", _PLATONOV, _HALF, ROC_AUC),
)
