"""Prototypes at several scales, which speak in groups."""

from __future__ import annotations

from typing import ClassVar, Unpack

from torch import Tensor

from graphkit.layers.checks import check_at_least
from graphkit.models.image.prototype_network import Loss, PrototypeNetwork, PrototypeOptions, Seen
from graphkit.prototypes import GroupedHead, PrototypeBank, losses
from graphkit.vision import add_on


class MultiScale(PrototypeNetwork):
    """Prototypes on the maps after the last blocks, and a head whose groups put scales together.

    L = L_task + cluster L_clst + separation L_sep + diversity L_div + entropy H(groups), where L_div keeps the prototypes of a
    class and scale at different places. For classification: the original labels every pixel and has no pool.

    Args:
        in_channels: Channels of the images.
        out_channels: Number of scores per image.
        size: Height and width of the images.
        class_counts: Training images of each class or label; each needs some.
        scales: Blocks that are compared with prototypes, the last ones; at most as many as there are.
        similarity: Of a patch to a prototype: `log-l2` or `rbf`, since groups need positive ones.
        activation: Of the patches.
        groups: Groups per class.
        cluster: Weight of the distance of images to their nearest own prototype.
        separation: Weight of their similarity to prototypes of other classes.
        diversity: Weight of places that prototypes of a class share.
        entropy: Weight of the entropy of groups: small ones rest on few prototypes.
        **options: See `PrototypeNetwork`; `per_class` is that of a scale.

    Raises:
        ValueError: A number out of its range, an unknown name, or a class without training images.

    Source: the grouping of ScaleProtoSeg, BMVC 2024, on classification.
    """

    head_learns_jointly: ClassVar[bool] = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        size: tuple[int, int],
        *,
        class_counts: tuple[int, ...] = (),
        scales: int = 2,
        similarity: str = "log-l2",
        activation: str = "sigmoid",
        groups: int = 3,
        cluster: float = 0.1,
        separation: float = 0.01,
        diversity: float = 0.25,
        entropy: float = 0.05,
        **options: Unpack[PrototypeOptions],
    ) -> None:
        super().__init__(in_channels, out_channels, size, class_counts=class_counts, **options)
        check_at_least(1, scales=scales)
        check_at_least(0, cluster=cluster, separation=separation, diversity=diversity, entropy=entropy)
        if scales > len(self.backbone):
            raise ValueError(f"scales must be at most the number of blocks, {len(self.backbone)}, got {scales}")
        if similarity not in ("log-l2", "rbf"):
            raise ValueError(f"similarity must be log-l2 or rbf, which are positive, got {similarity!r}")
        for layer in range(-scales, 0):
            bank = PrototypeBank(self.identity(), self.channels, similarity=similarity)
            self.add_branch(bank, add_on(self.hidden_channels, self.channels, activation), layer)
        self.head: GroupedHead = GroupedHead(self.identities, groups=groups)
        self.cluster, self.separation, self.diversity, self.entropy = cluster, separation, diversity, entropy
        self.keep_learned()

    def loss_of(self, seen: Seen, y: Tensor, loss: Loss) -> Tensor:
        """See the class."""
        present = self.present(y)
        allowed = present | self.unknown(y)
        total = loss(self.head(seen.similarity), y) + self.entropy * self.head.entropy()
        for bank, one, parts in zip(self.prototypes, seen.pooled, seen.parts, strict=True):
            total = total + self.cluster * losses.cluster(one.similarity, present, bank.identity)
            total = total + self.separation * losses.separation(one.similarity, allowed, bank.identity)
            if self.diversity:
                places = losses.activation_diversity(bank.compare(parts.z), parts.mask, bank.identity)
                total = total + self.diversity * places
        return total
