"""A user's own images: a folder with a subfolder per class, or a CSV of paths and labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from graphkit.data.own.naming import number
from graphkit.data.own.pictures import LONGEST_PATH, decode, same_size
from graphkit.data.readers.inputs import InputFile, InputFolder, InputList
from graphkit.data.readers.rows import malformed, read_rows
from graphkit.errors import DataError, RequestError, shown

ENDINGS = (".png", ".jpg", ".jpeg")
SPLITS = {"train": "train", "valid": "valid", "val": "valid", "validation": "valid", "test": "test"}
"""Names of subfolders, or values of the column `split`, and the split that each means."""
KINDS = ("auto", "classes", "labels")


@dataclass(frozen=True)
class OwnImages:
    """Images from own files.

    Attributes:
        pixels: Values [N, C, H, W] in [0, 1]; one channel if all images are gray, else three.
        y: Classes [N], or labels [N, T].
        kind: `classes` or `labels`.
        names: Paths of the images as given, or below the folder.
        classes: The names of the classes in index order; empty where labels are predicted.
        targets: The names of the labels.
        splits: Image ids of each split, where the files say so.
        remarks: Sentences on what was done while reading.
    """

    pixels: Tensor
    y: Tensor
    kind: str
    names: tuple[str, ...]
    classes: tuple[str, ...]
    targets: tuple[str, ...]
    splits: dict[str, Tensor] | None
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class _Row:
    """An image as it is listed: its name and file, its labels as text, its split, and its line in a CSV."""

    name: str
    file: InputFile
    labels: list[str]
    split: str
    line: int = 0


def read_own_images(images: InputFolder | InputList, *, targets: str = "auto") -> OwnImages:
    """Read images of one size; gray, RGB, palette and transparent ones, of 8 or 16 bits.

    Args:
        images: A folder with a subfolder per class, or with subfolders `train`, `valid` and `test` that hold those. Or a CSV
            with a header: `path`, below the folder of the CSV; a column of classes, or several of labels, 0, 1 or empty; and
            perhaps a column `split`.
        targets: `classes`, `labels`, or `auto`: a single column is classes.

    Raises:
        RequestError: If Pillow is not installed, or `targets` does not fit.
        DataError: If a file is missing, damaged, too large or of another size than the others, or a row is malformed.
    """
    if targets not in KINDS:
        raise RequestError(f"data.targets={targets}: images have classes or labels, choose one of {', '.join(KINDS)}")
    rows, columns = _of_folder(images) if isinstance(images, InputFolder) else _of_table(images)
    kind = targets if targets != "auto" else "classes" if len(columns) == 1 else "labels"
    if kind == "classes" and len(columns) != 1:
        raise RequestError(f"data.targets=classes: {images} has {len(columns)} columns of labels, and classes need one")
    pictures = [decode(row.file) for row in rows]
    pixels, remarks = same_size(pictures, [row.name for row in rows])
    y, classes = _targets(images, rows, kind)
    return OwnImages(
        pixels=pixels,
        y=y,
        kind=kind,
        names=tuple(row.name for row in rows),
        classes=classes,
        targets=tuple(columns) if kind == "labels" else (),
        splits=_splits(images, rows),
        remarks=remarks,
    )


def _of_folder(images: InputFolder) -> tuple[list[_Row], list[str]]:
    try:
        files = images.files_below(*ENDINGS)
    except OSError as error:
        raise DataError(f"{images} cannot be read ({error.strerror}): name a folder that can") from error
    rows = []
    for file in files:
        *folders, _ = file.path.relative_to(images.path).parts
        split = SPLITS.get(folders[0], "") if len(folders) == 2 else ""
        if len(folders) != (2 if split else 1):
            place = "a subfolder per class, or in train, valid and test with a subfolder per class each"
            raise DataError(f"{shown(str(file), LONGEST_PATH)}: images must lie in {place}")
        rows.append(_Row(file.path.relative_to(images.path).as_posix(), file, [folders[-1]], split))
    if not rows:
        raise DataError(f"{images} holds no image: expected files {', '.join(ENDINGS)} in a subfolder per class")
    return rows, ["class"]


def _of_table(images: InputList) -> tuple[list[_Row], list[str]]:
    table = images.table
    found = list(read_rows(table, lambda first, second: False))
    if len(found) < 2:
        raise DataError(f"{table} holds no image: expected a header with path and labels, and a row per image")
    (line, header), *others = found
    names = [name.lower() for name in header]
    if names[:1] != ["path"] or len(names) - names.count("split") < 2 or names.count("split") > 1:
        raise malformed(
            table, line, 1, "expected a header: path, then one column of classes or several of labels, perhaps split"
        )
    place = names.index("split") if "split" in names else None
    rows = []
    for number_of_line, fields in others:
        if len(fields) != len(header):
            raise malformed(table, number_of_line, 1, f"expected {len(header)} fields as in the header, found {len(fields)}")
        split = "" if place is None else fields[place]
        if place is not None and split not in SPLITS:
            raise malformed(table, number_of_line, place + 1, f"expected train, valid or test, found '{shown(split)}'")
        labels = [field for column, field in enumerate(fields) if column not in (0, place)]
        rows.append(_Row(fields[0], images.file(fields[0]), labels, SPLITS.get(split, ""), number_of_line))
    return rows, [name for column, name in enumerate(header) if column not in (0, place)]


def _targets(images: InputFolder | InputList, rows: Sequence[_Row], kind: str) -> tuple[Tensor, tuple[str, ...]]:
    """Targets as a tensor, and the names of classes."""
    if kind == "classes":
        for row in rows:
            if not row.labels[0]:
                raise malformed(Path(str(images)), row.line, 2, "expected a class, found an empty field; leave the image out")
        numbered = number(row.labels[0] for row in rows)
        return torch.tensor([numbered[row.labels[0]] for row in rows]), tuple(numbered)
    values = {"": float("nan"), "0": 0.0, "1": 1.0}
    for row in rows:
        for label in row.labels:
            if label not in values:
                raise malformed(
                    Path(str(images)), row.line, 2, f"expected 0, 1 or an empty field for each label, found '{shown(label)}'"
                )
    return torch.tensor([[values[label] for label in row.labels] for row in rows], dtype=torch.float32), ()


def _splits(images: InputFolder | InputList, rows: Sequence[_Row]) -> dict[str, Tensor] | None:
    said = {row.split for row in rows}
    if said == {""}:
        return None
    if said != {"train", "valid", "test"}:
        lacking = ", ".join(sorted({"train", "valid", "test"} - said)) or "images outside of all three"
        raise DataError(f"{images}: train, valid and test must hold all images between them; missing or left over: {lacking}")
    return {
        split: torch.tensor([image for image, row in enumerate(rows) if row.split == split])
        for split in ("train", "valid", "test")
    }
