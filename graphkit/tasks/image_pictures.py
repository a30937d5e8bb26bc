"""Pictures for the report of an image run: the prototypes, and test images that were right and wrong."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterable

import numpy as np

from graphkit.charts.text import escaped
from graphkit.data.image_set import ImageSet
from graphkit.tasks.report_parts import Array, Arrays, named
from graphkit.training.report import Section

EACH = 8
"""Images of each row, right and wrong."""
MOST = 200
"""Prototypes that are shown."""
MOST_BYTES = 400_000
"""Bytes of their pictures: of large images fewer are shown."""
_SIZE = 112
_ROW = '<div class="gallery">'


def png(pixels: Array) -> bytes:
    """An image [C, H, W] in [0, 1] as a PNG file, gray or RGB."""
    channels, height, width = pixels.shape
    rows = (pixels.transpose(1, 2, 0).clip(0, 1) * 255).round().astype(np.uint8).reshape(height, width * channels)
    raw = np.concatenate([np.zeros((height, 1), dtype=np.uint8), rows], axis=1).tobytes()  # each row without a filter
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if channels == 1 else 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(raw, 9)), (b"IEND", b""))
    parts = [struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def sections(dataset: ImageSet, arrays: Arrays) -> list[Section]:
    """Prototypes of a seed with their source, and its test images; of equal ones the first are shown.

    Args:
        dataset: The images.
        arrays: The predictions of the seed.
    """
    test = arrays["test_images"]
    y, predicted = dataset.y.numpy()[test], arrays["predicted"][test]
    wrong = predicted != y if dataset.kind == "classes" else ((predicted != y) & ~np.isnan(y)).any(axis=1)
    rows = [("Right", test[~wrong][:EACH]), ("Wrong", test[wrong][:EACH])]
    shown = "".join(
        f"<h3>{title}</h3>{_ROW}{''.join(_test_image(int(image), dataset, arrays) for image in images)}</div>"
        for title, images in rows
        if len(images)
    )
    return [*_prototypes(dataset, arrays), *_decoded(arrays), Section("Test images of the first seed", shown)]


def _prototypes(dataset: ImageSet, arrays: Arrays) -> list[Section]:
    if "prototype_source" not in arrays or not bool(arrays["prototype_projected"].all()):
        return []
    source = arrays["prototype_source"]
    distinct = len(np.unique(source, axis=0))
    figures = _first(_prototype(number, dataset, arrays) for number in range(min(len(source), MOST)))
    more = f" The first {len(figures)} are shown." if len(source) > len(figures) else ""
    about = (
        f"<p>{len(source)} prototypes, which are {distinct} different patches of training images. The box is what the network "
        f"sees of the image.{more}</p>"
    )
    return [Section("Gallery of prototypes of the first seed", f"{about}{_ROW}{''.join(figures)}</div>")]


def _first(figures: Iterable[str]) -> list[str]:
    """The first pictures, at least one, that stay within `MOST_BYTES`."""
    found, size = list[str](), 0
    for figure in figures:
        size += len(figure)
        if found and size > MOST_BYTES:
            break
        found.append(figure)
    return found


def _decoded(arrays: Arrays) -> list[Section]:
    """Prototypes that a decoder shows."""
    if "decoded_prototypes" not in arrays:
        return []
    decoded = arrays["decoded_prototypes"][:MOST]
    figures = "".join(_first(_shown(pixels, f"prototype {number}") for number, pixels in enumerate(decoded)))
    return [Section("Prototypes of the first seed, decoded", f"{_ROW}{figures}</div>")]


def _prototype(number: int, dataset: ImageSet, arrays: Arrays) -> str:
    image = int(arrays["prototype_source"][number, 0])
    classes = [_class_name(dataset, place) for place in np.flatnonzero(arrays["prototype_classes"][number]).tolist()]
    said = f"prototype {number} of {', '.join(classes)}: {_name(dataset, image)}"
    return _figure(dataset, image, said, tuple(arrays["prototype_box"][number].tolist()))


def _test_image(image: int, dataset: ImageSet, arrays: Arrays) -> str:
    known, predicted = (_words(dataset, values) for values in (dataset.y[image].numpy(), arrays["predicted"][image]))
    return _figure(dataset, image, f"{_name(dataset, image)}: {known}, predicted {predicted}")


def _figure(dataset: ImageSet, image: int, said: str, box: tuple[int, int, int, int] | None = None) -> str:
    return _shown(dataset.pixels[image].numpy(), said, box)


def _shown(pixels: Array, said: str, box: tuple[int, int, int, int] | None = None) -> str:
    """A figure of an image [C, H, W] with what is said of it, and a box."""
    height, width = pixels.shape[1:]
    data = base64.b64encode(png(_reduced(pixels))).decode()
    frame = ""
    if box is not None:
        left, top, right, bottom = box
        frame = (
            f'<rect x="{left}" y="{top}" width="{right - left}" height="{bottom - top}" fill="none" stroke="#f5a623" '
            f'stroke-width="{max(height, width) / 40:g}"/>'
        )
    return (
        f'<figure style="width:{_SIZE}px"><svg viewBox="0 0 {width} {height}" role="img" aria-label="{escaped(said)}">'
        f'<image width="{width}" height="{height}" style="image-rendering:pixelated" href="data:image/png;base64,{data}"/>'
        f"{frame}</svg><figcaption>{escaped(said)}</figcaption></figure>"
    )


def _reduced(pixels: Array) -> Array:
    """A large image at the size at which it is shown, by the means of equal squares."""
    channels, height, width = pixels.shape
    side = max(height, width) // _SIZE
    if side < 2:
        return pixels
    whole = pixels[:, : height // side * side, : width // side * side]
    squares = whole.reshape(channels, height // side, side, width // side, side)
    reduced: Array = squares.mean(axis=(2, 4))
    return reduced


def _name(dataset: ImageSet, image: int) -> str:
    return named(dataset.image_names, image, "image")


def _class_name(dataset: ImageSet, number: int) -> str:
    names = dataset.class_names if dataset.kind == "classes" else dataset.target_names
    return named(names, number)


def _words(dataset: ImageSet, values: Array) -> str:
    if dataset.kind == "classes":
        return _class_name(dataset, int(values))
    return ", ".join(_class_name(dataset, place) for place in np.flatnonzero(values == 1).tolist()) or "none"
