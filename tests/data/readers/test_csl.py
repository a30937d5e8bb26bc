import pickle
from pathlib import Path

import networkx
import numpy as np
import pytest
import torch

from graphkit.data.readers.csl import read_csl
from graphkit.errors import DataError
from tests.data.oracle import check_graph


class OldMatrix:
    """What scipy pickled of a `coo_matrix` at that time."""

    def __init__(self, matrix: np.ndarray) -> None:
        self._shape, self.data = matrix.shape, matrix[matrix.nonzero()]
        self.row, self.col = (ids.astype(np.int32) for ids in matrix.nonzero())


def files(tmp_path: Path, labels: object = None, test: str = "1", matrix: np.ndarray | None = None) -> tuple:
    ring, path = np.eye(3, k=1) + np.eye(3, k=-1) + np.eye(3), np.eye(2, k=1) + np.eye(2, k=-1)
    given = [OldMatrix(ring), OldMatrix(path if matrix is None else matrix)]
    data = pickle.dumps(given, protocol=3).replace(f"c{__name__}\nOldMatrix\n".encode(), b"cscipy.sparse.coo\ncoo_matrix\n")
    (tmp_path / "graphs.pkl").write_bytes(data.replace(b"cnumpy._core.", b"cnumpy.core."))
    torch.save(torch.tensor([1, 0]) if labels is None else labels, tmp_path / "y.pt")
    for name, text in {"train": "0\n0", "valid": "0\n1", "test": f"0\n{test}"}.items():
        (tmp_path / name).write_text(text + "\n")
    return tmp_path / "graphs.pkl", tmp_path / "y.pt", {name: tmp_path / name for name in ("train", "valid", "test")}, 1


def test_graphs_and_a_split(tmp_path: Path) -> None:
    graphs, splits = read_csl(*files(tmp_path))
    assert graphs.ptr.tolist() == [0, 3, 5] and graphs.y.tolist() == [1, 0] and graphs.x is None
    assert graphs.edge_index.T.tolist() == [[0, 1], [1, 0], [1, 2], [2, 1], [3, 4], [4, 3]]
    assert {name: ids.tolist() for name, ids in splits.items()} == {"train": [0], "valid": [1], "test": [1]}


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": torch.tensor([1, 0, 1])},
        {"labels": torch.tensor([1.0, 0.0])},
        {"labels": torch.tensor([-1, 0])},
        {"labels": [1, 0]},
        {"test": "2"},
        {"test": "0,0"},
        {"test": "x"},
        {"matrix": np.ones((2, 3))},
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, changes: dict) -> None:
    with pytest.raises(DataError, match="is damaged"):
        read_csl(*files(tmp_path, **changes))


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    graphs, labels, splits, number = files(tmp_path)
    with pytest.raises(DataError, match="is damaged"):
        read_csl(graphs, labels, splits, 2)  # there are two lines
    labels.write_bytes(pickle.dumps(Path("x"), protocol=2))
    with pytest.raises(DataError, match=r"y\.pt is damaged"):
        read_csl(graphs, labels, splits, number)
    graphs.write_bytes(b"no pickle")
    with pytest.raises(DataError, match=r"graphs\.pkl is damaged"):
        read_csl(graphs, labels, splits, number)


@pytest.mark.data("GNNBenchmarkDataset")
def test_real_graphs_are_circular_skip_links(data_root: Path) -> None:
    raw, index = data_root / "GNNBenchmarkDataset/CSL/raw", data_root / "GNNBenchmarkDataset/CSL_splits"
    names = {"train": index / "CSL_train.index", "valid": index / "CSL_val.index", "test": index / "CSL_test.index"}
    tested = []
    for number in range(5):
        graphs, splits = read_csl(
            raw / "graphs_Kary_Deterministic_Graphs.pkl", raw / "y_Kary_Deterministic_Graphs.pt", names, number
        )
        assert sorted(torch.cat(list(splits.values())).tolist()) == list(range(150))
        assert all(graphs.y[ids].bincount().unique().numel() == 1 for ids in splits.values())
        tested += splits["test"].tolist()
    assert sorted(tested) == list(range(150)) and graphs.sizes.unique().tolist() == [41]
    check_graph(graphs.edge_index, 150 * 41)
    skips = (2, 3, 4, 5, 6, 9, 11, 12, 13, 16)
    for label, skip in enumerate(skips):
        graph = int((graphs.y == label).nonzero()[0])
        own = graphs.edge_index[:, int(graphs.edge_ptr[graph]) : int(graphs.edge_ptr[graph + 1])] - graphs.ptr[graph]
        assert networkx.is_isomorphic(networkx.Graph(own.T.tolist()), networkx.circulant_graph(41, [1, skip]))
