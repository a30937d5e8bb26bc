"""ST-ProtoPNet: support prototypes at the boundary between classes, trivial ones far from it."""

from __future__ import annotations

from typing import Unpack

from torch import Tensor

from graphkit.layers.checks import check_at_least
from graphkit.models.image.prototype_network import Loss, PrototypeNetwork, PrototypeOptions, Seen
from graphkit.prototypes import LinearHead, PrototypeBank, losses
from graphkit.vision import add_on


class STProtoPNet(PrototypeNetwork):
    """Two branches on one map, whose logits are added.

    Each branch b has the loss L_task(logits_b) + cluster L_clst + s_b L_sep + orthogonality L_orth + l1 |w_off|, to which the
    trivial branch adds discrimination L_discr, the support branch closeness L_close. A step trains both; the original trains
    them in turn, batch by batch. Its reported model is not projected; this one is.

    Args:
        in_channels: Channels of the images.
        out_channels: Number of scores per image.
        size: Height and width of the images.
        class_counts: Training images of each class or label.
        similarity: Of a patch to a prototype; the original: `projection` on cropped images, `relu-cosine` on others.
        activation: Of the patches.
        cluster: Weight of the distance of images to their nearest own prototype.
        separation: Weight of their similarity to trivial prototypes of other classes.
        support_separation: The same for support prototypes.
        orthogonality: Weight that keeps prototypes of a class apart.
        closeness: Weight that draws support prototypes toward other classes.
        discrimination: Weight that drives trivial prototypes away from other classes.
        l1: Weight of the head's weights on prototypes of other classes.
        **options: See `PrototypeNetwork`; `per_class` is that of a branch.

    Raises:
        ValueError: A number out of its range, or an unknown name.

    Source: Wang et al., Learning Support and Trivial Prototypes for Interpretable Image Classification, ICCV 2023.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        size: tuple[int, int],
        *,
        class_counts: tuple[int, ...] = (),
        similarity: str = "cosine",
        activation: str = "tanh",
        cluster: float = 0.8,
        separation: float = 0.08,
        support_separation: float = 0.48,
        orthogonality: float = 1e-3,
        closeness: float = 1.0,
        discrimination: float = 1.0,
        l1: float = 1e-4,
        **options: Unpack[PrototypeOptions],
    ) -> None:
        super().__init__(in_channels, out_channels, size, class_counts=class_counts, **options)
        check_at_least(0, cluster=cluster, separation=separation, support_separation=support_separation, l1=l1)
        check_at_least(0, orthogonality=orthogonality, closeness=closeness, discrimination=discrimination)
        for _ in range(2):
            bank = PrototypeBank(self.identity(), self.channels, similarity=similarity)
            self.add_branch(bank, add_on(self.hidden_channels, self.channels, activation))
        self.head: LinearHead = LinearHead(self.identities)
        self.cluster, self.orthogonality, self.l1 = cluster, orthogonality, l1
        self.separations = (separation, support_separation)
        self.closeness, self.discrimination = closeness, discrimination
        self.keep_learned()

    def loss_of(self, seen: Seen, y: Tensor, loss: Loss) -> Tensor:
        """The loss of both branches, see the class."""
        present = self.present(y)
        allowed = present | self.unknown(y)
        trivial, support = self.prototypes
        total = self.discrimination * losses.discrimination(trivial.weight, trivial.identity)
        total = total + self.closeness * losses.closeness(support.weight, support.identity)
        total = total + self.l1 * losses.off_class_l1(self.head.weight, self.identities)
        weights = self.head.matrix().split([bank.num_prototypes for bank in self.prototypes], dim=1)
        for bank, one, weight, apart in zip(self.prototypes, seen.pooled, weights, self.separations, strict=True):
            total = total + loss(one.similarity @ weight.t(), y)
            total = total + self.cluster * losses.cluster(one.similarity, present, bank.identity)
            total = total + apart * losses.separation(one.similarity, allowed, bank.identity)
            total = total + self.orthogonality * losses.orthogonality(bank.weight, bank.identity)
        return total
