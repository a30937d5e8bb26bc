import pickle
import shutil
import struct
from collections import OrderedDict, defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch

from graphkit.data import load
from graphkit.data.readers.pickles import read_pickle
from graphkit.data.readers.planetoid import read_geom_gcn, read_planetoid
from graphkit.errors import DataError
from tests.data.oracle import check_graph, check_link_split, pairs_of

PARTS = ("tx", "allx", "y", "ty", "ally", "graph", "test.index")


@pytest.mark.parametrize(("name", "folder"), [("cora", "Cora"), ("citeseer", "CiteSeer")])
@pytest.mark.data("Planetoid")
@pytest.mark.filterwarnings("ignore:dtype\\(\\)", "ignore:.*align should be passed")  # PyG's reader with NumPy 2.4
def test_equal_to_pyg(name, folder, data_root, tmp_path):
    from torch_geometric.datasets import Planetoid

    (tmp_path / folder / "raw").mkdir(parents=True)
    for part in ("x", *PARTS):
        shutil.copyfile(data_root / f"Planetoid/{folder}/raw/ind.{name}.{part}", tmp_path / f"{folder}/raw/ind.{name}.{part}")
    theirs = Planetoid(str(tmp_path), folder)[0]
    ours = load(name, task="node")
    assert torch.equal(ours.data.x, theirs.x) and ours.data.x.dtype == torch.float32
    assert torch.equal(ours.data.y, theirs.y)
    assert torch.equal(ours.data.edge_index, theirs.edge_index.flip(0))  # theirs is sorted by target
    for split, mask in (("train", theirs.train_mask), ("valid", theirs.val_mask), ("test", theirs.test_mask)):
        assert torch.equal(ours.splits[split], mask.nonzero().view(-1))


@pytest.mark.parametrize(("name", "sizes"), [("cora", (3696, 527, 1055, 1055)), ("citeseer", (3187, 455, 910, 910))])
@pytest.mark.data("Planetoid")
def test_ncns_link_protocol(name, sizes):
    whole = set(pairs_of(load(name, task="node").data.edge_index))
    first, again, other = (load(name, task="link", seed=seed) for seed in (0, 0, 1))
    check_link_split(first.data.edge_index, first.splits, whole, first.data.num_nodes)
    train, valid, held, test = sizes
    assert {part: pairs.positive.size(1) for part, pairs in first.splits.items()} == {
        "train": train,
        "valid": valid,
        "test": held,
    }
    assert first.splits["valid"].negative.size(1) == first.splits["test"].negative.size(1) == test
    assert first.metric == "hits@100" and "NCN's 70/10/20 protocol" in first.protocol and "not row-normalized" in first.protocol
    assert torch.equal(first.splits["test"].positive, again.splits["test"].positive)
    assert not torch.equal(first.splits["test"].positive, other.splits["test"].positive)


class csr_matrix:  # noqa: N801
    """Pickles under the name and with the attributes of a scipy matrix of 2016."""

    def __init__(self, dense):
        rows, columns = np.nonzero(dense)
        self.__dict__ = {
            "_shape": dense.shape,
            "data": dense[rows, columns].astype(np.float32),
            "indices": columns.astype(np.int32),
            "indptr": np.append(0, np.cumsum((dense != 0).sum(axis=1))).astype(np.int32),
        }


class OldPickler(pickle._Pickler):
    """Writes what Python 2 with the NumPy and scipy of 2016 wrote: bytes as plain strings, modules by their old names."""

    dispatch = dict(pickle._Pickler.dispatch)
    modules = {"numpy._core.multiarray": "numpy.core.multiarray", "builtins": "__builtin__", __name__: "scipy.sparse.csr"}

    def save_bytes(self, content):
        self.write(pickle.BINSTRING + struct.pack("<i", len(content)) + content)

    def save_global(self, value, name=None):
        module, name = value.__module__, name or value.__qualname__
        self.write(pickle.GLOBAL + f"{self.modules.get(module, module)}\n{name}\n".encode())

    dispatch[bytes] = save_bytes
    dispatch[type] = dispatch[type(len)] = dispatch[type(pytest.fixture)] = save_global


def write(path: Path, value) -> None:
    with path.open("wb") as file:
        OldPickler(file, protocol=2).dump(value)


