import csv
from pathlib import Path

import numpy as np
import pytest

from graphkit.errors import RequestError, RunError
from graphkit.serving import files
from graphkit.serving.files import check_out, write_embeddings, write_rows
from graphkit.training.table import as_text

BLOCKS = [
    {
        "user": np.array(["a", "a"]),
        "rank": np.array([1, 2]),
        "item": np.array(["x,1", 'y"']),
        "score": np.array([0.1, -2.5], dtype=np.float32),
    },
    {
        "user": np.array(["long name"]),
        "rank": np.array([1]),
        "item": np.array(["x,1"]),
        "score": np.array([3e-9], dtype=np.float32),
    },
]
EXPECTED = [("a", 1, "x,1", np.float32(0.1)), ("a", 2, 'y"', np.float32(-2.5)), ("long name", 1, "x,1", np.float32(3e-9))]
EMBEDDINGS = (
    np.arange(6, dtype=np.float32).reshape(3, 2),
    np.arange(4, dtype=np.float32).reshape(2, 2),
    as_text(["a", "b", "c"]),
    as_text(["x", "y"]),
)


def test_csv(tmp_path: Path):
    path = tmp_path / "top.csv"
    path.write_text("old")
    assert write_rows(path, iter(BLOCKS)) == 3
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["user", "rank", "item", "score"]
    assert [(user, int(rank), item, np.float32(score)) for user, rank, item, score in rows] == EXPECTED
    assert list(tmp_path.iterdir()) == [path]


def test_parquet(tmp_path: Path):
    parquet = pytest.importorskip("pyarrow.parquet")
    assert write_rows(tmp_path / "top.parquet", iter(BLOCKS)) == 3
    table = parquet.read_table(tmp_path / "top.parquet")
    assert [str(kind) for kind in table.schema.types] == ["string", "int64", "string", "float"]
    assert [tuple(row.values()) for row in table.to_pylist()] == EXPECTED


def test_embeddings(tmp_path: Path):
    write_embeddings(tmp_path / "emb.npz", *EMBEDDINGS)
    with np.load(tmp_path / "emb.npz") as arrays:
        for name, array in zip(("users", "items", "user_names", "item_names"), EMBEDDINGS, strict=True):
            assert np.array_equal(arrays[name], array)
            assert name[-5:] != "names" or arrays[name].dtype == "<U1"


def test_names_that_npz_has_no_room_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(files, "_MOST_ROOM", 4 * 2 * 50)
    write_embeddings(tmp_path / "emb.npz", *EMBEDDINGS[:3], as_text(["x", "y" * 50]))
    with pytest.raises(RequestError, match="names as long as these would take .* GiB in .npz, write .parquet"):
        write_embeddings(tmp_path / "more.npz", *EMBEDDINGS[:3], as_text(["x", "y" * 51]))
    assert not (tmp_path / "more.npz").exists()


def test_embeddings_as_parquet(tmp_path: Path):
    parquet = pytest.importorskip("pyarrow.parquet")
    write_embeddings(tmp_path / "emb.parquet", *EMBEDDINGS)
    rows = parquet.read_table(tmp_path / "emb.parquet").to_pylist()
    assert [(row["kind"], row["name"]) for row in rows] == [*(("user", n) for n in "abc"), ("item", "x"), ("item", "y")]
    assert [row["embedding"] for row in rows] == [*EMBEDDINGS[0].tolist(), *EMBEDDINGS[1].tolist()]


@pytest.mark.parametrize("name", ["top.csv", "top.parquet"])
def test_what_fails_leaves_the_earlier_file(tmp_path: Path, name: str):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    path = tmp_path / name
    path.write_text("old")

    def blocks():
        yield BLOCKS[0]
        raise OSError(28, "No space left on device")

    with pytest.raises(RunError, match=f"cannot write out={path} .No space left on device."):
        write_rows(path, blocks())
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_is_said_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run = tmp_path / "run"
    check_out(tmp_path / "new.csv", run)
    with pytest.raises(RequestError, match="there is no folder .*/no, make it first"):
        check_out(tmp_path / "no" / "new.csv", run)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(RequestError, match="cannot write there"):
        check_out(tmp_path / "folder.csv", run)
    with pytest.raises(RequestError, match="that is a file of the run itself"):
        check_out(run / "metrics.csv", run)
    with pytest.raises(RequestError, match="the answer is read from that file"):
        check_out(tmp_path / "new.csv", run, [tmp_path / "run" / ".." / "new.csv"])

    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(files.importlib, "import_module", missing)
    with pytest.raises(RequestError, match=r"needs the package pyarrow.*\[parquet\]"):
        check_out(tmp_path / "new.parquet", run)
