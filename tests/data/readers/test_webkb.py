"""Geom-GCN's files of web pages, and which data sets share words or classes that they should not share."""

import hashlib
import shutil
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch

from graphkit.data import load
from graphkit.data.catalog import DATASETS
from graphkit.data.readers.heterophily import read_heterophilous
from graphkit.data.readers.webkb import read_webkb
from graphkit.errors import DataError
from tests.data.oracle import check_graph

PAGES = "node_id\tfeature\tlabel\n2\t0,1\t1\n0\t1,1\t0\n1\t0,0\t2\n"
LINKS = "node_id\tnode_id\n0\t1\n1\t0\n2\t2\n1\t2\n"
SPLIT = "cornell_split_0.6_0.2_0.npz"


def folder_of(tmp_path: Path, pages: str = PAGES, links: str = LINKS, nodes: int = 3) -> Path:
    (tmp_path / "out1_node_feature_label.txt").write_text(pages)
    (tmp_path / "out1_graph_edges.txt").write_text(links)
    masks = {name: np.arange(nodes) == node for node, name in enumerate(("train_mask", "val_mask", "test_mask"))}
    np.savez(tmp_path / SPLIT, **masks)
    return tmp_path


def test_a_graph_and_a_split(tmp_path: Path):
    data, splits = read_webkb(folder_of(tmp_path), tmp_path / SPLIT)
    check_graph(data.edge_index, 3)
    assert data.edge_index.T.tolist() == [[0, 1], [1, 0], [1, 2], [2, 1]]
    assert data.x.tolist() == [[1, 1], [0, 0], [0, 1]] and data.x.dtype == torch.float32 and data.y.tolist() == [0, 2, 1]
    assert {name: nodes.tolist() for name, nodes in splits.items()} == {"train": [0], "valid": [1], "test": [2]}


