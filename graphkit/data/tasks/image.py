"""Images: which of them are trained and judged on."""

from __future__ import annotations

from torch import Tensor

from graphkit.data.image_set import METRICS, ImageSet
from graphkit.data.sources import DataRequest, ImagesSource
from graphkit.data.splits.nodes import split_classes
from graphkit.errors import DataError


def build(request: DataRequest) -> ImageSet:
    """Take the published split, or split at random by shares, class by class where there are classes.

    Args:
        request: What was asked for.

    Raises:
        RequestError: If own files do not go together.
        DataError: If the source cannot be read, or there are too few images.
    """
    source: ImagesSource = request.read()
    # Of own files no row of the catalog knows what is predicted.
    metrics = METRICS[source.kind] if request.entry.own else request.protocol.metrics
    return ImageSet(
        name=request.entry.name,
        pixels=source.pixels,
        y=source.y,
        kind=source.kind,
        splits=source.splits or _split(source.y, request),
        boxes=source.boxes,
        metric=metrics[0],
        metrics=metrics,
        protocol=request.statement(*source.remarks),
        source=request.entry.source,
        notes=source.notes,
        image_names=source.image_names,
        class_names=source.class_names,
        target_names=source.target_names,
    )


def _split(y: Tensor, request: DataRequest) -> dict[str, Tensor]:
    splits = split_classes(y if y.dim() == 1 else y.new_zeros(y.size(0)).long(), request.shares, request.generator)
    for name, images in splits.items():
        if images.numel() == 0:
            raise DataError(f"too few images: the {name} split would be empty; give more images or other shares")
    return splits
