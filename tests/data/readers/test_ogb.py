import gzip
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from graphkit.data import load
from graphkit.data.catalog import DATASETS
from graphkit.data.readers.ogb import read_ddi, read_integers, read_split
from graphkit.errors import DataError


@pytest.fixture(scope="module")
def ddi():
    return load("ogbl-ddi", task="link")


@pytest.mark.data("ogbl_ddi")
def test_ddi_is_what_ogb_published(ddi):
    splits = ddi.splits
    assert ddi.data.num_nodes == 4267 and ddi.data.x is None
    assert {name: part.positive.shape for name, part in splits.items()} == {
        "train": (2, 1067911),
        "valid": (2, 133489),
        "test": (2, 133489),
    }
    assert splits["train"].negative is None
    assert splits["valid"].negative.shape == (2, 101882) and splits["test"].negative.shape == (2, 95599)


@pytest.mark.data("ogbl_ddi")
def test_only_training_edges_of_ddi_pass_messages(ddi):
    def numbers(pairs):
        low, high = np.sort(pairs.numpy(), axis=0)
        return low * 10_000 + high

    positives = np.concatenate([numbers(part.positive) for part in ddi.splits.values()])
    assert len(np.unique(positives)) == len(positives) == 1_334_889
    source, target = ddi.data.edge_index.numpy()
    assert (np.diff(source * 10_000 + target) > 0).all()  # sorted, no duplicates
    assert len(source) == 2 * 1_067_911
    train = np.sort(numbers(ddi.splits["train"].positive))
    for first, second in ((source, target), (target, source)):
        upwards = first < second
        assert np.array_equal(np.sort(first[upwards] * 10_000 + second[upwards]), train)
    for name in ("valid", "test"):
        assert not np.isin(numbers(ddi.splits[name].negative), positives).any()


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A folder in ogbl-ddi's layout with 6 nodes, as OGB would have written it."""
    monkeypatch.setattr("graphkit.data.readers.ogb._DDI_NODES", 6)
    monkeypatch.setattr("graphkit.data.readers.ogb._DDI_POSITIVES", {"train": 3, "valid": 1, "test": 1})
    monkeypatch.setattr("graphkit.data.readers.ogb._DDI_NEGATIVES", {"valid": 2, "test": 1})
    folder = tmp_path / "ogbl_ddi"
    (folder / "raw").mkdir(parents=True)
    (folder / "split/target").mkdir(parents=True)
    write(folder, "edge.csv.gz", "4,0\n1,2\n2,3\n")
    write(folder, "num-node-list.csv.gz", "6\n")
    write_split(folder, "train", edge=[[4, 0], [1, 2], [2, 3]])
    write_split(folder, "valid", edge=[[0, 1]], edge_neg=[[0, 2], [5, 1]])
    write_split(folder, "test", edge=[[3, 0]], edge_neg=[[4, 5]])
    return folder


def write(folder: Path, name: str, text: str) -> None:
    (folder / "raw" / name).write_bytes(gzip.compress(text.encode()))


def write_split(folder: Path, name: str, **arrays) -> None:
    path = folder / f"split/target/{name}.pt"
    torch.save({key: np.array(value) for key, value in arrays.items()}, path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes().replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))  # as NumPy 1 wrote it


def test_a_small_folder_in_ogbs_layout(small, monkeypatch):
    monkeypatch.setitem(sys.modules, "ogb", None)  # importing it fails
    data, splits = read_ddi(small)
    assert data.edge_index.tolist() == [[0, 1, 2, 2, 3, 4], [4, 2, 1, 3, 2, 0]]
    assert splits["train"].positive.tolist() == [[4, 1, 2], [0, 2, 3]]
    assert splits["valid"].negative.tolist() == [[0, 5], [2, 1]]


@pytest.mark.parametrize(
    ("name", "arrays", "says"),
    [
        ("train", {"edge": [[4, 0], [1, 2]]}, "3 integer pairs 'edge' expected"),
        ("train", {"edge": [[4, 0], [1, 2], [2, 5]]}, "the graph must be the training edges"),
        ("train", {}, "3 integer pairs 'edge' expected"),
        ("valid", {"edge": [[0, 6]], "edge_neg": [[0, 2], [5, 1]]}, "node ids of 'edge' from 0 to 5 expected"),
        ("valid", {"edge": [[0, 1]], "edge_neg": [[0, -1], [5, 1]]}, "node ids of 'edge_neg' from 0 to 5 expected"),
        ("valid", {"edge": [[0.0, 1.0]], "edge_neg": [[0, 2], [5, 1]]}, "is damaged"),
        ("valid", {"edge": [[2, 1]], "edge_neg": [[0, 2], [5, 1]]}, "disjoint splits expected"),
        ("test", {"edge": [[3, 0]], "edge_neg": [[1, 0]]}, "negatives that are no edges expected"),
    ],
)
def test_content_that_ogb_did_not_publish_is_refused(small, name, arrays, says):
    write_split(small, name, **arrays)
    with pytest.raises(DataError, match=says) as caught:
        read_ddi(small)
    assert str(small) in str(caught.value) and "delete it and load again" in str(caught.value)


def test_another_number_of_nodes_or_columns_is_refused(small):
    write(small, "num-node-list.csv.gz", "7\n")
    with pytest.raises(DataError, match=r"num-node-list\.csv\.gz does not hold what was published \(6 nodes"):
        read_ddi(small)
    write(small, "num-node-list.csv.gz", "6,6\n")
    with pytest.raises(DataError, match="1 columns expected, found 2"):
        read_ddi(small)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_cut_file_is_named(small, share):
    for name, read in (("raw/edge.csv.gz", lambda path: read_integers(path, 2)), ("split/target/train.pt", read_split)):
        path = small / name
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
        with pytest.raises(DataError, match="is damaged .* delete it and load again") as caught:
            read(path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_text_where_numbers_belong_is_named(small):
    write(small, "edge.csv.gz", "4,0\n1,two\n")
    with pytest.raises(DataError, match="is damaged .*two"):
        read_ddi(small)


class Stranger:
    """Not on the list of what a split file may name."""

    def __reduce__(self):
        return (Path.touch, (Path("touched"),))


def test_a_split_file_cannot_run_code(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"edge": Stranger()}, small / "split/target/train.pt")
    with pytest.raises(DataError, match="train.pt is damaged"):
        read_ddi(small)
    assert not (tmp_path / "touched").exists()


def test_a_split_file_of_something_else_is_refused(small):
    torch.save([1, 2], small / "split/target/train.pt")
    with pytest.raises(DataError, match="named arrays expected"):
        read_ddi(small)


@pytest.mark.data("ogbl_ddi")
def test_a_tampered_file_of_the_real_data_is_named(data_root, tmp_path):
    for file in DATASETS["ogbl-ddi"].files:
        (tmp_path / file.path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(data_root / file.path, tmp_path / file.path)
    path = tmp_path / "ogbl_ddi/split/target/valid.pt"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="does not match its published checksum.*delete it and load again") as caught:
        load("ogbl-ddi", task="link", root=tmp_path)
    assert str(path) in str(caught.value)
