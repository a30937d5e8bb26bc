"""Single image files as tensors, by Pillow."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphkit.data.readers.inputs import InputFile
from graphkit.errors import DataError, RequestError, shown

LONGEST_PATH = 1_000
"""Characters of a path that messages show."""
LARGEST_FILE = 1 << 26
"""Most bytes of an image file."""
LARGEST_SIDE = 4096
"""Most pixels of a side; more would be one image in half a gigabyte."""
MOST_VALUES = 1 << 30
"""Most values of all images together: 4 GiB."""


def decode(file: InputFile) -> np.ndarray:
    """An image [H, W] (gray) or [H, W, 3], float32 in [0, 1].

    Transparent pixels keep their color; of an animation the first image is taken.

    Args:
        file: PNG or JPEG.

    Raises:
        RequestError: If Pillow is not installed.
        DataError: If the file is missing, damaged or too large.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise RequestError("own images need the package Pillow: install the extra with `pip install -e '.[images]'`") from error
    try:
        with file.open("rb") as content:
            data = content.read(LARGEST_FILE + 1)
    except OSError as error:
        raise DataError(
            f"{shown(str(file), LONGEST_PATH)} cannot be read ({error.strerror}): leave it out, or make it readable"
        ) from error
    if len(data) > LARGEST_FILE:
        raise DataError(f"{shown(str(file), LONGEST_PATH)} has more than {LARGEST_FILE:,} bytes: scale the image down")
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
            if max(image.size) > LARGEST_SIDE:
                width, height = image.size
                name = shown(str(file), LONGEST_PATH)
                raise DataError(f"{name} has {width}x{height} pixels, and {LARGEST_SIDE} are the most of a side: scale it down")
            return _values(image)
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        reason = shown(str(error)) or type(error).__name__
        raise DataError(
            f"{shown(str(file), LONGEST_PATH)} is no sound PNG or JPEG file ({reason}): replace it or leave it out"
        ) from error


def _values(image: Any) -> np.ndarray:
    """Values of a Pillow image, by its mode."""
    if image.mode.startswith("I;16") or image.mode == "I":
        return np.asarray(image, dtype=np.float32) / 65535
    gray = image.mode in ("1", "L", "LA")
    return np.asarray(image.convert("L" if gray else "RGB"), dtype=np.float32) / 255


def same_size(pictures: Sequence[np.ndarray], names: Sequence[str]) -> tuple[Tensor, tuple[str, ...]]:
    """Images as one tensor [N, C, H, W], and a sentence where gray ones were given three equal channels.

    Args:
        pictures: Images [H, W] or [H, W, 3].
        names: Their names, for messages.

    Raises:
        DataError: If their sizes differ, or they are too many for the memory.
    """
    height, width = pictures[0].shape[:2]
    for picture, name in zip(pictures, names, strict=True):
        if picture.shape[:2] != (height, width):
            found = f"{picture.shape[1]}x{picture.shape[0]}"
            raise DataError(
                f"image {shown(name)} has {found} pixels, {shown(names[0])} has {width}x{height}: all must be of one size, so "
                "crop or scale them"
            )
    colored = sum(picture.ndim == 3 for picture in pictures)
    channels = 3 if colored else 1
    if (values := len(pictures) * channels * height * width) > MOST_VALUES:
        raise DataError(f"the images have {values:,} values together, and {MOST_VALUES:,} are the most: scale them down")
    out = np.empty((len(pictures), channels, height, width), dtype=np.float32)
    for place, picture in enumerate(pictures):
        out[place] = picture if picture.ndim == 2 else picture.transpose(2, 0, 1)
    gray = len(pictures) - colored
    remarks = (
        (f"{gray:,} of {len(pictures):,} images are gray and were given three equal channels.",) if colored and gray else ()
    )
    return torch.from_numpy(out), remarks
