"""Images: a class, or several labels, for every image of a collection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from graphkit.conf.schema import ImageTask, Train
from graphkit.data.image_set import ImageSet
from graphkit.errors import RequestError, RunError
from graphkit.metrics.candidates import TargetCounts
from graphkit.metrics.choice import choose
from graphkit.models.image.base import ImageModel, ImageView
from graphkit.tasks.make_model import MakeModel
from graphkit.tasks.stored import stored
from graphkit.tasks.tables import image_table
from graphkit.training.protocol import Evaluation
from graphkit.training.result import Metrics
from graphkit.training.stages import Backward, Stage
from graphkit.training.table import Columns

EVALUATED = ("valid", "test")
SPLITS = ("train", *EVALUATED)
BEFORE = "accuracy-before-projection"
_LEARNED = "scores_before_projection"
_BLOCK = 1 << 24
"""Values of images that are on the device at a time in evaluation."""


@dataclass(frozen=True)
class Drawn:
    """A training batch: ids of its images [B], and by how many rows and columns each is moved [B, 2]."""

    images: Tensor
    shift: Tensor | None


class ImagePrediction:
    """Predict a class or labels for every image; fulfills `graphkit.training.protocol.Task`.

    The loss is the model's, by default the mean over a batch's images of the cross-entropy of classes, or of the binary
    cross-entropy of the labels that are known.

    Args:
        dataset: The images with their splits.
        settings: The task's settings.
        make_model: Makes the model.
        train: The loop's settings, of which `lr`, `head_lr`, `batch_size` and `eval_batch_size` are read.
        device: Where to compute.

    Raises:
        RequestError: If the model cannot predict several labels, or the metric is unknown or undefined for the data or model.
    """

    def __init__(
        self, dataset: ImageSet, settings: ImageTask, make_model: MakeModel[ImageModel], train: Train, device: torch.device
    ) -> None:
        self._dataset, self._make_model, self._train, self._device = dataset, make_model, train, device
        self._shift, self._splits, self.protocol = settings.shift, dataset.splits, dataset.protocol
        projects = make_model.model_class.projects
        if dataset.kind == "labels" and not make_model.model_class.takes_labels:
            raise RequestError(f"model={make_model.name} predicts one class, and data set {dataset.name!r} has several labels")
        if settings.metric == BEFORE and not projects:
            raise RequestError(f"task.metric={BEFORE}: model={make_model.name} projects no prototypes, take accuracy")
        reported = [name for name in dataset.metrics if projects or name != BEFORE]
        counts = {split: _counts(dataset, self._splits[split]) for split in EVALUATED}
        choice = choose("image", settings.metric, dataset.metric, reported, dataset.fallbacks, counts)
        self.metric, self.metrics, self._metrics = choice.metric, tuple(choice.metrics), choice.metrics
        self.lower_is_better = choice.lower_is_better
        self.notes = (*dataset.notes, *_missing_classes(dataset), *choice.notes)
        self._pixels, self._y = dataset.pixels, dataset.y.to(device)
        self.num_batches = -(-self._splits["train"].numel() // (train.batch_size or self._splits["train"].numel()))

    def build_model(self) -> ImageModel:
        """A freshly initialized model on the task's device; consumes torch's global random state.

        Raises:
            RequestError: If the model's settings do not go together.
        """
        present = self._dataset.y[self._splits["train"]]
        if self._dataset.kind == "classes":
            present = F.one_hot(present, self._dataset.num_targets)
        try:
            model = self._make_model(
                in_channels=self._pixels.size(1),
                out_channels=self._dataset.num_targets,
                size=self._dataset.size,
                class_counts=tuple((present > 0).sum(dim=0).tolist()),
            )
        except ValueError as error:
            raise RequestError(f"model={self._make_model.name}: {error}") from error
        model = model.to(self._device)
        model.fit(self.view(model))
        return model

    def stages(self, model: ImageModel) -> list[Stage]:
        """What the model says; by default one stage, its head with `train.head_lr` where that is set."""
        return list(model.stages(self.view(model), self.step, lr=self._train.lr, head_lr=self._train.head_lr))

    def batches(self, generator: torch.Generator) -> Iterator[Drawn]:
        """The training images of an epoch in random order, `train.batch_size` at a time, each with a random shift."""
        images = self._splits["train"]
        images = images[torch.randperm(images.numel(), generator=generator)]
        for batch in torch.split(images, self._train.batch_size or images.numel()):
            most = 2 * self._shift + 1
            yield Drawn(batch, torch.randint(most, (len(batch), 2), generator=generator) if self._shift else None)

    def step(self, model: ImageModel, batch: Drawn, backward: Backward) -> Tensor:
        """The model's loss of the batch's images, with its gradient by `backward`."""
        images = self._images(model, batch.images)
        if batch.shift is not None:
            images = _moved(images, batch.shift.to(images.device), self._shift)
        loss = model.training_loss(images, self._y[batch.images.to(self._device)], self._loss)
        backward(loss)
        return loss.detach()

    def evaluate(self, model: ImageModel, splits: tuple[str, ...] = EVALUATED) -> Evaluation:
        """Metrics of each split in percent, and the mean loss over the validation images."""
        results: dict[str, dict[str, float]] = {}
        valid = None
        for split in splits:
            images = self._splits[split]
            scores = self._scores(model, images, model)
            if bool(scores.isnan().any()):
                raise RunError("the model scores images with NaN: lower train.lr or train.head_lr, or use precision=32-true")
            learned = self._scores(model, images, model.learned_scores) if BEFORE in self._metrics else scores
            results[split] = self._judge(split, scores.cpu(), learned.cpu())
            valid = partial(self._loss_of, scores, images) if split == "valid" else valid
        return Evaluation(results, valid)

    def _judge(self, split: str, scores: Tensor, learned: Tensor) -> dict[str, float]:
        """The metrics of a split from scores of its images, and from those before the projection."""
        y = self._dataset.y[self._splits[split]]
        return {name: metric(learned if name == BEFORE else scores, y) for name, metric in self._metrics.items()}

    @property
    def judged_by(self) -> tuple[str, ...]:
        """Scores, and those before the projection where they are judged."""
        return ("scores", _LEARNED) if BEFORE in self._metrics else ("scores",)

    def rescore(self, predictions: Mapping[str, np.ndarray]) -> Metrics:
        """As `Task.rescore`."""
        shape = len(self._pixels), self._dataset.num_targets
        scores, learned = (stored(predictions, self.judged_by[place], *shape) for place in (0, -1))
        return {
            split: self._judge(split, scores[images], learned[images])
            for split, images in self._splits.items()
            if split in EVALUATED
        }

    def parts(self) -> dict[str, tuple[Tensor, ...]]:
        """All images; those of each split, with their targets."""
        splits = {split: (images, self._dataset.y[images]) for split, images in self._splits.items()}
        return {"images": (self._pixels,), **splits}

    def _loss_of(self, scores: Tensor, images: Tensor) -> float:
        return self._loss(scores.double(), self._y[images.to(self._device)]).item()

    def predictions(self, model: ImageModel) -> dict[str, np.ndarray]:
        """Of all images in index order scores, probabilities and predictions, the image ids of each split, and provenance.

        Provenance is what `ImageModel.provenance` and `ImageModel.account` tell.
        """
        accounts = [model.account(self._images(model, part)) for part in self._blocks(torch.arange(len(self._pixels)))]
        learned = {_LEARNED: self._all_scores(model, model.learned_scores)} if BEFORE in self._metrics else {}
        return {
            **self.answers(model, self.scores(model)),
            **{name: torch.cat([one[name] for one in accounts]).detach().cpu().numpy() for name in accounts[0]},
            **{name: values.detach().cpu().numpy() for name, values in model.provenance(self.view(model)).items()},
            **{name: values.cpu().numpy() for name, values in learned.items()},
        }

    @property
    def targets(self) -> Tensor:
        """Classes [N], or labels [N, T], NaN where not known, of all images."""
        return self._dataset.y

    def scores(self, model: ImageModel) -> Tensor:
        """Scores [N, C] of all images, on the CPU."""
        return self._all_scores(model, model).cpu()

    def probabilities(self, model: ImageModel, scores: Tensor) -> Tensor:
        """Probabilities of scores, of the classes of an image or of each of its labels."""
        return model.probabilities(scores) if self._dataset.kind == "classes" else scores.sigmoid()

    def answers(self, model: ImageModel, scores: Tensor) -> dict[str, np.ndarray]:
        """Scores, their probabilities and predictions, and the image ids of each split: what `table` reads."""
        probabilities = self.probabilities(model, scores)
        classes = self._dataset.kind == "classes"
        return {
            **{f"{split}_images": images.numpy() for split, images in self._splits.items()},
            "scores": scores.numpy(),
            "probabilities": probabilities.numpy(),
            "predicted": (scores.argmax(dim=1) if classes else (probabilities > 0.5).long()).numpy(),
        }

    def table(self, predictions: dict[str, np.ndarray]) -> Columns:
        """The columns of predictions.csv, see `graphkit.tasks.tables.image_table`."""
        return image_table(self._dataset, predictions)

    def facts(self) -> dict[str, Any]:
        """What the data set tells of itself."""
        return self._dataset.facts()

    def view(self, model: ImageModel) -> ImageView:
        """The data as the model may know it: training images and their targets."""
        images = self._splits["train"]

        def batches() -> Iterator[tuple[Tensor, Tensor]]:
            for part in self._blocks(images):
                yield part.to(self._device), self._images(model, part)

        ids = images.to(self._device)
        return ImageView(kind=self._dataset.kind, num_images=len(self._pixels), images=ids, y=self._y[ids], batches=batches)

    def _images(self, model: ImageModel, images: Tensor) -> Tensor:
        """Pixels on the device, in the precision of the model."""
        return self._pixels[images].to(self._device, model.center.dtype)

    def _blocks(self, images: Tensor) -> tuple[Tensor, ...]:
        values = self._pixels[0].numel()
        blocks: tuple[Tensor, ...] = images.split(max(1, min(self._train.eval_batch_size, 256, _BLOCK // values)))
        return blocks

    def _all_scores(self, model: ImageModel, score: Callable[[Tensor], Tensor]) -> Tensor:
        """Scores [N, C] of all images: those that `evaluate` judges bit for bit, which depend on what is in a block."""
        parts = [self._splits[split] for split in EVALUATED]
        rest = torch.ones(len(self._pixels), dtype=torch.bool)
        rest[torch.cat(parts)] = False
        parts = [part for part in (*parts, rest.nonzero().view(-1)) if part.numel()]
        scores = torch.cat([self._scores(model, part, score) for part in parts])
        return scores[torch.cat(parts).argsort().to(scores.device)]

    def _scores(self, model: ImageModel, images: Tensor, score: Callable[[Tensor], Tensor]) -> Tensor:
        """Scores [B, C] of some images, at least in single precision."""
        outputs = [score(self._images(model, part)).detach() for part in self._blocks(images)]
        return torch.cat([one.float() if one.dtype in (torch.bfloat16, torch.float16) else one for one in outputs])

    def _loss(self, scores: Tensor, y: Tensor) -> Tensor:
        """The mean loss of scores [B, C] against targets, at least in single precision."""
        if scores.dtype in (torch.bfloat16, torch.float16):
            scores = scores.float()
        if self._dataset.kind == "classes":
            return F.cross_entropy(scores, y)
        known = ~y.isnan()
        if not bool(known.any()):
            return scores.sum() * 0.0
        return F.binary_cross_entropy_with_logits(scores[known], y[known].to(scores.dtype))


def _moved(images: Tensor, shift: Tensor, most: int) -> Tensor:
    """Every image moved by shift - most rows and columns; what comes in repeats the border."""
    height, width = images.shape[2:]
    padded = F.pad(images, (most,) * 4, mode="replicate" if most < min(height, width) else "constant")
    rows = shift[:, :1] + torch.arange(height, device=images.device)
    columns = shift[:, 1:] + torch.arange(width, device=images.device)
    image = torch.arange(len(images), device=images.device).view(-1, 1, 1)
    return padded.permute(0, 2, 3, 1)[image, rows.unsqueeze(2), columns.unsqueeze(1)].permute(0, 3, 1, 2)


def _counts(dataset: ImageSet, images: Tensor) -> TargetCounts:
    """What a split knows of the targets."""
    y = dataset.y[images]
    if dataset.kind == "classes":
        return TargetCounts("classes", dataset.num_targets, y.unique().numel())
    both = (y == 1).any(dim=0) & (y == 0).any(dim=0)
    return TargetCounts("labels", dataset.num_targets, int(both.sum()))


def _missing_classes(dataset: ImageSet) -> tuple[str, ...]:
    """A sentence on classes that no training image has."""
    if dataset.kind != "classes":
        return ()
    seen = dataset.y[dataset.splits["train"]].bincount(minlength=dataset.num_targets)
    missing = (seen == 0).nonzero().view(-1).tolist()
    names = [dataset.class_names[number] if dataset.class_names else str(number) for number in missing]
    if not names:
        return ()
    which = "these classes" if len(names) > 1 else "it"
    return (f"no training image is of class {', '.join(names)}: images of {which} count as errors, and have no prototype",)
