"""`ImageSet`: what `graphkit.data.load` returns for task=image, images of one size with their splits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from graphkit.data import validate
from graphkit.data.dataset import Dataset
from graphkit.data.leaks.nodes import copied, duplicates, in_two, overlaps, same_rows
from graphkit.data.leaks.report import LeakReport

METRICS = {"classes": ("accuracy", "accuracy-before-projection"), "labels": ("roc-auc", "ap", "accuracy")}
"""What judges each kind of targets of own images."""


@dataclass(frozen=True, kw_only=True)
class ImageSet(Dataset):
    """Images of one size, each with a class or with several labels to predict.

    Attributes:
        pixels: Values [N, C, H, W] in [0, 1], float32, of one channel (gray) or three (red, green, blue).
        y: Classes [N], int64; or labels [N, T], float32, 0 and 1, NaN where not known.
        kind: What is predicted: `classes` or `labels` (yes or no for each of several).
        splits: Image ids, int64, of `train`, `valid` and `test`.
        boxes: Where the part lies that decides the class [N, 4]: left, top, right, bottom in pixels, right and bottom excluded;
            None where that is not known.
        image_names: The user's own names in index order, for own files; else empty.
        class_names: Names of the classes in index order, where known.
        target_names: Names of the labels in index order, where known.
    """

    pixels: Tensor
    y: Tensor
    kind: str = "classes"
    splits: dict[str, Tensor]
    boxes: Tensor | None = None
    image_names: tuple[str, ...] = field(default=(), repr=False)
    class_names: tuple[str, ...] = field(default=(), repr=False)
    target_names: tuple[str, ...] = field(default=(), repr=False)

    @property
    def num_targets(self) -> int:
        """Number of classes or labels."""
        return max(int(self.y.max()) + 1, len(self.class_names)) if self.kind == "classes" else int(self.y.size(1))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images."""
        height, width = self.pixels.shape[2:]
        return height, width

    @property
    def fallbacks(self) -> tuple[str, ...]:
        """Accuracy of classes, the ranking of labels."""
        return ("accuracy",) if self.kind == "classes" else ("roc-auc", "accuracy")

    def facts(self) -> dict[str, Any]:
        """Numbers of images, their size, images per class or known labels, splits."""
        height, width = self.size
        colors = "gray" if self.pixels.size(1) == 1 else "RGB"
        if self.kind == "classes":
            names = self.class_names or tuple(str(number) for number in range(self.num_targets))
            counts = self.y.bincount(minlength=self.num_targets).tolist()
            targets: dict[str, Any] = {"images_per_class": dict(zip(names, counts, strict=True))}
        else:
            names = self.target_names or tuple(str(number) for number in range(self.num_targets))
            known = (~self.y.isnan()).sum(dim=0).tolist()
            targets = {"known": dict(zip(names, known, strict=True))}
        splits = {name: part.numel() for name, part in self.splits.items()}
        return {
            "images": len(self.pixels),
            "pixels": f"{height}x{width} {colors}",
            "targets": self.kind,
            **targets,
            "splits": splits,
        }

    def names(self) -> dict[str, tuple[str, ...]]:
        """Images, classes and labels."""
        return {"images": self.image_names, "classes": self.class_names, "targets": self.target_names}

    def sizes(self) -> dict[str, int]:
        """Images, their sides and channels, and classes or labels."""
        count, channels, height, width = self.pixels.shape
        sizes = {"images": count, "channels": channels, "height": height, "width": width}
        return {**sizes, "classes" if self.kind == "classes" else "targets": self.num_targets}

    def check(self) -> None:
        """As `Dataset.check`; all training images of one class are of no use either."""
        validate.check_images(self.name, self.pixels, self.y, self.image_names)
        for name, part in self.splits.items():
            validate.check_part(self.name, name, part, len(self.pixels), "image")
        if self.kind == "classes":
            validate.check_labels(self.name, self.y, self.splits["train"], "image")

    def leaks(self) -> LeakReport:
        """Images in two splits, under one number or pixel by pixel."""
        group, all_of_them = same_rows(self.pixels), self.y.new_ones(len(self.pixels)).bool()
        found = [
            *overlaps(self.splits, "image", self.image_names),
            *copied(self.splits, group, all_of_them, "image", "pixels", self.image_names),
        ]
        return LeakReport((in_two("image"), duplicates("image")), tuple(found))
