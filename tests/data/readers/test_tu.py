"""TU collections against plain loops over the lines of their files."""

import csv
from collections import Counter
from pathlib import Path

import pytest
import torch

from graphkit.data.readers.tu import read_folds, read_tu
from graphkit.errors import DataError

FILES = {
    "A": "2, 1\n1, 2\n2,3\n3, 2\n3,3\n5, 4\n4, 5\n4,5\n",
    "graph_indicator": "1\n1\n1\n2\n2\n3\n",
    "graph_labels": "5\n-1\n5\n",
    "node_labels": "7\n0\n7\n3\n0\n0\n",
    "edge_labels": "1\n1\n4\n4\n9\n1\n1\n1\n",
    "node_attributes": "0.5, 1\n1,2\n-1,3\n0,4\n0,5\n0,6e-1\n",
}


def write(tmp_path: Path, **changes: str | None) -> Path:
    for part, text in {**FILES, **changes}.items():
        if text is not None:
            (tmp_path / f"X_{part}.txt").write_text(text)
    return tmp_path


def test_a_collection(tmp_path: Path) -> None:
    graphs, classes = read_tu(write(tmp_path), "X")
    assert graphs.ptr.tolist() == [0, 3, 5, 6] and graphs.sizes.tolist() == [3, 2, 1] and classes == ("-1", "5")
    assert graphs.y.tolist() == [1, 0, 1]
    assert graphs.edge_index.T.tolist() == [[0, 1], [1, 0], [1, 2], [2, 1], [3, 4], [4, 3]]
    assert graphs.edge_ptr.tolist() == [0, 4, 6, 6]
    assert graphs.x is not None and graphs.x.tolist() == [[0, 0, 1], [1, 0, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0], [1, 0, 0]]
    # The self-loop's label has a column, although the loop is dropped.
    assert graphs.edge_attr is not None
    assert graphs.edge_attr.tolist() == [[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0], [1, 0, 0], [1, 0, 0]]


def test_attributes_stand_after_the_labels(tmp_path: Path) -> None:
    graphs, _ = read_tu(write(tmp_path), "X", attributes=True)
    assert graphs.x is not None and graphs.x.shape == (6, 5)
    assert torch.allclose(graphs.x[:, 3:], torch.tensor([[0.5, 1], [1, 2], [-1, 3], [0, 4], [0, 5], [0, 0.6]]))


def test_numbers_to_predict(tmp_path: Path) -> None:
    graphs, classes = read_tu(write(tmp_path, graph_labels=None, graph_attributes="1,2.5\n0,-1\n3,4\n"), "X")
    assert graphs.y.tolist() == [[1, 2.5], [0, -1], [3, 4]] and classes == ()


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("A", "1,4\n"),  # two graphs
        ("A", "0,1\n"),
        ("A", "1,7\n"),
        ("A", "1,2,3\n"),
        ("A", "1,2\n3\n"),
        ("A", "1,2,\n3\n"),
        ("A", "1,x\n"),
        ("A", "1 2\n2 1\n"),
        ("A", ""),
        ("graph_indicator", "1\n1\n1\n3\n3\n3\n"),
        ("graph_indicator", "2\n2\n2\n3\n3\n3\n"),
        ("graph_indicator", "1\n1\n2\n1\n2\n3\n"),
        ("graph_labels", "1\n2\n"),
        ("graph_labels", "1\n2\n1.5\n"),
        ("node_labels", "1\n" * 5),
        ("edge_labels", "1\n" * 7),
        ("edge_labels", "1\n2\n4\n4\n9\n1\n1\n1\n"),  # the directions of an edge differ
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, part: str, text: str) -> None:
    with pytest.raises(DataError, match="is damaged|is listed twice with different features"):
        read_tu(write(tmp_path, **{part: text}), "X")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="graph_labels.txt is damaged"):
        read_tu(write(tmp_path, graph_labels=None), "X")


def test_folds(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("3\n0\n")
    (tmp_path / "b").write_text("1\n")
    assert [fold.tolist() for fold in read_folds(tmp_path, ["a", "b"], 4)] == [[0, 3], [1]]
    for text in ("3\n", "4\n", "-1\n", "2\n2\n", ""):
        (tmp_path / "b").write_text(text)
        with pytest.raises(DataError, match="b is damaged"):
            read_folds(tmp_path, ["a", "b"], 4)


@pytest.mark.data("TUDataset", "TU_10fold_idx")
@pytest.mark.parametrize(
    ("name", "folds", "counts"),
    [
        ("MUTAG", "", (188, 3_371, 7_442, 7, 4, 2)),
        ("PROTEINS", "PROTEINS", (1_113, 43_471, 162_088, 3, 0, 2)),
        ("NCI1", "NCI1", (4_110, 122_747, 265_506, 37, 0, 2)),
        ("IMDB-BINARY", "IMDBBINARY", (1_000, 19_773, 193_062, 0, 0, 2)),
        ("Mutagenicity", "", (4_337, 131_488, 266_894, 14, 3, 2)),
    ],
)
def test_real_files_against_a_plain_loop(name: str, folds: str, counts: tuple[int, ...], data_root: Path) -> None:
    folder = data_root / "TUDataset" / name / "raw"
    graphs, classes = read_tu(folder, name)
    widths = [0 if one is None else one.shape[1] for one in (graphs.x, graphs.edge_attr)]
    assert (graphs.num_graphs, graphs.num_nodes, graphs.edge_index.shape[1], *widths, len(classes)) == counts
    with (folder / f"{name}_A.txt").open(newline="") as file:
        edges = {(int(row[0]) - 1, int(row[1]) - 1) for row in csv.reader(file)}
    assert [tuple(edge) for edge in graphs.edge_index.T.tolist()] == sorted(edges)
    indicator = [int(line) for line in (folder / f"{name}_graph_indicator.txt").read_text().split()]
    assert graphs.sizes.tolist() == [size for _, size in sorted(Counter(indicator).items())]
    labels = [int(line) for line in (folder / f"{name}_graph_labels.txt").read_text().split()]
    assert [int(classes[label]) for label in graphs.y.tolist()] == labels
    if graphs.x is not None:
        nodes = [int(line) for line in (folder / f"{name}_node_labels.txt").read_text().split()]
        place = {label: place for place, label in enumerate(sorted(set(nodes)))}
        assert graphs.x.argmax(1).tolist() == [place[label] for label in nodes]
    if folds:
        names = [f"test_idx-{number}.txt" for number in range(1, 11)]
        parts = read_folds(data_root / "TU_10fold_idx" / folds, names, graphs.num_graphs)
        published = [{int(line) for line in (data_root / "TU_10fold_idx" / folds / one).read_text().split()} for one in names]
        assert [set(part.tolist()) for part in parts] == published