@pytest.mark.parametrize(
    "changes",
    [
        {"pages": PAGES.replace("2\t0,1\t1", "3\t0,1\t1")},
        {"pages": PAGES.replace("0,1", "0")},
        {"pages": PAGES.replace("0,1", "0,word")},
        {"pages": "node_id\tlabel\n0\t1\n1\t1\n2\t0\n"},
        {"links": LINKS + "0\t3\n"},
        {"links": LINKS + "-1\t0\n"},
        {"links": LINKS.replace("0\t1\n", "0\n")},
        {"nodes": 4},
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, changes: dict):
    with pytest.raises(DataError, match="is damaged .* delete it and load again"):
        read_webkb(folder_of(tmp_path, **changes), tmp_path / SPLIT)


@pytest.mark.filterwarnings("ignore:loadtxt. input contained no data")
def test_empty_and_missing_files_are_refused(tmp_path: Path):
    with pytest.raises(DataError, match="is damaged"):
        read_webkb(folder_of(tmp_path, pages="node_id\tfeature\tlabel\n"), tmp_path / SPLIT)
    with pytest.raises(DataError, match="is damaged"):
        read_webkb(tmp_path / "nowhere", tmp_path / SPLIT)


@pytest.mark.data("WebKB")
@pytest.mark.parametrize("name", ["texas", "wisconsin"])
def test_equal_to_pyg(name: str, data_root: Path, tmp_path: Path):
    from torch_geometric.datasets import WebKB

    raw = tmp_path / name / "raw"
    shutil.copytree(data_root / f"WebKB/{name}/raw", raw)
    theirs = WebKB(str(tmp_path), name)[0]
    for split in (0, 7):
        data, splits = read_webkb(raw, raw / f"{name}_split_0.6_0.2_{split}.npz")
        assert torch.equal(data.x, theirs.x) and torch.equal(data.y, theirs.y)
        for part, mask in (("train", theirs.train_mask), ("valid", theirs.val_mask), ("test", theirs.test_mask)):
            assert torch.equal(splits[part], mask[:, split].nonzero().view(-1))
    check_graph(data.edge_index, data.num_nodes)
    assert unordered(data.edge_index) == unordered(theirs.edge_index)


def unordered(edge_index: torch.Tensor) -> set[frozenset[int]]:
    return {frozenset(pair) for pair in edge_index.T.tolist() if pair[0] != pair[1]}


# ---------------------------------------------------------------------------------------------------------------- twins


def test_the_catalog_tells_the_two_cornells_apart():
    own, mixed = DATASETS["cornell"], DATASETS["cornell-geom-gcn"]
    assert "Cornell's own pages" in own.summary and "cornell-geom-gcn" in own.protocols["node"].statement
    assert "under Texas'" in mixed.summary and "that of Texas, byte for byte" in mixed.protocols["node"].statement
    digests = [
        file.checksum for entry in DATASETS.values() for file in entry.files if file.path.startswith("heterophilous_npz/")
    ]
    assert len(set(digests)) == len(digests)


@pytest.mark.data("WebKB")
def test_geom_gcns_words_and_classes_of_cornell_are_those_of_texas(data_root: Path):
    texas = (data_root / "WebKB/texas/raw/out1_node_feature_label.txt").read_bytes()
    checksums = {Path(file.path).name: file.checksum for file in DATASETS["cornell-geom-gcn"].files}
    assert checksums["out1_node_feature_label.txt"] == hashlib.sha256(texas).hexdigest()
    git = hashlib.sha1(b"blob %d\0" % len(texas) + texas).hexdigest()  # noqa: S324
    assert git == "b24f9e51ebfc1e3a975fd8be5310684af08fea7d"  # as in the publisher's repository, under both names


ALONE = ("texas", "wisconsin", "cornell", "actor", "chameleon", "squirrel")


@pytest.mark.data("heterophilous_npz")
def test_no_other_data_set_has_the_words_classes_or_links_of_another(data_root: Path):
    """`cornell` is compared where its file lies; it is not with the others."""
    digests: dict[str, dict[str, str]] = {}
    for name in ALONE:
        path = data_root / f"heterophilous_npz/{name}.npz"
        if path.exists() or name != "cornell":
            arrays = np.load(path)
            digests[name] = {
                part: hashlib.sha256(np.ascontiguousarray(arrays[part]).tobytes()).hexdigest()
                for part in ("node_features", "node_labels", "edges")
            }
    assert len(digests) >= 5
    for (one, first), (other, second) in combinations(digests.items(), 2):
        assert not set(first.values()) & set(second.values()), f"{one} and {other} share an array"


@pytest.mark.data("WebKB", "heterophilous_npz")
@pytest.mark.parametrize("name", ["texas", "wisconsin"])
def test_ours_are_the_files_that_published_figures_were_made_on(name: str, data_root: Path):
    """NSD's and most others' figures are of Geom-GCN's files; the archives of Platonov et al. hold the same graphs."""
    raw = data_root / f"WebKB/{name}/raw"
    for split in range(10):
        theirs, their_splits = read_webkb(raw, raw / f"{name}_split_0.6_0.2_{split}.npz")
        ours, our_splits = read_heterophilous(data_root / f"heterophilous_npz/{name}.npz", split, directed=False)
        assert all(torch.equal(getattr(ours, part), getattr(theirs, part)) for part in ("x", "y", "edge_index"))
        assert all(torch.equal(our_splits[part], their_splits[part]) for part in our_splits)


@pytest.mark.data("Actor", "heterophilous_npz")
def test_actor_is_the_data_that_published_figures_were_made_on(data_root: Path):
    raw = data_root / "Actor/raw"
    ours, splits = read_heterophilous(data_root / "heterophilous_npz/actor.npz", 4, directed=False)
    lines = [line.split("\t") for line in (raw / "out1_node_feature_label.txt").read_text().splitlines()[1:]]
    words = {int(node): {int(word) for word in given.split(",")} for node, given, _ in lines}
    assert {node: set(ours.x[node].nonzero().view(-1).tolist()) for node in words} == words and len(words) == 7600
    assert all(int(ours.y[int(node)]) == int(label) for node, _, label in lines)
    edges = np.loadtxt(raw / "out1_graph_edges.txt", dtype=np.int64, skiprows=1)
    assert unordered(ours.edge_index) == unordered(torch.from_numpy(edges.T))
    masks = np.load(raw / "film_split_0.6_0.2_4.npz")
    assert splits["test"].tolist() == np.flatnonzero(masks["test_mask"]).tolist()


@pytest.mark.data("WebKB")
def test_geom_gcns_cornell(data_root: Path):
    if not (data_root / "WebKB/cornell/raw/out1_graph_edges.txt").exists():
        pytest.skip("WebKB/cornell is not under GRAPHKIT_DATA")
    mixed = load("cornell-geom-gcn", task="node", root=data_root, seed=13)
    assert (mixed.data.num_nodes, mixed.data.edge_index.size(1), mixed.data.x.size(1)) == (183, 554, 1703)
    assert torch.bincount(mixed.data.y).tolist() == [33, 1, 18, 101, 30]
    assert torch.allclose(mixed.data.x.sum(1)[mixed.data.x.any(1)], torch.ones(1))
    masks = np.load(data_root / "WebKB/cornell/raw/cornell_split_0.6_0.2_3.npz")
    assert mixed.splits["test"].tolist() == np.flatnonzero(masks["test_mask"]).tolist()