@pytest.fixture
def small(tmp_path):
    """Seven nodes: four in allx, two for test in swapped order, and between those one without features."""
    rng = np.random.default_rng(0)
    x = (rng.random((6, 3)) < 0.6).astype(np.float32)
    classes = np.eye(2, dtype=np.int32)[[0, 1, 1, 0, 1, 1]]
    folder = tmp_path
    for part, rows in (("x", slice(0, 2)), ("allx", slice(0, 4)), ("tx", slice(4, 6))):
        write(folder / f"ind.toy.{part}", csr_matrix(x[rows]))
    for part, rows in (("y", slice(0, 2)), ("ally", slice(0, 4)), ("ty", slice(4, 6))):
        write(folder / f"ind.toy.{part}", classes[rows])
    graph = defaultdict(list, {0: [1, 6, 6], 1: [0, 1], 2: [3], 3: [2], 4: [2], 5: [], 6: [0]})
    write(folder / "ind.toy.graph", graph)
    (folder / "ind.toy.test.index").write_text("6\n4\n")
    return folder, x


def test_small_files_of_the_publishers_kind(small):
    folder, x = small
    data, splits = read_planetoid(folder, "toy")
    assert data.num_nodes == 7
    np.testing.assert_array_equal(data.x.numpy(), np.stack([*x[:4], x[5], np.zeros(3), x[4]]))
    assert data.y.tolist() == [0, 1, 1, 0, 1, 0, 1]  # node 5 has neither features nor label
    check_graph(data.edge_index, 7)
    assert set(pairs_of(data.edge_index)) == {frozenset(pair) for pair in ((0, 1), (0, 6), (2, 3), (2, 4))}
    assert splits["train"].tolist() == [0, 1] and splits["test"].tolist() == [4, 6]


def test_geom_gcns_split_of_small_files(small):
    folder, _ = small
    masks = {"train_mask": [1, 0, 0, 0, 0, 1, 0], "val_mask": [0, 1, 0, 0, 0, 0, 0], "test_mask": [0, 0, 0, 1, 1, 0, 0]}
    np.savez(folder / "split.npz", **{name: np.array(mask, dtype=np.uint8) for name, mask in masks.items()})
    data, splits = read_geom_gcn(folder, "toy", folder / "split.npz")
    assert data.y.tolist() == [0, 1, 1, 0, 1, -1, 1]
    assert {name: nodes.tolist() for name, nodes in splits.items()} == {"train": [0], "valid": [1], "test": [3, 4]}
    np.savez(folder / "split.npz", **{name: np.array(mask[:6]) for name, mask in masks.items()})
    with pytest.raises(DataError, match=r"split\.npz is damaged \(masks of 7 nodes were expected\)"):
        read_geom_gcn(folder, "toy", folder / "split.npz")


@pytest.mark.parametrize("part", PARTS)
def test_a_cut_or_empty_file_is_named(small, part):
    folder, _ = small
    path = folder / f"ind.toy.{part}"
    whole = path.read_bytes()
    for kept in (b"", whole[: len(whole) // 2]):
        path.write_bytes(kept)
        with pytest.raises(DataError, match="delete (it|them) and load again"):
            read_planetoid(folder, "toy")


class Stranger:
    def __reduce__(self):
        return (Path.touch, (Path("touched"),))


@pytest.mark.parametrize("value", [Stranger(), OrderedDict(), {"a": Stranger()}, print])
def test_a_pickle_names_only_what_it_may(tmp_path, monkeypatch, value):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "ind.cora.graph"
    path.write_bytes(pickle.dumps(value, protocol=2))
    with pytest.raises(DataError, match=r"ind\.cora\.graph is damaged \(it names .*, which has no place in this file\)"):
        read_pickle(path)
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("graph", [1, 2]),
        ("graph", {0: [9]}),
        ("graph", {0: ["a"]}),
        ("graph", {}),
        ("allx", [1.0]),
        ("ally", [1.0]),
        ("ally", np.zeros((9, 2))),
        ("ty", np.zeros(3)),
    ],
)
def test_contents_that_do_not_fit_are_refused(small, part, value):
    folder, _ = small
    write(folder / f"ind.toy.{part}", value)
    with pytest.raises(DataError, match="delete (it|them) and load again"):
        read_planetoid(folder, "toy")


def test_matrices_with_ids_out_of_range_are_refused(small):
    folder, x = small
    broken = csr_matrix(x[:4])
    broken.indices = broken.indices + 5
    write(folder / "ind.toy.allx", broken)
    with pytest.raises(DataError, match=r"allx is damaged"):
        read_planetoid(folder, "toy")
