"""What prototype models of images share: branches of parts and prototypes under one head, and the phases of their training."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar, NamedTuple, TypedDict, cast

import torch
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least
from graphkit.models.image.base import ImageModel, ImageView
from graphkit.models.image.cnn import make_backbone
from graphkit.models.prototype_training import Kept, Trained, nearest_samples, stages
from graphkit.prototypes import (
    Branch,
    PartBatch,
    Pooled,
    PrototypeBank,
    class_identity,
    contributions,
    project,
)
from graphkit.prototypes.labels import multi_hot
from graphkit.training.stages import Stage, Step
from graphkit.vision import Backbone, Box, Grid

Loss = Callable[[Tensor, Tensor], Tensor]


class PrototypeOptions(TypedDict, total=False):
    """Arguments of `PrototypeNetwork` that every model passes on."""

    hidden_channels: int
    num_layers: int
    channels: int
    per_class: int
    warm_epochs: int
    head_epochs: int
    cycles: int
    unique: bool


class Seen(NamedTuple):
    """What the branches see of a batch.

    Attributes:
        maps: Maps of the backbone, after every block.
        parts: Parts of every branch.
        pooled: Their similarities to the prototypes of the branch.
    """

    maps: list[Tensor]
    parts: list[PartBatch]
    pooled: list[Pooled]

    @property
    def similarity(self) -> Tensor:
        """Of all branches side by side [B, M]: what the head reads."""
        return torch.cat([one.similarity for one in self.pooled], dim=1)


class Encoder(nn.Module):
    """All that turns images into the parts of a branch, as the fingerprint of a bank wants it."""

    def __init__(self, model: PrototypeNetwork, branch: int) -> None:
        super().__init__()
        self.add_on = model.add_ons[branch]
        self.blocks = nn.Sequential(*list(model.backbone)[: model.layers[branch] + 1])
        self.register_buffer("center", model.center)
        self.register_buffer("spread", model.spread)


class PrototypeNetwork(ImageModel):
    """Maps of a small CNN become parts, whose similarities to prototypes a head sums up to scores.

    A branch has a map, two 1x1 convolutions (`add_on`) and a bank of prototypes; most models have one. Training: warm (add-ons
    and prototypes), joint (with the backbone), project (every prototype becomes the nearest patch of a training image of its
    class), head alone; joint, project and head again in every cycle. Only epochs after a projection are selected. A class
    without training images gets no prototype.

    A subclass makes its branches by `add_branch`, then sets `head`, then calls `keep_learned`.

    Args:
        in_channels: Channels of the images.
        out_channels: Number of scores per image.
        size: Height and width of the images.
        class_counts: Training images of each class or label; default: all have some.
        hidden_channels: Channels of the maps.
        num_layers: 3x3 convolutions; 0: one more than the map is halved.
        channels: Width D of the prototypes.
        per_class: Prototypes per class of a branch.
        warm_epochs: Epochs of the warm phase; 0: none.
        head_epochs: Epochs of the head's phase.
        cycles: How often joint, project and head follow each other.
        unique: No two prototypes of a branch become the same patch.
        backbone: What makes the maps; default: `SmallCNN`.

    Raises:
        ValueError: A number out of its range.
    """

    projects: ClassVar[bool] = True
    head_learns_jointly: ClassVar[bool] = False
    """Whether the head also learns with prototypes and backbone; one that starts without a clear opinion has to."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        size: tuple[int, int],
        *,
        class_counts: tuple[int, ...] = (),
        hidden_channels: int = 32,
        num_layers: int = 0,
        channels: int = 32,
        per_class: int = 5,
        warm_epochs: int = 5,
        head_epochs: int = 10,
        cycles: int = 1,
        unique: bool = False,
        backbone: Backbone | None = None,
    ) -> None:
        super().__init__(in_channels)
        check_at_least(1, channels=channels, per_class=per_class, head_epochs=head_epochs, cycles=cycles)
        check_at_least(0, warm_epochs=warm_epochs)
        self.backbone: Backbone = backbone or make_backbone(
            in_channels, size, hidden_channels=hidden_channels, num_layers=num_layers
        )
        counts = class_counts or (1,) * out_channels
        self.size, self.hidden_channels, self.channels, self.unique = size, hidden_channels, channels, unique
        self.per_class = per_class
        self.counts = [per_class if count else 0 for count in counts]
        self.warm_epochs, self.head_epochs, self.cycles = warm_epochs, head_epochs, cycles
        self.layers: list[int] = []
        self.add_ons, self.banks = nn.ModuleList(), nn.ModuleList()

    def add_branch(self, bank: PrototypeBank, add_on: nn.Module, layer: int = -1) -> None:
        """Compare the map after a block with the prototypes of a bank.

        Args:
            bank: Prototypes.
            add_on: Applied to the map; it gives as many channels as prototypes have.
            layer: Number of the block, negative from the last one on.
        """
        self.layers.append(layer % len(self.backbone))
        self.add_ons.append(add_on)
        self.banks.append(bank)

    @property
    def prototypes(self) -> list[PrototypeBank]:
        """The bank of every branch."""
        return cast("list[PrototypeBank]", list(self.banks))

    def identity(self) -> Tensor:
        """Classes of the prototypes of a branch [M, C]."""
        return class_identity(self.counts)

    def keep_learned(self) -> None:
        """Make room for prototypes and head as they are learned; called when all branches and the head are there."""
        self.unprojected = Kept(dict(self._decisive()))

    def _decisive(self) -> Iterator[tuple[str, nn.Parameter]]:
        """The parameters of prototypes and head."""
        for room in ("banks", "head"):
            for name, parameter in getattr(self, room).named_parameters():
                yield f"{room}.{name}", parameter

    # --------------------------------------------------------------------------------------------------- forward

    def see(self, images: Tensor, samples: Tensor | None = None) -> Seen:
        """The parts of images and their similarities to the prototypes.

        Args:
            images: Images [B, C, H, W].
            samples: Their ids; default: 0, 1, ...
        """
        maps = self.backbone.maps(self.standardized(images))
        ids = torch.arange(len(images), device=images.device) if samples is None else samples
        parts = [PartBatch.of_maps(add(maps[layer]), ids) for layer, add in zip(self.layers, self.add_ons, strict=True)]
        return Seen(maps, parts, [bank(part) for bank, part in zip(self.banks, parts, strict=True)])

    @torch.no_grad()
    def fit(self, view: ImageView) -> None:
        """Also give normalization its statistics over the training images, which the warm phase holds; see `ImageModel.fit`."""
        super().fit(view)
        norms = [module for module in self.backbone.modules() if isinstance(module, nn.BatchNorm2d)]
        momenta = [norm.momentum for norm in norms]
        was_training = self.training
        self.train()
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the mean over all batches
        for _, images in view.batches():
            self.backbone(self.standardized(images))
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        self.train(was_training)

    def embed(self, images: Tensor) -> Tensor:
        """The mean over the parts, of all branches side by side [B, branches x D]."""
        return torch.cat([part.z.mean(dim=1) for part in self.see(images).parts], dim=1)

    def forward(self, images: Tensor) -> Tensor:
        """Scores of the images [B, out_channels]."""
        scores: Tensor = self.head(self.see(images).similarity)
        return scores

    def learned_scores(self, images: Tensor) -> Tensor:
        """As of `ImageModel`; the encoder has not moved since the projection."""
        if not all(bool(bank.projected) for bank in self.prototypes):
            scores: Tensor = self(images)
            return scores
        learned: Tensor = torch.func.functional_call(self, self.unprojected.tensors(), (images,))
        return learned

    # -------------------------------------------------------------------------------------------------- training

    @abstractmethod
    def loss_of(self, seen: Seen, y: Tensor, loss: Loss) -> Tensor:
        """The loss of a batch, given what the branches see of it."""

    def training_loss(self, images: Tensor, y: Tensor, loss: Loss) -> Tensor:
        """See `ImageModel.training_loss`."""
        return self.loss_of(self.see(images), y, loss)

    def present(self, y: Tensor) -> Tensor:
        """Which classes images have [B, C]; a label that is not known is none."""
        return multi_hot(y, self.prototypes[0].num_classes) if y.dim() == 1 else y.nan_to_num(0.0) > 0

    def unknown(self, y: Tensor) -> Tensor:
        """Which labels of images are not known [B, C]; of classes all are."""
        return torch.zeros_like(self.present(y)) if y.dim() == 1 else y.isnan()

    def stages(self, view: ImageView, step: Step, *, lr: float, head_lr: float | None) -> Sequence[Stage]:
        """Warm, then per cycle joint (`train.epochs`), project and head; see the class."""
        return stages(
            step,
            lambda: self.project(view),
            encoder=Trained([self.backbone], lr),
            prototypes=Trained([self.add_ons, self.banks], lr),
            classifier=Trained([self.head], lr if head_lr is None else head_lr),
            joint_classifier=self.head_learns_jointly,
            warm_epochs=self.warm_epochs,
            head_epochs=self.head_epochs,
            cycles=self.cycles,
        )

    @torch.no_grad()
    def project(self, view: ImageView) -> None:
        """Make every prototype the nearest patch of a training image of its classes; keep what was learned.

        Raises:
            RequestError: A prototype has no patch to become.
        """
        self.unprojected.keep(dict(self._decisive()))
        labels = torch.zeros(view.num_images, self.present(view.y).size(1), dtype=torch.bool, device=view.y.device)
        labels[view.images] = self.present(view.y)
        train = torch.zeros(view.num_images, dtype=torch.bool, device=view.y.device)
        train[view.images] = True
        for branch, bank in enumerate(self.prototypes):

            def parts(branch: int = branch) -> Iterator[PartBatch]:
                for ids, images in view.batches():
                    yield self.see(images, ids).parts[branch]

            self.eval()  # the loop puts the model into training mode at every epoch that trains
            project(bank, Encoder(self, branch), parts, labels=labels, train=train, is_unique=self.unique)

    # ----------------------------------------------------------------------------------------------- explanation

    def branches(self, images: Tensor, samples: Tensor) -> list[Branch]:
        """What `graphkit.prototypes.explain_branches` asks for, of images and their ids."""
        seen = self.see(images, samples)
        return [
            Branch(part, bank, Encoder(self, k)) for k, (part, bank) in enumerate(zip(seen.parts, self.prototypes, strict=True))
        ]

    def provenance(self, view: ImageView) -> dict[str, Tensor]:
        """What is known of every prototype; the names are those of `graphkit.tasks.prototype_report` and, beside them, `box`.

        `prototype_source` (ids of image and part), `prototype_box` (left, top, right, bottom in pixels), `prototype_classes`,
        `prototype_source_similarity` just before the projection, `prototype_nearest`, the images of the nearest training
        patches, and `prototype_projected`, whether it is still its source.
        """
        boxes = [self.box(number, int(item)) for number, (_, item) in enumerate(self.sources.tolist())]
        kept = [bank.is_projected(Encoder(self, branch)) for branch, bank in enumerate(self.prototypes)]
        sizes = torch.tensor([bank.num_prototypes for bank in self.prototypes])
        return {
            "prototype_source": self.sources,
            "prototype_box": torch.tensor(boxes),
            "prototype_classes": self.identities,
            "prototype_source_similarity": torch.cat([bank.source_similarity for bank in self.prototypes]),
            "prototype_nearest": torch.cat([self._nearest(view, branch) for branch in range(len(self.banks))]),
            "prototype_projected": torch.tensor(kept).repeat_interleave(sizes),
        }

    def _nearest(self, view: ImageView, branch: int) -> Tensor:
        """Images of the training patches that are nearest to the prototypes of a branch [M, K]."""
        bank = self.prototypes[branch]
        train = torch.zeros(view.num_images, dtype=torch.bool, device=view.y.device)
        train[view.images] = True
        batches = (self.see(images, ids).parts[branch] for ids, images in view.batches())
        return nearest_samples(bank, batches, train)

    def account(self, images: Tensor) -> dict[str, Tensor]:
        """What the prototypes add to the predicted class, and scores before and after the projection, by the same head."""
        similarity = self.see(images).similarity
        added, _ = contributions(self.head, similarity, self.head(similarity).argmax(dim=1))  # type: ignore[arg-type]
        found = {"prototype_contributions": added.float()}
        if not all(bool(bank.projected) for bank in self.prototypes):
            return found
        after: Tensor = torch.func.functional_call(self, self.unprojected.tensors(without="banks."), (images,))
        return {**found, "scores_before_projection": self.learned_scores(images), "scores_after_projection": after}

    @property
    def sources(self) -> Tensor:
        """Ids of image and part that the prototypes of all branches are [M, 2]; -1 before the first projection."""
        return torch.cat([bank.source for bank in self.prototypes])

    @property
    def identities(self) -> Tensor:
        """Classes of the prototypes of all branches [M, C]."""
        return torch.cat([bank.identity for bank in self.prototypes])

    def grid(self, branch: int) -> Grid:
        """Where the parts of a branch look."""
        return self.backbone.grids[self.layers[branch]]

    def branch_of(self, prototype: int) -> int:
        """The branch of a prototype."""
        first = 0
        for branch, bank in enumerate(self.prototypes):
            first += bank.num_prototypes
            if prototype < first:
                return branch
        raise IndexError(f"there is no prototype {prototype}")

    def map_size(self, branch: int) -> tuple[int, int]:
        """Height and width of the map of a branch."""
        stride = self.grid(branch).stride
        return max(self.size[0] // stride, 1), max(self.size[1] // stride, 1)

    def box(self, prototype: int, item: int) -> Box:
        """The pixels that a part sees, as the branch of a prototype makes parts."""
        branch = self.branch_of(prototype)
        return self.grid(branch).box(item, self.map_size(branch)[1], self.size)
