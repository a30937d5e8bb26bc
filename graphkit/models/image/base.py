"""What the image task asks of a model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from graphkit.training.stages import Stage, Step, head_apart


@dataclass(frozen=True)
class ImageView:
    """All that an image model may know of the data while it is trained.

    Attributes:
        kind: `classes` or `labels`.
        num_images: Size of the collection that image ids count in.
        images: Ids of the training images.
        y: Their targets: classes [B], or [B, T] labels, NaN where unknown.
        batches: Ids and pixels of the training images in the order of `images`, not augmented.
    """

    kind: str
    num_images: int
    images: Tensor
    y: Tensor
    batches: Callable[[], Iterator[tuple[Tensor, Tensor]]]


class ImageModel(nn.Module, ABC):
    """A model that gives every image of a batch a row of scores: `head(embed(images))`.

    Images are [B, C, H, W] with values in [0, 1]; a model standardizes channels by mean and deviation of the training images,
    which `fit` takes. Constructors take `in_channels` (1 or 3), `out_channels` and `size` (height and width), and by keyword
    `class_counts`, the training images of each class, where they have a use for it.

    Subclasses set `head` in their constructor.

    Args:
        in_channels: Channels of the images.
    """

    takes_labels: ClassVar[bool] = True
    """Whether it can be trained on several labels per image."""
    projects: ClassVar[bool] = False
    """Whether it has prototypes that become parts of training images: then `learned_scores` are those of before."""

    head: nn.Module
    """From embeddings, or similarities, to scores."""
    center: Tensor
    spread: Tensor

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.register_buffer("center", torch.zeros(in_channels))
        self.register_buffer("spread", torch.ones(in_channels))

    @abstractmethod
    def embed(self, images: Tensor) -> Tensor:
        """Embeddings of the images [B, D]."""

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Scores of the images [B, out_channels]."""

    def learned_scores(self, images: Tensor) -> Tensor:
        """Scores by the prototypes as they were learned, just before the last projection; those of now if there was none."""
        scores: Tensor = self(images)
        return scores

    def probabilities(self, scores: Tensor) -> Tensor:
        """Class probabilities of scores [B, out_channels]; not asked for labels, of which each is sigmoid(score)."""
        return scores.softmax(dim=1)

    def standardized(self, images: Tensor) -> Tensor:
        """Channels with mean 0 and deviation 1 over the training images; a constant channel is 0."""
        return (images - self.center.view(-1, 1, 1)) / self.spread.view(-1, 1, 1)

    def provenance(self, view: ImageView) -> dict[str, Tensor]:
        """What predictions.npz keeps of the prototypes, by name; empty where there are none.

        Args:
            view: The training data.
        """
        return {}

    def account(self, images: Tensor) -> dict[str, Tensor]:
        """What predictions.npz keeps of every image beside its scores, by name; empty where there is nothing."""
        return {}

    def fit(self, view: ImageView) -> None:
        """Take from the data what is not learned step by step; called once per model, before it is trained or gets its weights.

        Args:
            view: The data, on the device of the model.
        """
        sums, squares, count = torch.zeros_like(self.center).double(), torch.zeros_like(self.center).double(), 0
        for _, images in view.batches():
            values = images.double()
            sums += values.sum(dim=(0, 2, 3))
            squares += values.square().sum(dim=(0, 2, 3))
            count += images.numel() // images.size(1)
        mean = sums / count
        spread = (squares / count - mean.square()).clamp(min=0).sqrt()
        self.center.copy_(mean)
        self.spread.copy_(torch.where(spread > 1e-6, spread, 1.0))

    def training_loss(self, images: Tensor, y: Tensor, loss: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """The loss of a step.

        Args:
            images: Images.
            y: Their targets.
            loss: The task's loss of scores [B, out_channels] and targets.

        Returns:
            A scalar.
        """
        return loss(self(images), y)

    def stages(self, view: ImageView, step: Step, *, lr: float, head_lr: float | None) -> Sequence[Stage]:
        """How the model is trained: at once, or in stages.

        Args:
            view: The data.
            step: The task's step, of `training_loss` over a batch of images; a stage that has none uses it.
            lr: `train.lr`.
            head_lr: `train.head_lr`, the rate of the head; None: `lr`.

        Returns:
            The stages, in order.
        """
        return head_apart(self, self.head.parameters(), lr, head_lr)
