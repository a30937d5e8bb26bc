"""The head of a model whose decisions are sums over similarities to prototypes, with its loss and its phases of training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least, check_choice
from graphkit.models.prototype_training import Kept, Trained, nearest_samples, stages
from graphkit.prototypes import (
    ComponentsHead,
    DistanceHead,
    LinearHead,
    OwnClassHead,
    PartBatch,
    PrototypeBank,
    class_identity,
    contributions,
    losses,
    project,
)
from graphkit.prototypes.projection import evaluating
from graphkit.prototypes.similarity import ANGULAR, SIMILARITIES
from graphkit.training.stages import Stage, Step

NEEDS: dict[str, tuple[str, ...]] = {
    "linear": tuple(SIMILARITIES),
    "own-class": tuple(SIMILARITIES),
    "components": ("rbf", "relu-cosine"),
    "distance": ("negative-l2",),
}
"""The classifiers, and which similarities each can read."""
TERMS = {"angle": (0.8, 0.08), "distance": (0.05, 0.005)}
"""Weights of cluster and separation. Those of ProtoPNet for angles; its distances are bounded, and unbounded embeddings would
shrink to one point with them."""

Parts = Callable[[], Iterable[PartBatch]]


class PrototypeOptions(TypedDict, total=False):
    """Arguments of `PrototypeHead` that models pass on."""

    per_class: int
    similarity: str
    pool: str
    top_k: int
    sharpness: float
    classifier: str
    concepts: int
    cluster: float | None
    separation: float | None
    orthogonality: float
    l1: float
    margin: float
    warm_epochs: int
    head_epochs: int
    cycles: int
    joint_classifier: bool
    unique: bool
    projects: bool


class PrototypeHead(nn.Module):
    """Similarities of the parts of a sample to prototypes, and a classifier on them: logits = classifier(pool(bank(z))).

    Prototypes start at random training parts. They are trained in phases: the prototypes warm up; encoder and prototypes train
    jointly, as long as `train.epochs` says; prototypes become training parts; the classifier trains alone. An epoch is selected
    after a projection only.

    The loss is cross entropy, or of `components` the margin loss, and

        cluster L_clst + separation L_sep + orthogonality L_orth + l1 |w_off|

    of `graphkit.prototypes.losses`, the last of classifiers with free weights alone.

    Args:
        in_channels: Width D of embeddings.
        num_classes: C.
        per_class: Prototypes per class, at most as many as it has training samples, see `limit`.
        similarity: A name of `SIMILARITIES`.
        pool: From parts to samples: `max`, `top-k` or `log-sum-exp`.
        top_k: The k of `top-k`, at least 1.
        sharpness: How close `log-sum-exp` is to the maximum, above 0.
        classifier: `linear` (ProtoPNet), `own-class` (EvalProtoPNet), `components` (stable Classification-by-Components; needs
            `rbf` or `relu-cosine`) or `distance` (Li et al.; needs `negative-l2`).
        concepts: Concepts per class of `components`, at least 1.
        cluster: Draws a sample to a prototype of its class; None: as in `TERMS`.
        separation: Drives it from those of others; None: as in `TERMS`.
        orthogonality: Drives the prototypes of a class apart.
        l1: Of the L1 norm of weights of other classes' prototypes.
        margin: Of `components`: by how much the right class should win, at least 0.
        warm_epochs: Length of the first phase; 0: none.
        head_epochs: Length of the last phase of each cycle, at least 1.
        cycles: How often encoder, projection and classifier follow each other, at least 1.
        joint_classifier: Whether the classifier also trains with encoder and prototypes; those that start without
            knowing the prototypes' classes, `components` and `distance`, always do.
        unique: No two prototypes become the same part.
        projects: Whether prototypes become training parts. If not they cannot be shown; the figures tell what showing costs.

    Raises:
        ValueError: A number is out of its range, a name is unknown, or the classifier cannot read the similarity.
    """

    bank: PrototypeBank
    classifier: LinearHead | OwnClassHead | ComponentsHead | DistanceHead

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        *,
        per_class: int = 5,
        similarity: str = "cosine",
        pool: str = "max",
        top_k: int = 3,
        sharpness: float = 10.0,
        classifier: str = "linear",
        concepts: int = 1,
        cluster: float | None = None,
        separation: float | None = None,
        orthogonality: float = 0.0,
        l1: float = 1e-4,
        margin: float = 0.3,
        warm_epochs: int = 10,
        head_epochs: int = 20,
        cycles: int = 1,
        joint_classifier: bool = False,
        unique: bool = True,
        projects: bool = True,
    ) -> None:
        super().__init__()
        check_at_least(1, per_class=per_class, concepts=concepts, head_epochs=head_epochs, cycles=cycles)
        usual = TERMS["angle" if similarity in ANGULAR else "distance"]
        cluster, separation = (
            start if given is None else given for start, given in zip(usual, (cluster, separation), strict=True)
        )
        check_at_least(0, warm_epochs=warm_epochs, margin=margin, cluster=cluster, separation=separation)
        check_at_least(0, orthogonality=orthogonality, l1=l1)
        check_choice(NEEDS, classifier=classifier)
        if similarity not in NEEDS[classifier]:
            raise ValueError(f"classifier={classifier} needs similarity={' or '.join(NEEDS[classifier])}, got {similarity!r}")
        self.per_class, self.similarity, self.pool, self.top_k, self.sharpness = per_class, similarity, pool, top_k, sharpness
        self.kind, self.concepts, self.margin = classifier, concepts, margin
        self.cluster, self.separation = cluster, separation
        self.orthogonality, self.l1 = orthogonality, l1
        self.warm_epochs, self.head_epochs, self.cycles = warm_epochs, head_epochs, cycles
        self.joint_classifier = joint_classifier or classifier in ("components", "distance")
        self.unique, self.projects = unique, projects
        self._make(in_channels, [per_class] * num_classes)

    def _make(self, channels: int, counts: Sequence[int]) -> None:
        self.bank = PrototypeBank(
            class_identity(counts),
            channels,
            similarity=self.similarity,
            pool=self.pool,
            top_k=self.top_k,
            sharpness=self.sharpness,
        )
        identity = self.bank.identity
        if self.kind == "own-class":
            self.classifier = OwnClassHead(identity)
        elif self.kind == "components":
            self.classifier = ComponentsHead(identity, concepts=self.concepts)
        elif self.kind == "distance":
            self.classifier = DistanceHead(*identity.shape)
        else:
            self.classifier = LinearHead(identity)
        self.unprojected = Kept(self._learned())

    def limit(self, labels: Tensor) -> None:
        """Give no class more prototypes than it has training samples; called before training or loading weights.

        Args:
            labels: Classes of the training samples.

        Raises:
            ValueError: The classifier needs a prototype of every class, and one has no sample.
        """
        sizes = labels.bincount(minlength=self.bank.num_classes).clamp(max=self.per_class).tolist()
        if sizes != self.bank.identity.sum(dim=0).tolist():
            like = self.bank.weight
            self._make(like.size(1), sizes)
            self.to(like)

    @torch.no_grad()
    def start(self, encoder: nn.Module, parts: Parts, labels: Tensor) -> None:
        """Put every prototype at a random part of a random training sample of its class, before anything is trained.

        Prototypes far from all parts would hardly be drawn to them where similarity is steep near a prototype alone. The
        scales of `rbf` begin at the mean distance from prototypes to parts.

        Args:
            encoder: All that turns samples into parts.
            parts: Gives the parts of training samples.
            labels: Classes by sample id.
        """
        with evaluating(encoder):
            drawn = [_one_part_each(batch) for batch in parts()]
        z, samples = (torch.cat(found) for found in zip(*drawn, strict=True))
        for label in self.bank.identity.any(dim=0).nonzero().flatten().tolist():
            own = self.bank.identity[:, label].nonzero().flatten()
            candidates = (labels[samples] == label).nonzero().flatten()
            chosen = candidates[torch.randperm(candidates.numel())[: own.numel()].to(candidates.device)]
            self.bank.weight[own] = z[chosen]
        if self.bank.log_scale is not None:
            distance = torch.cdist(self.bank.weight.double(), z.double()).mean(dim=1)
            self.bank.log_scale.copy_(distance.clamp(min=1e-6).log())

    def _learned(self) -> dict[str, Tensor]:
        """What prototypes and classifier learn, by name."""
        return {name: value for name, value in self.named_parameters() if not name.startswith("unprojected")}

    def similarities(self, z: Tensor, ptr: Tensor | None = None) -> Tensor:
        """Pooled similarities [B, M].

        Args:
            z: Embeddings of the parts [T, D], one sample after the other.
            ptr: Where each sample begins, and the end [B + 1]; None: every part is a sample.
        """
        similarity = self.bank.compare(z)
        return similarity if ptr is None else self.bank.pool_ragged(similarity, ptr).similarity

    def forward(self, z: Tensor, ptr: Tensor | None = None) -> Tensor:
        """Class scores [B, C]; arguments as of `similarities`."""
        logits: Tensor = self.classifier(self.similarities(z, ptr))
        return logits

    def loss(self, similarity: Tensor, labels: Tensor, decide: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy) -> Tensor:
        """The loss of samples with these pooled similarities.

        Args:
            similarity: [B, M].
            labels: Classes [B].
            decide: The loss of scores [B, C] and classes; `components` has its own.

        Returns:
            A scalar, at least in single precision.
        """
        similarity = similarity.to(torch.promote_types(similarity.dtype, torch.float32))
        scores, identity = self.classifier(similarity), self.bank.identity
        loss = losses.margin(scores, labels, self.margin) if self.kind == "components" else decide(scores, labels)
        if self.cluster:
            loss = loss + self.cluster * losses.cluster(similarity, labels, identity)
        if self.separation:
            loss = loss + self.separation * losses.separation(similarity, labels, identity)
        if self.orthogonality:
            loss = loss + self.orthogonality * losses.orthogonality(self.bank.weight, identity)
        if self.l1 and isinstance(self.classifier, LinearHead):
            loss = loss + self.l1 * losses.off_class_l1(self.classifier.weight, identity)
        return loss

    def stages(
        self, encoder: nn.Module, step: Step, project_now: Callable[[], None], *, lr: float, head_lr: float
    ) -> list[Stage]:
        """The phases of training; see the class.

        Args:
            encoder: All that turns samples into parts.
            step: The task's step.
            project_now: Projects by `project`.
            lr: Rate of the encoder.
            head_lr: Rate of prototypes and classifier.
        """
        return stages(
            step,
            project_now,
            encoder=Trained([encoder], lr),
            # An L2 penalty would draw prototypes to the origin, where no part is, and weights away from their start.
            prototypes=Trained([self.bank], head_lr, weight_decay=0.0),
            classifier=Trained([self.classifier], head_lr, weight_decay=0.0),
            joint_classifier=self.joint_classifier,
            warm_epochs=self.warm_epochs,
            head_epochs=self.head_epochs,
            cycles=self.cycles,
        )

    def project(self, encoder: nn.Module, parts: Parts, labels: Tensor, train: Tensor) -> None:
        """Make every prototype the nearest training part of its class, and keep what it was; see `prototypes.project`.

        Args:
            encoder: All that turned samples into parts.
            parts: Gives the parts of training samples.
            labels: Classes by sample id.
            train: Which samples are for training.
        """
        if self.projects:
            self.unprojected.keep(self._learned())
            project(self.bank, encoder, parts, labels=labels, train=train, is_unique=self.unique)

    @torch.no_grad()
    def arrays(
        self, similarity: Tensor, scores: Callable[[Mapping[str, Tensor]], Tensor], parts: Parts, train: Tensor
    ) -> dict[str, Tensor]:
        """What predictions.npz keeps of prototypes; `graphkit.tasks.prototype_report` makes figures of it.

        Args:
            similarity: Pooled similarities of all samples [N, M].
            scores: Gives the class scores of all samples with other values of learned tensors of the head, by name.
            parts: Gives the parts of training samples.
            train: Which samples are for training.

        Returns:
            `prototype_classes` [M, C], `prototype_contributions` [N, M] to the score of the predicted class, and
            `prototype_nearest` [M, K], the samples of the nearest training parts; of projected ones also `prototype_source`
            [M, 2], ids of sample and part, `prototype_source_similarity` [M] just before, and class scores [N, C] with the
            classifier of that time: `scores_before_projection`, `scores_after_projection`.
        """
        added, _ = contributions(self.classifier, similarity, self.classifier(similarity).argmax(dim=1))
        found = {
            "prototype_classes": self.bank.identity,
            "prototype_contributions": added.float(),
            "prototype_nearest": nearest_samples(self.bank, parts(), train),
        }
        if not self.bank.projected:
            return found
        return {
            **found,
            "prototype_source": self.bank.source,
            "prototype_source_similarity": self.bank.source_similarity,
            "scores_before_projection": scores(self.unprojected.tensors()),
            "scores_after_projection": scores(self.unprojected.tensors(without="bank.")),
        }


def _one_part_each(batch: PartBatch) -> tuple[Tensor, Tensor]:
    """A random part of every sample [B, D], and the ids of the samples [B]."""
    chance = torch.rand(batch.mask.shape).to(batch.mask.device).masked_fill(~batch.mask, -1.0)
    part = chance.argmax(dim=1, keepdim=True)
    z = batch.z.gather(1, part.unsqueeze(2).expand(-1, -1, batch.z.size(2))).squeeze(1)
    return z, batch.ref[:, 0, 0]
