"""Graphs with planted motifs, and molecules with marked bonds, against loops over what their files say."""

from __future__ import annotations

import pickle
import zipfile
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import networkx
import numpy as np
import pytest
import torch

from graphkit.data import load
from graphkit.data.readers.motifs import read_motifs
from graphkit.data.readers.tu import read_with_truth
from graphkit.errors import DataError
from tests.data.oracle import check_graph
from tests.data.readers.test_tu import write

EDGES = [(0, 1), (1, 2), (2, 3), (3, 1), (0, 4)]
MOTIF = [(1, 2), (2, 3), (1, 3)]


def arrays() -> list[np.ndarray]:
    adjacency, motifs = np.zeros((5, 5)), np.zeros((5, 5))
    for u, v in EDGES:
        adjacency[u, v] = adjacency[v, u] = 1.0
    for u, v in MOTIF:
        motifs[u, v] = 1.0
    one_hot = np.eye(3)[[0, 2, 2, 1, 0]]
    masks = [np.array([1, 1, 0, 1, 0], bool), np.array([0, 0, 1, 0, 0], bool), np.array([0, 0, 0, 0, 1], bool)]
    return [adjacency, np.arange(10.0).reshape(5, 2), *(one_hot * mask[:, None] for mask in masks), *masks, motifs]


def archive(folder: Path, content: object) -> Path:
    path = folder / "sets.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("one.pkl", pickle.dumps(content, protocol=3).replace(b"numpy._core", b"numpy.core"))
    return path


def test_a_graph_with_a_motif(tmp_path: Path):
    graph, splits = read_motifs(archive(tmp_path, tuple(arrays())), "one.pkl")
    check_graph(graph.edge_index, 5)
    assert graph.y is not None and graph.x is not None and graph.edge_truth is not None
    assert graph.y.tolist() == [0, 2, 2, 1, 0] and graph.x.tolist()[3] == [6.0, 7.0]
    true = {tuple(edge) for edge, known in zip(graph.edge_index.t().tolist(), graph.edge_truth.tolist(), strict=True) if known}
    assert true == {*MOTIF, *((v, u) for u, v in MOTIF)} and graph.edge_index.size(1) == 2 * len(EDGES)
    assert {name: nodes.tolist() for name, nodes in splits.items()} == {"train": [0, 1, 3], "valid": [2], "test": [4]}


class Harmful:
    def __reduce__(self):
        return print, ("executed",)


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found[:8],
        lambda found: [Harmful()],
        lambda found: [np.triu(found[0]), *found[1:]],
        lambda found: [*found[:8], 1 - found[0]],
        lambda found: [found[0], found[1][:4], *found[2:]],
        lambda found: [*found[:5], found[5] | found[6], *found[6:]],
        lambda found: [*found[:2], found[2] * 0, *found[3:]],
    ],
)
def test_what_is_no_such_file_is_refused_and_never_executed(change, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(DataError, match=r"sets.zip"):
        read_motifs(archive(tmp_path, tuple(change(arrays()))), "one.pkl")
    assert capsys.readouterr().out == ""
    with pytest.raises(DataError, match=r"sets.zip"):
        read_motifs(archive(tmp_path, tuple(arrays())), "other.pkl")


def truth_of(folder: Path, marks: str):
    raw = folder / "X" / "raw"
    raw.mkdir(parents=True)
    write(raw, A="1,2\n2,1\n2,3\n3,2\n1,3\n5,4\n", edge_labels=None)
    (folder / "truth.txt").write_text(marks)
    files = [SimpleNamespace(path="X/raw/X_A.txt"), SimpleNamespace(path="truth.txt")]
    return read_with_truth(SimpleNamespace(root=folder, entry=SimpleNamespace(files=files), first_file=lambda: raw / "X_A.txt"))


def test_marked_bonds_are_true_in_both_directions(tmp_path: Path):
    graphs = truth_of(tmp_path, "0\n0\n1\n1\n1\n0\n").graphs
    assert graphs.edge_index.t().tolist() == [[0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1], [3, 4], [4, 3]]
    assert graphs.edge_truth.tolist() == [False, True, False, True, True, True, False, False]


@pytest.mark.parametrize("marks", ["0\n1\n", "0\n1\n0\n2\n0\n0\n", "0,1\n" * 6])
def test_marks_that_do_not_fit_the_edges_are_refused(marks: str, tmp_path: Path):
    with pytest.raises(DataError, match=r"truth.txt"):
        truth_of(tmp_path, marks)


SHAPES = {
    "ba-shapes": (700, 2055, 80, (5, 6)),
    "ba-community": (1400, 4460, 160, (5, 6)),
    "tree-cycles": (871, 971, 60, (6, 6)),
    "tree-grid": (1231, 1565, 80, (9, 12)),
}


@pytest.mark.data
@pytest.mark.parametrize("name", SHAPES)
def test_published_motifs_are_whole_and_apart(name: str):
    nodes, edges, motifs, shape = SHAPES[name]
    dataset = load(name, task="node")
    graph = dataset.graph
    assert (graph.num_nodes, graph.edge_index.size(1) // 2) == (nodes, edges)
    planted = networkx.Graph(graph.edge_index[:, graph.edge_truth].t().tolist())
    pieces = [planted.subgraph(part) for part in networkx.connected_components(planted)]
    assert Counter((len(piece), piece.number_of_edges()) for piece in pieces) == {shape: motifs}
    named = [dataset.class_names[label] for label in graph.y.tolist()]
    outside = {named[node] for node in range(nodes) if node not in planted}
    assert outside <= {"base", "base 1", "base 2", "tree"} and not outside & {named[node] for node in planted}
    if name.startswith("ba"):
        for node in planted:
            role = named[node].split()[0]
            around = Counter(named[other].split()[0] for other in planted[node])
            assert around == {"top": {"middle": 2}, "bottom": {"middle": 1, "bottom": 1}}.get(
                role, {"middle": 1, "top": 1, "bottom": 1}
            )
    assert sum(part.numel() for part in dataset.splits.values()) == nodes


@pytest.mark.data
def test_published_ground_truth_of_mutagenicity():
    dataset, plain = load("mutagenicity-truth", task="graph"), load("mutagenicity", task="graph")
    graphs = dataset.graphs
    assert torch.equal(graphs.edge_index, plain.graphs.edge_index) and torch.equal(graphs.x, plain.graphs.x)
    assert torch.equal(dataset.splits["test"], plain.splits["test"]) and plain.graphs.edge_truth is None
    truth = graphs.edge_truth
    back = {tuple(edge): known for edge, known in zip(graphs.edge_index.t().tolist(), truth.tolist(), strict=True)}
    assert all(known == back[v, u] for (u, v), known in back.items())
    ends = graphs.edge_index[:, truth]
    marked = graphs.x.argmax(dim=1)[ends].sort(dim=0).values.unique(dim=1).t().tolist()
    assert marked == [[1, 4], [3, 4]]  # O-N and H-N
    graph = torch.searchsorted(graphs.ptr, ends[0], right=True) - 1
    assert dataset.class_names == ("0", "1") and graphs.y[graph].bincount().tolist() == [5708, 1644]  # mutagenic, not mutagenic
