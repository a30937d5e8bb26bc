"""Own images in both forms, and every mistake with its place."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from graphkit.data import load
from graphkit.data.own import pictures
from graphkit.errors import CheckpointError, DataError, RequestError
from graphkit.run import run

GRAY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20


def save(path: Path, pixels: np.ndarray = GRAY, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def folder(tmp_path: Path, count: int = 10) -> Path:
    place = tmp_path / "images"
    for number in range(count):
        for name in ("cat", "dog"):
            save(place / name / f"{number}.png", np.full((3, 4), 10 * number + 5 * (name == "dog"), dtype=np.uint8))
    return place


def table(tmp_path: Path, text: str) -> Path:
    for number in range(3):
        save(tmp_path / f"{number}.png", GRAY + number)
    (tmp_path / "table.csv").write_text(text)
    return tmp_path / "table.csv"


def read(images: Path, **options: object):
    return load("custom", task="image", images=images, **options)


def test_a_folder_has_a_subfolder_per_class(tmp_path: Path) -> None:
    found = read(folder(tmp_path))
    assert found.class_names == ("cat", "dog") and found.pixels.shape == (20, 1, 3, 4)
    assert found.image_names[:2] == ("cat/0.png", "cat/1.png") and found.y.tolist() == [0] * 10 + [1] * 10
    assert found.pixels[11].unique().item() == pytest.approx(15 / 255)
    assert [found.splits[split].numel() for split in ("train", "valid", "test")] == [14, 2, 4]
    assert found.metrics == ("accuracy", "accuracy-before-projection")


def test_folders_may_say_the_split(tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        for name in ("b", "a"):
            save(tmp_path / "images" / split / name / "one.PNG")
    found = read(tmp_path / "images")
    assert found.image_names == tuple(f"{s}/{c}/one.PNG" for s in ("test", "train", "val") for c in ("a", "b"))
    assert {split: part.tolist() for split, part in found.splits.items()} == {"train": [2, 3], "valid": [4, 5], "test": [0, 1]}


def test_a_table_names_files_classes_and_split(tmp_path: Path) -> None:
    found = read(table(tmp_path, "path,kind,split\n0.png,x,train\n1.png,y,train\n2.png,x,test\n0.png,y,valid\n"))
    assert found.class_names == ("x", "y") and found.y.tolist() == [0, 1, 0, 1]
    assert {split: part.tolist() for split, part in found.splits.items()} == {"train": [0, 1], "valid": [3], "test": [2]}
    np.testing.assert_allclose(found.pixels[2, 0], (GRAY + 2) / 255, rtol=1e-6)


def test_several_columns_are_labels(tmp_path: Path) -> None:
    rows = "".join(f"{n % 3}.png,{n % 2},{n // 2 % 2 if n else ''}\n" for n in range(12))
    found = read(table(tmp_path, f"path,wet,cold\n{rows}"))
    assert found.kind == "labels" and found.target_names == ("wet", "cold") and bool(found.y[0, 1].isnan())
    assert found.metric == "roc-auc" and found.y[3].tolist() == [1.0, 1.0]


def test_all_kinds_of_pixels(tmp_path: Path) -> None:
    color = np.stack([GRAY, GRAY[::-1], 255 - GRAY], axis=2)
    place = tmp_path / "images"
    save(place / "a" / "0.png", color)
    save(place / "a" / "1.png", (GRAY.astype(np.uint16) * 257))
    save(place / "b" / "2.png", np.dstack([color, np.full_like(GRAY, 9)]))
    Image.fromarray(color).convert("P", palette=Image.Palette.ADAPTIVE).save(place / "b" / "3.png")
    save(place / "b" / "4.jpg", color, quality=100, subsampling=0)
    save(place / "a" / "5.png", GRAY)
    save(place / "a" / "6.png", GRAY)
    save(place / "b" / "7.png", color)
    found = read(place, split=[0.5, 0.25, 0.25])
    names = list(found.image_names)
    expected = torch.from_numpy(color).permute(2, 0, 1) / 255
    gray = torch.from_numpy(GRAY).expand(3, -1, -1) / 255
    assert "3 of 8 images are gray and were given three equal channels." in found.protocol
    for name, wanted in {
        "a/0.png": expected,
        "a/1.png": gray,
        "b/2.png": expected,
        "b/3.png": expected,
        "a/5.png": gray,
    }.items():
        torch.testing.assert_close(found.pixels[names.index(name)], wanted, atol=1e-4, rtol=0.0)
    assert (found.pixels[names.index("b/4.jpg")] - expected).abs().mean() < 0.1


def truncated() -> bytes:
    data = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40), dtype=np.uint8)).save(data, "PNG")
    return data.getvalue()[:-200]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a/9.png", truncated(), r"9.png is no sound PNG or JPEG file \(.*\): replace it or leave it out"),
        ("a/9.jpg", b"no image", r"9.jpg is no sound PNG or JPEG file"),
        ("a/9.png", b"", r"9.png is no sound PNG or JPEG file"),
        ("9.png", b"", "images must lie in a subfolder per class"),
        ("x/y/9.png", b"", "images must lie in a subfolder per class"),
    ],
    ids=["truncated", "no-image", "empty", "beside", "too-deep"],
)
def test_a_damaged_or_misplaced_file_is_named(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    place = folder(tmp_path, 2)
    (place / name).parent.mkdir(parents=True, exist_ok=True)
    (place / name).write_bytes(content)
    with pytest.raises(DataError, match=says):
        read(place)


def test_sizes_and_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = folder(tmp_path, 2)
    save(place / "dog" / "9.png", GRAY.T.copy())
    with pytest.raises(DataError, match="image dog/9.png has 3x4 pixels, cat/0.png has 4x3: all must be of one size"):
        read(place)
    save(place / "dog" / "9.png", np.zeros((1, pictures.LARGEST_SIDE + 1), dtype=np.uint8))
    with pytest.raises(DataError, match="has 4097x1 pixels, and 4096 are the most of a side: scale it down"):
        read(place)
    (place / "dog" / "9.png").unlink()
    monkeypatch.setattr(pictures, "MOST_VALUES", 40)
    with pytest.raises(DataError, match="the images have 48 values together, and 40 are the most"):
        read(place)
    monkeypatch.setattr(pictures, "LARGEST_FILE", 10)
    with pytest.raises(DataError, match="has more than 10 bytes: scale the image down"):
        read(place)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("path,kind\n", "holds no image"),
        ("file,kind\n0.png,x\n", "line 1.*expected a header: path, then one column of classes"),
        ("path,split\n0.png,train\n", "expected a header"),
        ("path,kind\n0.png\n", "line 2.*expected 2 fields as in the header, found 1"),
        ("path,kind\n0.png,\n", "line 2.*expected a class, found an empty field"),
        ("path,kind\n7.png,x\n", "7.png cannot be read"),
        ("path,a,b\n0.png,1,2\n", "expected 0, 1 or an empty field for each label, found '2'"),
        ("path,kind,split\n0.png,x,later\n", "expected train, valid or test, found 'later'"),
        ("path,kind,split\n0.png,x,train\n1.png,y,test\n", "missing or left over: valid"),
    ],
)
def test_a_malformed_table_is_refused_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        read(table(tmp_path, text))


def test_what_does_not_go_together(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="data.targets=numbers: images have classes or labels"):
        read(folder(tmp_path), targets="numbers")
    with pytest.raises(RequestError, match="has 2 columns of labels, and classes need one"):
        read(table(tmp_path, "path,a,b\n0.png,1,0\n"), targets="classes")
    with pytest.raises(DataError, match="holds no image"):
        (tmp_path / "empty").mkdir()
        read(tmp_path / "empty")
    with pytest.raises(RequestError, match="needs data.images=FILE"):
        load("custom", task="image")


def test_a_run_on_own_images_is_resumed_on_the_same_ones_alone(tmp_path: Path) -> None:
    place = folder(tmp_path)
    model = {"name": "cnn", "hidden_channels": 2}
    options = {"model": model, "data": {"images": str(place)}, "train": {"epochs": 1}, "device": "cpu", "threads": 1}
    done = run("image", "custom", **options, out=str(tmp_path / "runs"))
    assert '"cat/0.png"' in (done.folder / "names" / "images.json").read_text()
    again = run(resume=str(done.folder), train={"epochs": 2})
    assert again.metrics["test"].keys() == {"accuracy"}
    save(place / "cat" / "3.png", np.zeros((3, 4), dtype=np.uint8))
    with pytest.raises(CheckpointError, match="is not the file that the run read"):
        run(resume=str(done.folder), train={"epochs": 3})
