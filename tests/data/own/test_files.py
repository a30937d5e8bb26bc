import copy
import hashlib
import os
from pathlib import Path

import pytest
import torch

from graphkit.conf.schema import Data
from graphkit.data import load
from graphkit.data.own.files import OwnFiles
from graphkit.data.readers.inputs import InputFile, Source, absolute
from graphkit.errors import CheckpointError, DataError

TEXT = "\ufeffsource,target\r\né,b\r\nb,c\r\n" + "".join(f"{k},{k + 1}\n" for k in range(30_000))


def test_what_was_read_is_counted_byte_for_byte(tmp_path: Path):
    path = tmp_path / "e.csv"
    path.write_bytes(TEXT.encode())
    file = InputFile(path)
    with file.open(newline="", encoding="utf-8-sig") as stream:
        assert stream.read() == TEXT.removeprefix("\ufeff")
    expected = Source(str(path), str(path), len(TEXT.encode()), hashlib.sha256(TEXT.encode()).hexdigest())
    assert file.source() == expected
    with file.open("rb") as stream:
        assert stream.read() == TEXT.encode()
    assert file.source() == expected and str(file) == os.fspath(file) == str(path)


def test_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert absolute(Path("a.csv")) == str(tmp_path / "a.csv")
    Path("a.csv").touch()
    with Path("a.csv").open() as file:
        assert absolute(Path(f"/dev/fd/{file.fileno()}")) == str(tmp_path / "a.csv")


def graph_files(tmp_path: Path) -> list[Path]:
    texts = {"e": "a,b\nb,c\nc,d\n", "f": "a,1\nb,2\nc,3\nd,4\n", "l": "a,x\nb,y\nc,x\nd,y\n"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    return [tmp_path / name for name in texts]


def asked(edges: Path, features: Path, labels: Path | None) -> Data:
    return Data(edges=str(edges), features=str(features), labels=None if labels is None else str(labels))


def test_files_are_read_once_and_the_graph_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    edges, features, labels = graph_files(tmp_path)
    files, opened = OwnFiles(), []
    real = InputFile.open
    monkeypatch.setattr(InputFile, "open", lambda self, *a, **k: opened.append(self.path.name) or real(self, *a, **k))
    first = files.graph(asked(edges, features, labels))
    before = copy.deepcopy(first.data.edge_index)
    first.data.edge_index = torch.zeros(2, 0, dtype=torch.int64)  # as a link split does
    assert torch.equal(files.graph(asked(edges, features, labels)).data.edge_index, before)
    assert opened == ["e", "f", "l"]
    assert {key: source.path for key, source in files.sources.items()} == {
        "edges": str(edges), "features": str(features), "labels": str(labels),
    }  # fmt: skip
    (tmp_path / "r.csv").write_text("user,item\na,x\n")
    tables = [files.interactions(Data(interactions=str(tmp_path / "r.csv")))[0] for _ in range(2)]
    assert tables[0] is tables[1] and opened == ["e", "f", "l", "r.csv"]


def test_seeds_that_share_files_get_the_splits_of_seeds_that_do_not(tmp_path: Path):
    (tmp_path / "e.csv").write_text("".join(f"{a},{(a * 7 + k) % 40}\n" for a in range(40) for k in (1, 2)))
    files = OwnFiles()
    for seed in (0, 1, 2):
        shared = load("custom", task="link", edges=tmp_path / "e.csv", seed=seed, own_files=files)
        alone = load("custom", task="link", edges=tmp_path / "e.csv", seed=seed)
        assert torch.equal(shared.data.edge_index, alone.data.edge_index)
        assert torch.equal(shared.splits["test"].positive, alone.splits["test"].positive)


def test_only_the_known_files_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    edges, features, labels = graph_files(tmp_path)
    files = OwnFiles()
    files.graph(asked(edges, features, labels))
    moved = edges.rename(tmp_path / "moved")
    again = OwnFiles(files.sources)
    again.graph(asked(moved, features, labels))
    with pytest.raises(CheckpointError, match=f"data.edges={edges} is not there, and the run read it: put it back"):
        OwnFiles(files.sources).graph(asked(edges, features, labels))
    labels.write_text("not even, a label\n,")
    with pytest.raises(
        CheckpointError, match=f"data.labels={labels} is not the file that the run read .19 bytes, not 16.: put"
    ):
        OwnFiles(files.sources).graph(asked(moved, features, labels))
    with pytest.raises(CheckpointError, match="data.features=.* is not the file that the run read .SHA-256 .*, not "):
        features.write_text("a,1\nb,2\nc,3\nd,5\n")
        OwnFiles(files.sources).graph(asked(moved, features, None))
    monkeypatch.setattr(Path, "open", lambda *a, **k: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    with pytest.raises(DataError, match="data.edges=.* cannot be read .Permission denied."):
        OwnFiles(files.sources).graph(asked(moved, features, None))
