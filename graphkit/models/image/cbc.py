"""Classification-by-Components on images: components that are there or are not, and a margin that is certified."""

from __future__ import annotations

import math
from typing import ClassVar, Unpack

import torch
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least, check_choice
from graphkit.models.image.base import ImageView
from graphkit.models.image.prototype_network import Loss, PrototypeNetwork, PrototypeOptions, Seen
from graphkit.prototypes import ComponentsHead, PrototypeBank, losses
from graphkit.prototypes.labels import shares_class
from graphkit.vision import Pixels, add_on, lipschitz_bound

ENCODERS = ("cnn", "pixels")
_LEAST = 1e-12


class CBC(PrototypeNetwork):
    """Detections d_k = max over patches of exp(-|z - w_k| / sigma_k) and the head of stable Classification-by-Components.

    L = mean of max(largest wrong p - right p + width, 0), without cross-entropy; with `robust` the mean of
    max(robust - margin, 0) is added, where margins are those in the space of the patches.

    Args:
        in_channels: Channels of the images.
        out_channels: Number of classes.
        size: Height and width of the images.
        class_counts: Training images of each class.
        encoder: `cnn`, or `pixels`: the whole image is the only patch, and components are images.
        activation: Of the patches of a CNN.
        scale: The sigma that components start with, in the unit of the patches; 0: their mean distance from each other.
        concepts: Ways in which a class can be recognized.
        width: Of the margin loss.
        robust: Margin below which the robust loss is felt; 0: it is left out.
        **options: See `PrototypeNetwork`.

    Raises:
        ValueError: A number out of its range, or an unknown name.

    Source: Saralajew et al., A Robust Prototype-Based Network with Interpretable RBF Classifier Foundations, AAAI 2025
        (arXiv:2412.15499). Detections by a maximum over patches of a CNN are ours; there they are pooled softmaxes.
    """

    takes_labels: ClassVar[bool] = False
    head_learns_jointly: ClassVar[bool] = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        size: tuple[int, int],
        *,
        class_counts: tuple[int, ...] = (),
        encoder: str = "cnn",
        activation: str = "none",
        scale: float = 0.0,
        concepts: int = 1,
        width: float = 0.3,
        robust: float = 0.0,
        **options: Unpack[PrototypeOptions],
    ) -> None:
        check_choice(ENCODERS, encoder=encoder)
        check_at_least(0, scale=scale, width=width, robust=robust)
        pixels = Pixels(in_channels, size) if encoder == "pixels" else None
        super().__init__(in_channels, out_channels, size, class_counts=class_counts, backbone=pixels, **options)
        channels = self.channels if pixels is None else in_channels * size[0] * size[1]
        added = add_on(self.hidden_channels, channels, activation) if pixels is None else nn.Identity()
        bank = PrototypeBank(self.identity(), channels, similarity="rbf")
        self.add_branch(bank, added)
        # A class starts with nine tenths of its reasoning on own components: a vote of those that are detected.
        others = 2 * bank.num_prototypes / self.per_class - 1
        self.head: ComponentsHead = ComponentsHead(self.identity(), concepts=concepts, own_start=math.log(9 * others))
        self.scale, self.width, self.robust = scale, width, robust
        self.keep_learned()

    @torch.no_grad()
    def fit(self, view: ImageView) -> None:
        """Also start components as patches of training images of their classes, drawn by the global generator.

        A detection is as good as 0 far from all patches, and there is no gradient that leads back. Of the patches of an image
        one is drawn by its squared distance from the mean patch, as k-means++ does: background is everywhere and tells nothing.
        """
        super().fit(view)
        bank = self.prototypes[0]
        own = shares_class(self.present(view.y), bank.identity).t()
        chosen = view.images[torch.multinomial(own.float().cpu(), 1).squeeze(1).to(own.device)]
        was_training = self.training
        self.eval()
        for ids, images in view.batches():
            image, prototype = (ids.unsqueeze(1) == chosen).nonzero(as_tuple=True)
            z = self.see(images, ids).parts[0].z
            apart = (z - z.mean(dim=(0, 1))).square().sum(dim=2)[image] + _LEAST
            bank.weight[prototype] = z[image, torch.multinomial(apart.cpu(), 1).squeeze(1).to(z.device)]
        self.train(was_training)
        scale = self.scale or float(torch.pdist(bank.weight).mean()) or 1.0
        bank.log_scale.fill_(math.log(scale))  # type: ignore[union-attr]

    def probabilities(self, scores: Tensor) -> Tensor:
        """The p of the classes divided by their sum."""
        return scores / scores.sum(dim=1, keepdim=True).clamp(min=torch.finfo(scores.dtype).tiny)

    def loss_of(self, seen: Seen, y: Tensor, loss: Loss) -> Tensor:
        """See the class."""
        total = losses.margin(self.head(seen.similarity), y, self.width)
        if self.robust:
            margins = self.head.margin(seen.similarity, y) * self._least_scale()
            total = total + losses.robust_margin(margins, self.robust)
        return total

    def _least_scale(self) -> Tensor:
        scale: Tensor = self.prototypes[0].log_scale  # type: ignore[assignment]
        return scale.exp().min()

    @torch.no_grad()
    def certified(self, images: Tensor, labels: Tensor) -> Tensor:
        """How far the pixels of an image may move, in L2, before another class can win: a lower bound, [B].

        The margin in the space of the patches, divided by how much the encoder can stretch a change (`lipschitz_bound`, in
        evaluation mode). Positive exactly where the right class wins. Exact up to the bound for `pixels`; far from tight for a
        CNN.

        Args:
            images: Images in [0, 1].
            labels: Right classes [B].
        """
        similarity = self.see(images).similarity
        encoder = nn.Sequential(self.backbone, self.add_ons[0])
        stretch = lipschitz_bound(encoder, self.size) / float(self.spread.min())
        return self.head.margin(similarity, labels, float(self._least_scale())).double() / stretch
