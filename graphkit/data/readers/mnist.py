"""Image collections of published files: MNIST's idx files, and the NumPy archives of MedMNIST."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
import torch

from graphkit.data.readers.npz import read_arrays
from graphkit.data.readers.rows import damaged
from graphkit.data.sources import DataRequest, ImagesSource

_UNSIGNED_BYTE = 8
_LARGEST = 1 << 28
"""Most bytes of an idx file; the largest of MNIST's have 47 million."""
_SPLIT = (8_000, 1_000)
_SEED = 0  # of the split of MNIST's test images


def read_mnist(request: DataRequest) -> ImagesSource:
    """The 10,000 test images of MNIST, split anew: 8,000 to train on, 1,000 for validation, 1,000 for test.

    Args:
        request: What was asked for; its files are images and labels.

    Raises:
        DataError: If a file is damaged.
    """
    images, labels = (request.root / file.path for file in request.entry.files)
    pixels, y = read_idx(images), read_idx(labels)
    if pixels.ndim != 3 or y.shape != pixels.shape[:1]:
        raise damaged(images, ValueError(f"images and labels do not fit: {pixels.shape} and {y.shape}"))
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(_SEED))
    parts = order.split([*_SPLIT, len(y) - sum(_SPLIT)]) if len(y) > sum(_SPLIT) else ()
    if not parts:
        raise damaged(labels, ValueError(f"10,000 labels were expected, found {len(y):,}"))
    splits = {name: part.sort().values for name, part in zip(("train", "valid", "test"), parts, strict=True)}
    return ImagesSource(_gray(pixels), torch.from_numpy(y.astype(np.int64)), splits=splits)


def read_idx(path: Path) -> np.ndarray:
    """An idx file of unsigned bytes, packed by gzip.

    Raises:
        DataError: If it is damaged.

    Source:
        LeCun, Cortes, Burges, The MNIST Database: two zero bytes, the type, the number of dimensions, each size as a big-endian
        integer of four bytes, then the values.
    """
    try:
        with gzip.open(path, "rb") as file:
            zero, kind, dimensions = struct.unpack(">HBB", file.read(4))
            if zero != 0 or kind != _UNSIGNED_BYTE or not dimensions:
                raise ValueError("an idx file of unsigned bytes was expected")
            shape = struct.unpack(f">{dimensions}I", file.read(4 * dimensions))
            if (size := int(np.prod(shape, dtype=object))) > _LARGEST:
                raise ValueError(f"it announces {size:,} values")
            values = file.read(size + 1)
        if len(values) != size:
            raise ValueError(f"it announces {size:,} values and has {'more' if len(values) > size else f'{len(values):,}'}")
        return np.frombuffer(values, dtype=np.uint8).reshape(shape)
    except (OSError, EOFError, ValueError, struct.error, zlib.error) as error:
        raise damaged(path, error) from error


def read_medmnist(request: DataRequest) -> ImagesSource:
    """A collection of MedMNIST with its published split.

    Args:
        request: What was asked for; its file is the archive.

    Raises:
        DataError: If the file is damaged.
    """
    path = request.first_file()
    keys = ("train", "val", "test")
    arrays = read_arrays(path, [f"{key}_{what}" for key in keys for what in ("images", "labels")])
    images, labels = arrays[::2], arrays[1::2]
    sizes = [len(part) for part in images]
    fits = all(part.ndim in (3, 4) and part.dtype == np.uint8 and label.shape == (len(part), 1)
               for part, label in zip(images, labels, strict=True))  # fmt: skip
    if not fits or len({part.shape[1:] for part in images}) != 1:
        raise damaged(path, ValueError("images of one size with a class each were expected"))
    ids = torch.arange(sum(sizes)).split(sizes)
    pixels, y = np.concatenate(images), np.concatenate(labels)[:, 0]
    found = _gray(pixels) if pixels.ndim == 3 else torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    splits = dict(zip(("train", "valid", "test"), ids, strict=True))
    return ImagesSource(found, torch.from_numpy(y.astype(np.int64)), splits=splits, class_names=_CLASSES.get(path.stem, ()))


_CLASSES = {"breastmnist": ("malignant", "normal or benign")}
"""Names of the classes, as MedMNIST's table has them."""


def _gray(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.array(pixels)).unsqueeze(1).float() / 255
