"""A finished run on images that answers by name."""

from __future__ import annotations

from graphkit.serving.opened import Opened
from graphkit.serving.samples import ServedSamples


class ServedImages(ServedSamples):
    """A finished run on images, see `ServedSamples`."""

    def __init__(self, opened: Opened) -> None:
        super().__init__(opened, "image")
