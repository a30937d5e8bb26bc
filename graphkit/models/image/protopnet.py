"""ProtoPNet: this looks like that."""

from __future__ import annotations

from typing import Unpack

import torch
from torch import Tensor

from graphkit.layers.checks import check_at_least, check_choice
from graphkit.models.image.base import ImageView
from graphkit.models.image.prototype_network import Loss, PrototypeNetwork, PrototypeOptions, Seen
from graphkit.prototypes import LinearHead, OwnClassHead, PrototypeBank, losses
from graphkit.prototypes.labels import shares_class
from graphkit.vision import add_on, space_to_depth

CLASSIFIERS = ("linear", "own-class")


class ProtoPNet(PrototypeNetwork):
    """One branch of patches, the largest similarity of each prototype, and a linear head that starts at +1 and -0.5.

    L = L_task + cluster L_clst + separation L_sep + orthogonality L_orth + l1 |w_off| + alignment L_sdfa + contrast L_con,
    see `graphkit.prototypes.losses`. As options the head and the alignment of EvalProtoPNet, and for several labels per image
    the contrastive loss of ProtoECGNet.

    The published settings are similarity=log-l2, activation=sigmoid, per_class=10, cluster=0.8, separation=0.08, l1=1e-4, for
    images of birds. The defaults are those that ProtoPNext recommends: cosines and 5 prototypes.

    Args:
        in_channels: Channels of the images.
        out_channels: Number of scores per image.
        size: Height and width of the images.
        class_counts: Training images of each class or label.
        similarity: Of a patch to a prototype.
        activation: Of the patches: `none`, `sigmoid` or `tanh`.
        classifier: `linear`, or `own-class`, where no prototype speaks for another class (score aggregation).
        cluster: Weight of the distance of images to their nearest own prototype.
        separation: Weight of their similarity to prototypes of other classes.
        orthogonality: Weight that keeps prototypes of a class apart.
        l1: Weight of the head's weights on prototypes of other classes.
        alignment: Weight of shallow-deep alignment: deep patches stay where they look.
        contrast: Weight of the co-occurrence contrastive loss, for several labels per image.
        **options: See `PrototypeNetwork`.

    Raises:
        ValueError: A number out of its range, or an unknown name.

    Source: Chen et al., This Looks Like That, NeurIPS 2019; Huang et al., Evaluation and Improvement of Interpretability, ICCV
        2023; ProtoECGNet, 2025.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        size: tuple[int, int],
        *,
        class_counts: tuple[int, ...] = (),
        similarity: str = "cosine",
        activation: str = "none",
        classifier: str = "linear",
        cluster: float = 0.8,
        separation: float = 0.08,
        orthogonality: float = 0.0,
        l1: float = 1e-4,
        alignment: float = 0.0,
        contrast: float = 0.0,
        **options: Unpack[PrototypeOptions],
    ) -> None:
        super().__init__(in_channels, out_channels, size, class_counts=class_counts, **options)
        check_choice(CLASSIFIERS, classifier=classifier)
        check_at_least(0, cluster=cluster, separation=separation, orthogonality=orthogonality)
        check_at_least(0, l1=l1, alignment=alignment, contrast=contrast)
        identity = self.identity()
        bank = PrototypeBank(identity, self.channels, similarity=similarity)
        self.add_branch(bank, add_on(self.hidden_channels, self.channels, activation))
        self.head = LinearHead(identity) if classifier == "linear" else OwnClassHead(identity)
        self.weights = {
            "cluster": cluster, "separation": separation, "orthogonality": orthogonality, "l1": l1, "alignment": alignment,
            "contrast": contrast,
        }  # fmt: skip
        self.register_buffer("jaccard", torch.zeros(out_channels, out_channels))
        self.jaccard: Tensor
        self.keep_learned()

    def fit(self, view: ImageView) -> None:
        """Also how often labels occur together on training images."""
        super().fit(view)
        self.jaccard.copy_(losses.co_occurrence(self.present(view.y)))

    def loss_of(self, seen: Seen, y: Tensor, loss: Loss) -> Tensor:
        """See the class."""
        similarity, (bank,) = seen.similarity, self.prototypes
        identity, present = bank.identity, self.present(y)
        terms = {
            "cluster": lambda: losses.cluster(similarity, present, identity),
            "separation": lambda: losses.separation(similarity, present | self.unknown(y), identity),
            "orthogonality": lambda: losses.orthogonality(bank.weight, identity),
            "l1": lambda: self._off_class(identity),
            "alignment": lambda: self._alignment(seen, present, identity),
            "contrast": lambda: losses.co_occurrence_contrast(bank.weight, identity, self.jaccard),
        }
        total = loss(self.head(similarity), y)
        for name, weight in self.weights.items():
            if weight:
                total = total + weight * terms[name]()
        return total

    def _off_class(self, identity: Tensor) -> Tensor:
        if isinstance(self.head, LinearHead):
            return losses.off_class_l1(self.head.weight, identity)
        return identity.new_zeros((), dtype=torch.float32)

    def _alignment(self, seen: Seen, present: Tensor, identity: Tensor) -> Tensor:
        shallow = space_to_depth(seen.maps[0], *self.map_size(0)).flatten(2).transpose(1, 2)
        return losses.alignment(shallow, seen.parts[0].z, seen.pooled[0].part, shares_class(present, identity))
