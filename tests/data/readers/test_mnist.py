"""idx files and MedMNIST archives: what is read, and each way in which a file can be damaged."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from graphkit.data.readers.mnist import read_idx, read_medmnist
from graphkit.errors import DataError


def idx(path: Path, values: np.ndarray, header: bytes | None = None, cut: int = 0) -> Path:
    head = header or struct.pack(">HBB", 0, 8, values.ndim) + struct.pack(f">{values.ndim}I", *values.shape)
    data = head + values.tobytes()
    path.write_bytes(gzip.compress(data[: len(data) - cut]))
    return path


VALUES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


def test_an_idx_file_is_read(tmp_path: Path) -> None:
    assert np.array_equal(read_idx(idx(tmp_path / "a.gz", VALUES)), VALUES)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"cut": 1}, "announces 24 values and has 23"),
        ({"cut": 35}, "damaged|cannot"),
        ({"header": struct.pack(">HBB", 0, 8, 1) + struct.pack(">I", 5)}, "announces 5 values and has more"),
        ({"header": struct.pack(">HBB", 0, 9, 1) + struct.pack(">I", 24)}, "an idx file of unsigned bytes was expected"),
        ({"header": struct.pack(">HBB", 0, 8, 2) + struct.pack(">2I", 2**31, 2**31)}, "announces 4,611,686,018,427,387,904"),
    ],
)
def test_a_damaged_idx_file_is_refused(tmp_path: Path, options: dict[str, object], says: str) -> None:
    path = idx(tmp_path / "a.gz", VALUES, **options)
    with pytest.raises(DataError, match=says):
        read_idx(path)


@pytest.mark.parametrize("content", [b"no gzip", gzip.compress(VALUES.tobytes())[:20]], ids=["plain", "truncated"])
def test_what_is_no_gzip_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.gz").write_bytes(content)
    with pytest.raises(DataError, match="a.gz"):
        read_idx(tmp_path / "a.gz")


def archive(tmp_path: Path, **change: np.ndarray) -> SimpleNamespace:
    arrays = {}
    for number, split in enumerate(("train", "val", "test")):
        arrays[f"{split}_images"] = np.full((number + 1, 4, 4), 51 * number, dtype=np.uint8)
        arrays[f"{split}_labels"] = np.full((number + 1, 1), number % 2, dtype=np.uint8)
    np.savez(tmp_path / "some.npz", **{**arrays, **change})
    return SimpleNamespace(first_file=lambda: tmp_path / "some.npz")


def test_an_archive_is_read_with_its_split(tmp_path: Path) -> None:
    found = read_medmnist(archive(tmp_path))
    assert found.pixels.shape == (6, 1, 4, 4) and found.y.tolist() == [0, 1, 1, 0, 0, 0]
    assert [found.splits[split].tolist() for split in ("train", "valid", "test")] == [[0], [1, 2], [3, 4, 5]]
    assert found.pixels[5].unique().tolist() == pytest.approx([0.4])


@pytest.mark.parametrize(
    "change",
    [
        {"val_images": np.zeros((2, 5, 4), dtype=np.uint8)},
        {"test_labels": np.zeros((2, 1), dtype=np.uint8)},
        {"train_images": np.zeros((1, 4, 4))},
    ],
)
def test_an_archive_whose_parts_do_not_fit_is_refused(tmp_path: Path, change: dict[str, np.ndarray]) -> None:
    with pytest.raises(DataError, match="images of one size with a class each were expected"):
        read_medmnist(archive(tmp_path, **change))
